"""SSIM: scikit-image's numbers in every variant, its map in regions, and what is known by mathematics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.metrics.regions import REGIONS
from fhpt_bench.metrics.ssim import SSIM, MaskSSIM
from fhpt_bench.types import Batch, Context

VARIANTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"window": "gauss1.5"}, {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
    ({"window": "gauss1.2"}, {"gaussian_weights": True, "sigma": 1.2, "use_sample_covariance": False}),
    ({"window": "gauss1.5", "sample_covariance": True}, {"gaussian_weights": True, "sigma": 1.5}),
    ({"window": "uniform7", "sample_covariance": True}, {"win_size": 7}),
    ({"window": "uniform7"}, {"win_size": 7, "use_sample_covariance": False}),
    ({"window": "uniform51", "sample_covariance": True}, {"win_size": 51}),
]


def pair(seed: int = 0, size: tuple[int, int] = (256, 176)) -> NDArray[np.uint8]:
    """Two pictures with edges, smooth parts, texture and white, as photographs of people have: 2 x H x W x 3."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8))
    target = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC)).astype(np.float64)
    target[: size[0] // 3] = 255
    target[-size[0] // 4 :] += rng.normal(0, 40, target[-size[0] // 4 :].shape)
    generated = np.roll(target, 2, axis=1) + rng.normal(0, 8, target.shape)
    return np.clip(np.stack([generated, target]), 0, 255).astype(np.uint8)


def batch(*pairs: NDArray[np.uint8], regions: dict[str, NDArray[np.bool_]] | None = None) -> Batch:
    generated, target = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    return Batch([str(i) for i in range(len(pairs))], generated, target, target, regions or {})


@pytest.mark.parametrize(("ours", "theirs"), VARIANTS)
@pytest.mark.parametrize("data_range", [255, "prediction"])
def test_every_variant_equals_scikit_image(ours: dict[str, Any], theirs: dict[str, Any], data_range: Any) -> None:
    metric = SSIM("ssim", data_range=data_range, regions=False, **ours)
    for seed in range(2):
        generated, target = pair(seed)
        generated = generated // 2 + 40  # so that the prediction's range is not 255
        width = 255 if data_range == 255 else int(generated.max()) - int(generated.min())
        mean, full = structural_similarity(target, generated, channel_axis=2, data_range=width, full=True, **theirs)
        np.testing.assert_allclose(metric.map(generated, target), full.mean(2), rtol=0, atol=1e-9)
        assert metric.measure(batch(np.stack([generated, target])))[0, 0] == pytest.approx(mean, abs=1e-7)
        everywhere = SSIM("ssim", data_range=data_range, regions=False, border="all", **ours)
        assert everywhere.measure(batch(np.stack([generated, target])))[0, 0] == pytest.approx(full.mean(), abs=1e-7)


def test_truncate_is_the_width_of_the_gaussian_in_sigmas() -> None:
    """scikit-image fixes it at 3.5; so here the definition, written out at one pixel: 2 sigmas of 1.5 are 7 px."""
    generated, target = pair()
    offsets = np.arange(-3, 4)
    weights = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets**2) / 1.5**2)[..., None]
    weights /= weights.sum()
    x, y = (image[197:204, 77:84].astype(np.float64) for image in (generated, target))
    mx, my = ((weights * v).sum((0, 1)) for v in (x, y))
    vx, vy, vxy = ((weights * a * b).sum((0, 1)) for a, b in ((x - mx, x - mx), (y - my, y - my), (x - mx, y - my)))
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    metric = SSIM("ssim", "gauss1.5", truncate=2.0, regions=False)
    assert metric.map(generated, target)[200, 80] == pytest.approx(expected.mean(), abs=1e-9)


def test_range_1_of_the_scripts_is_255_here() -> None:
    """GFLA, PIDM and CFLD divide by 255 and pass data_range = 1."""
    generated, target = pair()
    theirs = structural_similarity(target / 255, generated / 255, channel_axis=2, data_range=1, win_size=51)
    ours = SSIM("ssim[uniform51]", "uniform51", sample_covariance=True, regions=False).measure(batch(pair()))
    assert ours[0, 0] == pytest.approx(theirs, abs=1e-7)


def test_prepared_as_patn_did_equals_the_same_steps_by_hand() -> None:
    generated, target = pair(size=(256, 256))
    by_hand = []
    for image in (generated, target):
        canvas = np.full((256, 256, 3), 255, np.uint8)
        canvas[:, 40:216] = image[:, 40:216]
        by_hand.append(canvas)
    mean = structural_similarity(
        *by_hand, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    metric = SSIM("ssim", prepare={"crop": [40, 216], "pad": [256, 256]}, regions=False)
    assert metric.measure(batch(pair(size=(256, 256))))[0, 0] == pytest.approx(mean, abs=1e-7)


def test_regions_are_means_of_scikit_images_full_map() -> None:
    rng = np.random.default_rng(3)
    pairs = [pair(1), pair(2)]
    masks = {name: rng.random((2, 256, 176)) < 0.3 for name in REGIONS if name != "hands"}
    rows = SSIM("ssim").measure(batch(*pairs, regions=masks))
    for i, (generated, target) in enumerate(pairs):
        full = structural_similarity(
            target, generated, channel_axis=2, data_range=255, full=True, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )[1].mean(2)  # fmt: skip
        for column, name in enumerate(REGIONS, 1):
            if name == "hands":
                assert np.isnan(rows[i, column])
            else:
                assert rows[i, column] == pytest.approx(full[masks[name][i]].mean(), abs=1e-7)


@pytest.mark.parametrize("window", ["gauss1.5", "uniform7", "uniform51"])
def test_identical_images_are_exactly_1(window: str) -> None:
    _, target = pair()
    rows = SSIM("ssim", window, regions=["face"]).measure(
        batch(np.stack([target, target]), regions={"face": np.ones((1, 256, 176), bool)})
    )
    assert rows.tolist() == [[1, 1]]


def test_flat_images_have_the_luminance_term_alone() -> None:
    """Two flat greys: contrast is 1, so SSIM = (2ab + C1) / (a^2 + b^2 + C1)."""
    a, b, c1 = 100.0, 200.0, 2.55**2
    images = np.stack([np.full((32, 32, 3), v, np.uint8) for v in (a, b)])
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert SSIM("ssim", regions=False).measure(batch(images))[0, 0] == pytest.approx(expected, abs=1e-7)


def test_a_prediction_of_one_colour_has_a_finite_score_where_its_range_is_0() -> None:
    """A blank image must not fall out of the mean because scikit-image divides 0 by 0 there."""
    images = np.stack([np.full((64, 44, 3), 255, np.uint8), pair(size=(64, 44))[1]])
    value = SSIM("ssim", data_range="prediction", regions=False).measure(batch(images))[0, 0]
    assert 0 < value < 0.5


def test_rows_do_not_depend_on_the_batch() -> None:
    pairs = [pair(i, (64, 44)) for i in range(4)]
    masks = np.random.default_rng(0).random((4, 64, 44)) < 0.5
    metric = SSIM("ssim", regions=["visible"])
    whole = metric.measure(batch(*pairs, regions={"visible": masks}))
    singly = [metric.measure(batch(p, regions={"visible": masks[i : i + 1]})) for i, p in enumerate(pairs)]
    np.testing.assert_array_equal(whole, np.concatenate(singly))


def test_masked_ssim_is_that_of_the_images_times_the_mask() -> None:
    generated, target = pair()
    mask = np.zeros((256, 176), bool)
    mask[60:200, 50:120] = True
    cut = [image * mask[..., None] for image in (generated, target)]
    mean = structural_similarity(
        *cut, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    metric = MaskSSIM("mask-ssim")
    assert metric.columns == 1
    assert metric.measure(batch(pair(), regions={"foreground": mask[None]}))[0, 0] == pytest.approx(mean, abs=1e-7)
    background = generated.copy()
    background[~mask] = 7
    other = batch(np.stack([background, target]), regions={"foreground": mask[None]})
    assert metric.measure(other)[0, 0] == pytest.approx(mean, abs=1e-7), "what is outside the mask does not count"


def test_masked_ssim_without_masks_is_unavailable_and_says_so() -> None:
    metric = MaskSSIM("mask-ssim")
    rows = metric.measure(batch(pair(size=(64, 44))))
    (score,) = metric.summarise(rows, Context(["0"], ["p"], ["0"], ["0"]))
    assert score.value is None
    assert "foreground" in score.unavailable


def test_summary_is_one_score_for_the_whole_and_one_for_each_region() -> None:
    pairs = [pair(i, (64, 44)) for i in range(3)]
    masks = {name: np.ones((3, 64, 44), bool) for name in ("foreground", "face")}
    masks["face"][1:] = False
    metric = SSIM("ssim[gauss1.5]", regions=["foreground", "face"])
    rows = metric.measure(batch(*pairs, regions=masks))
    assert rows.dtype == np.float32
    assert rows.shape == (3, metric.columns) == (3, 3)
    ids = ["0", "1", "2"]
    scores = metric.summarise(rows, Context(ids, ids, ids, ids))
    assert [(s.name, s.pairs, s.excluded, s.better) for s in scores] == [
        ("ssim[gauss1.5]", 3, 0, "higher"),
        ("ssim[gauss1.5]/foreground", 3, 0, "higher"),
        ("ssim[gauss1.5]/face", 1, 2, "higher"),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"window": "uniform8"}, {"window": "uniform1"}, {"window": "gauss0"}, {"window": "box"}, {"truncate": 0},
        {"data_range": 0}, {"data_range": "target"}, {"data_range": float("nan")}, {"border": "wrap"},
        {"sample_covariance": "no"}, {"regions": ["foot"]}, {"prepare": {"scale": 2}}, {"prepare": {"crop": [216, 40]}},
    ],
)  # fmt: skip
def test_bad_settings_are_refused_when_the_protocol_is_read(settings: dict[str, Any]) -> None:
    with pytest.raises(BenchError):
        SSIM("ssim", **settings)


def test_an_image_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(BenchError, match="51 px wide"):
        SSIM("ssim", "uniform51", regions=False).measure(batch(pair(size=(64, 44))))


def test_prepare_is_kept_as_a_value_so_metrics_can_be_compared() -> None:
    assert SSIM("a", prepare={"crop": [40, 216]}) == SSIM("a", prepare=Prepare(crop=(40, 216)))
