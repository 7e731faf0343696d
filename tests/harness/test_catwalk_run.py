"""The default protocol on Catwalk with its real networks, on a few pairs."""

from __future__ import annotations

import pytest

from fhpt_bench import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def warped(folder):
    return run("exact-warp", out=folder / "a", limit=12)


def test_batch_size_and_workers_change_no_score_beyond_a_millionth(folder, warped):
    other = run("exact-warp", out=folder / "b", limit=12, batch_size=3, workers=1)
    for a, b in zip(warped.scores, other.scores, strict=True):
        if a.value is not None:
            assert b.value == pytest.approx(a.value, rel=1e-6), a.name


def test_every_column_of_the_protocol_has_a_value(warped):
    for name in (name for names in warped.protocol.headline.values() for name in names):
        score = warped.score(name)  # the first 12 pairs are of one man
        assert score.value is not None or "no target is labelled women" in score.unavailable, name
    networks = {name.partition("[")[0] for name in warped.provenance.features}
    assert networks == {
        "inception.pool3", "alexnet.taps", "vgg16.taps", "pose", "face",
        "gender.vgg", "retrieval.vgg", "retrieval.resnet", "attributes.vgg",
    }  # fmt: skip


def test_truth_is_the_ceiling_and_blank_the_floor(folder, warped):
    truth, blank = (run(model, out=folder / model, limit=12) for model in ("truth", "blank"))
    for name in ("lpips[alex]", "lpips[vgg]", "lpips[alex]/foreground", "fid[clean]"):
        assert truth.score(name).value == pytest.approx(0, abs=1e-3)
        assert 0 < warped.score(name).value < blank.score(name).value
    assert truth.score("ssim[gauss1.5]").value == pytest.approx(1)
    assert truth.score("psnr").value == 100, "identical images: the cap that metrics.psnr states"


def test_what_the_source_hides_is_harder_than_what_it_shows(warped):
    """Warping cannot invent: the occluded part must score worse. If it did not, the two masks would be swapped."""
    visible, occluded = (warped.score(f"lpips[alex]/{part}").value for part in ("visible", "occluded"))
    assert visible < 0.8 * occluded
