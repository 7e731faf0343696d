"""FID: torchmetrics' distance from the same features, what it is compared with, and its interval."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from network_batches import batch_for, context_for, pictures

from fhpt_bench import frechet
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import leave_out
from fhpt_bench.metrics.fid import FID
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Rows


def made_up_rows(pairs: int, people: int, seed: int = 0) -> tuple[Rows, list[str]]:
    """Rows whose features cluster by person, as those of photographs do."""
    rng = np.random.default_rng(seed)
    who = np.arange(pairs) % people
    own = np.abs(rng.standard_normal((people, 4096)))[who]
    rows = 0.3 * own + 0.3 * np.abs(rng.standard_normal((pairs, 4096)))
    rows[:, 2048:] *= 1.05
    return rows.astype(np.float32), [f"person{i:03d}" for i in who]


def test_equals_torchmetrics() -> None:
    from torchmetrics.image.fid import _compute_fid

    metric = FID("fid")
    rows, people = made_up_rows(300, 20)
    [score] = metric.summarise(rows, context_for(people))
    sides = [torch.from_numpy(side.astype(np.float64)) for side in (rows[:, :2048], rows[:, 2048:])]
    (mean_a, cov_a), (mean_b, cov_b) = ((s.mean(0), torch.cov(s.T)) for s in sides)
    # 300 samples have rank 299: their formula holds for any basis of that space, and is quick there.
    basis = torch.linalg.svd(torch.cat([s - s.mean(0) for s in sides]), full_matrices=False).Vh
    difference = mean_a - mean_b
    theirs = _compute_fid(
        torch.zeros(len(basis)).double(),
        basis @ cov_a @ basis.T,
        torch.zeros(len(basis)).double(),
        basis @ cov_b @ basis.T,
    )
    assert score.value == pytest.approx(float(difference @ difference + theirs), rel=1e-5)


@pytest.mark.slow
def test_torchmetrics_end_to_end(inception_file: Path) -> None:
    """Images in, distance out, theirs and ours: the resize, the network, the moments and the root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.fid import FrechetInceptionDistance

        theirs = FrechetInceptionDistance(feature=2048, feature_extractor_weights_path=str(inception_file))
    metric = FID("fid")
    target, generated = pictures(10, 256, 176, seed=1), pictures(10, 256, 176, seed=2)
    for images, real in ((target, True), (generated, False)):
        theirs.update(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), real=real)
    [score] = metric.summarise(metric.measure(batch_for(metric, generated, target)), context_for(list("ab") * 5))
    assert score.value == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_end_to_end_on_pictures() -> None:
    metric = FID("fid")
    target = pictures(6, 64, 48, seed=1)
    rows = metric.measure(batch_for(metric, pictures(6, 64, 48, seed=2), target))
    assert rows.shape == (6, metric.columns) == (6, 4096)
    [score] = metric.summarise(rows, context_for(list("aabbcc")))
    assert score.value == pytest.approx(frechet.distance(rows[:, :2048], rows[:, 2048:]), rel=1e-12)
    same = metric.measure(batch_for(metric, target, target))
    [zero] = metric.summarise(same, context_for(list("aabbcc")))
    assert zero.value == pytest.approx(0, abs=1e-9 * score.value)


def test_interval_leaves_out_one_person_at_a_time() -> None:
    metric = FID("fid")
    rows, people = made_up_rows(40, 5)
    [score] = metric.summarise(rows, context_for(people))
    expected = [frechet.distance(rows[k, :2048], rows[k, 2048:]) for k in leave_out(people)]
    np.testing.assert_allclose(score.without, expected, rtol=1e-9)
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high
    assert (score.pairs, score.better) == (40, "lower")


def test_600_pairs_of_32_people_in_seconds() -> None:
    rows, people = made_up_rows(600, 32)
    start = time.process_time()
    [score] = FID("fid").summarise(rows, context_for(people))
    assert len(score.without or ()) == 32
    assert time.process_time() - start < 30  # 2 s of one core's time when this was written


def test_against_the_training_photos() -> None:
    metric = FID("fid", reference="train", extractor="clean")
    assert [need.of for need in metric.needs] == [("generated",)]
    assert metric.columns == 2048
    rng = np.random.default_rng(0)
    train = np.abs(rng.standard_normal((100, 2048))).astype(np.float32)
    rows = np.abs(rng.standard_normal((30, 2048))).astype(np.float32)
    asked = []

    def moments(feature: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
        asked.append((feature, batch))
        return train.mean(0, np.float64), np.cov(train.astype(np.float64), rowvar=False)

    [score] = metric.summarise(rows, replace(context_for(list("abc") * 10), moments=moments))
    assert asked == [("inception.pool3[clean]", 0)]
    assert score.value == pytest.approx(frechet.distance(rows, train), rel=1e-7)
    assert len(score.without or ()) == 3
    with pytest.raises(BenchError, match="training photos"):
        metric.summarise(rows, context_for(list("abc") * 10))


def test_a_last_batch_that_is_not_full_is_dropped_where_the_protocol_says_so() -> None:
    """By pair id, whatever the order they come in; fewer than a batch are all kept, as in GFLA's script."""
    metric = FID("fid", drop_last=8)
    rows, people = made_up_rows(21, 3)
    context = context_for(people)
    [score] = metric.summarise(rows, context)
    assert score.value == pytest.approx(frechet.distance(rows[:16, :2048], rows[:16, 2048:]), rel=1e-9)
    assert (score.pairs, score.excluded) == (16, 5)
    without_last = [i for i in range(16) if i % 3 != 2]
    assert score.without is not None
    expected = frechet.distance(rows[without_last, :2048], rows[without_last, 2048:])
    assert score.without[2] == pytest.approx(expected, rel=1e-9)
    order = np.random.default_rng(0).permutation(21)
    mixed = replace(context, pair_ids=[context.pair_ids[i] for i in order], people=[people[i] for i in order])
    [again] = metric.summarise(rows[order], mixed)
    assert again.value == pytest.approx(score.value, rel=1e-9)
    [few] = FID("fid", drop_last=64).summarise(rows, context)
    assert (few.pairs, few.excluded) == (21, 0)
    assert few.value == pytest.approx(frechet.distance(rows[:, :2048], rows[:, 2048:]), rel=1e-9)


def test_generated_images_prepared_otherwise() -> None:
    metric = FID("fid", extractor="clean", prepare={"crop": [4, 44]}, prepare_generated={"stored": 50, "crop": [4, 44]})
    generated, target = pictures(3, 64, 48, seed=2), pictures(3, 64, 48, seed=1)
    rows = metric.measure(batch_for(metric, generated, target))
    assert [(need.feature, need.of) for need in metric.needs] == [
        ("inception.pool3[clean,stored50,crop4:44]", ("generated",)),
        ("inception.pool3[clean,crop4:44]", ("target",)),
    ]
    plain = FID("fid", extractor="clean", prepare={"crop": [4, 44]})
    stored = Prepare(stored=50).images(generated)
    np.testing.assert_array_equal(rows, plain.measure(batch_for(plain, stored, target)))
    train = replace(metric, reference="train")
    assert [need.of for need in train.needs] == [("generated",), ()]
    assert train.columns == 2048


def test_too_few_pairs_are_unavailable_not_a_crash() -> None:
    rows, _ = made_up_rows(1, 1)
    [score] = FID("fid").summarise(rows, context_for(["a"]))
    assert score.value is None
    assert score.unavailable
    rows, people = made_up_rows(4, 1)
    [score] = FID("fid").summarise(rows, context_for(people))
    assert score.value is not None
    assert score.low is None


def test_the_feature_carries_the_settings() -> None:
    metric = FID("fid", extractor="pytorch-fid", prepare={"crop": [40, 216]})
    assert metric.needs[0].feature == "inception.pool3[pytorch-fid,crop40:216]"


@pytest.mark.parametrize(
    "setting", [{"reference": "test"}, {"extractor": "keras"}, {"prepare": {"flip": True}}, {"drop_last": -1}]
)
def test_unknown_settings(setting: dict[str, object]) -> None:
    with pytest.raises(BenchError):
        FID("fid", **setting)  # type: ignore[arg-type]
