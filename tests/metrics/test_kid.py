"""KID: torchmetrics' number where its subsets are the whole set, its documented value, and the long way round."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from network_batches import batch_for, context_for, pictures

from fhpt_bench import features
from fhpt_bench.intervals import leave_out
from fhpt_bench.metrics import kid
from fhpt_bench.metrics.kid import KID, mmd

RNG = np.random.default_rng(0)


def the_long_way(a: np.ndarray, b: np.ndarray) -> float:
    """Binkowski et al. 2018, the unbiased estimator, term by term."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    off_a, off_b = ~np.eye(len(a), dtype=bool), ~np.eye(len(b), dtype=bool)
    return float(kernel(a, a)[off_a].mean() + kernel(b, b)[off_b].mean() - 2 * kernel(a, b).mean())


def rows_of(pairs: int) -> np.ndarray:
    rows = np.abs(RNG.standard_normal((pairs, 4096))).astype(np.float32)
    rows[:, 2048:] *= 1.1
    return rows


def test_equals_torchmetrics() -> None:
    from torchmetrics.image.kid import poly_mmd

    rows = rows_of(50)
    sides = [torch.from_numpy(s.astype(np.float64)) for s in (rows[:, 2048:], rows[:, :2048])]
    [score] = KID("kid").summarise(rows, context_for(list("abcde") * 10))
    assert score.value == pytest.approx(float(poly_mmd(*sides)), rel=1e-9)


@pytest.mark.parametrize("chunk", [7, 512])
def test_value_and_leaving_out_equal_the_long_way(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kid, "_CHUNK", chunk)
    rows, people = rows_of(40), [f"p{i % 7}" for i in range(40)]
    [score] = KID("kid").summarise(rows, context_for(people))
    a, b = rows[:, :2048], rows[:, 2048:]
    assert score.value == pytest.approx(the_long_way(a, b), rel=1e-9)
    expected = [the_long_way(a[k], b[k]) for k in leave_out(people)]
    np.testing.assert_allclose(score.without, expected, rtol=1e-9)
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.value < score.high


def test_more_people_than_groups() -> None:
    rows, people = rows_of(140), [f"p{i:03d}" for i in range(70) for _ in range(2)]
    [score] = KID("kid").summarise(rows, context_for(people))
    expected = [the_long_way(rows[k, :2048], rows[k, 2048:]) for k in leave_out(people)]
    np.testing.assert_allclose(score.without, expected, rtol=1e-8)


def test_against_the_training_photos() -> None:
    rows, train = rows_of(30)[:, :2048], rows_of(45)[:, :2048]
    people = [f"p{i % 4}" for i in range(30)]
    metric = KID("kid", reference="train")
    [score] = metric.summarise(rows, replace(context_for(people), reference=lambda _: train))
    assert score.value == pytest.approx(the_long_way(rows, train), rel=1e-9)
    np.testing.assert_allclose(score.without, [the_long_way(rows[k], train) for k in leave_out(people)], rtol=1e-9)


def test_unbiased_on_one_distribution() -> None:
    """Two draws of one distribution: 0 on average, below 0 about as often as above."""
    rng = np.random.default_rng(1)
    one = np.zeros(30, np.intp)
    values = np.array([mmd(*rng.standard_normal((2, 30, 8)).astype(np.float32), one, one)[0] for _ in range(400)])
    assert abs(values.mean()) < 4 * values.std() / 20
    assert 0.3 < (values < 0).mean() < 0.8


def test_end_to_end_on_pictures() -> None:
    metric = KID("kid")
    rows = metric.measure(batch_for(metric, pictures(4, 64, 48, seed=2), pictures(4, 64, 48, seed=1)))
    [score] = metric.summarise(rows, context_for(list("aabb")))
    assert score.value == pytest.approx(the_long_way(rows[:, :2048], rows[:, 2048:]), rel=1e-9)


def test_too_few_pairs_are_unavailable_not_a_crash() -> None:
    [score] = KID("kid").summarise(rows_of(1), context_for(["a"]))
    assert score.value is None
    assert score.unavailable


@pytest.mark.slow
def test_documented_kid_of_torchmetrics(inception_file: Path) -> None:
    """(0.0312, 0.0025) in the documentation of KernelInceptionDistance, from our features: all weights are right.

    Seed 42, the images drawn after the network is built, then the subsets.
    """
    torch.manual_seed(42)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.fid import NoTrainInceptionV3
        from torchmetrics.image.kid import KernelInceptionDistance

        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(inception_file))
        theirs = KernelInceptionDistance(network, subset_size=50)
    draws = [torch.randint(*span, (100, 3, 299, 299), dtype=torch.uint8) for span in ((0, 200), (100, 255))]
    feature = features.build("inception.pool3")
    real, fake = (feature.extract(d.permute(0, 2, 3, 1).numpy()) for d in draws)
    theirs.real_features, theirs.fake_features = [torch.from_numpy(real)], [torch.from_numpy(fake)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, deviation = theirs.compute()
    assert float(mean) == pytest.approx(0.0312, abs=5e-5)
    assert float(deviation) == pytest.approx(0.0025, abs=5e-5)
    everyone = np.zeros(100, np.intp)
    assert mmd(fake, real, everyone, everyone)[0] == pytest.approx(float(mean), abs=1e-3)
