"""The Frechet distance: answers known by mathematics, the textbook formula, and every shortcut against the long way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from fhpt_bench import frechet
from fhpt_bench.frechet import Gaussian

RNG = np.random.default_rng(0)


def by_the_book(a: np.ndarray, b: np.ndarray) -> float:
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)), the root's trace by the eigenvalues of the bare product."""
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(linalg.eigvals(cov_a @ cov_b).astype(complex)).real.sum()
    difference = a.mean(0) - b.mean(0)
    return float(difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * roots)


def samples(n: int, d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.standard_normal(d)


@pytest.mark.parametrize(("n", "m"), [(100, 130), (300, 41), (20, 200), (25, 30), (30, 30), (41, 40), (40, 41)])
def test_every_route_gives_the_textbook_value(n: int, m: int) -> None:
    a, b = samples(n, 40, 1), samples(m, 40, 2)
    expected = by_the_book(a, b)
    assert frechet.distance(a, b) == pytest.approx(expected, rel=1e-7)
    assert frechet.distance(b, a) == pytest.approx(expected, rel=1e-7)
    assert frechet.gaussian_distance(frechet.gaussian(a), frechet.gaussian(b)) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("n", [10, 200])
def test_equal_covariances_leave_the_squared_distance_of_the_means(n: int) -> None:
    a, shift = samples(n, 30, 3), RNG.standard_normal(30)
    assert frechet.distance(a, a + shift) == pytest.approx(float(shift @ shift), rel=1e-9)


@pytest.mark.parametrize("n", [10, 200])
def test_scaled_samples(n: int) -> None:
    """b = s a: the covariances commute, so the distance is (1 - s)^2 (Tr A + |mean|^2)."""
    a = samples(n, 30, 4)
    expected = 0.25 * (np.trace(np.cov(a.T)) + float(a.mean(0) @ a.mean(0)))
    assert frechet.distance(a, 1.5 * a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 10, 31, 200])
def test_equal_samples_have_no_distance(n: int) -> None:
    a = samples(n, 30, 5)
    assert 0 <= frechet.distance(a, a.copy()) < 1e-9 * np.trace(np.cov(a.T))


def test_singular_covariances_are_exact() -> None:
    """Diagonal covariances with zeros, turned by one rotation: Tr (A B)^(1/2) = sum sqrt(a_i b_i)."""
    d = 300
    diagonals = RNG.uniform(0.5, 2, (2, d))
    diagonals[0, 50:] = 0
    diagonals[1, :20] = 0
    diagonals[1, 80:] = 0
    turn = np.linalg.qr(RNG.standard_normal((d, d)))[0]
    a, b = (Gaussian(np.zeros(d), (turn * diagonal) @ turn.T) for diagonal in diagonals)
    expected = diagonals.sum() - 2 * np.sqrt(diagonals[0] * diagonals[1]).sum()
    assert frechet.gaussian_distance(a, b) == pytest.approx(expected, rel=1e-12)
    regular = Gaussian(np.zeros(d), turn @ turn.T)
    expected = diagonals[0].sum() + d - 2 * np.sqrt(diagonals[0]).sum()
    assert frechet.gaussian_distance(a, regular) == pytest.approx(expected, rel=1e-8)
    assert frechet.gaussian_distance(regular, a) == pytest.approx(expected, rel=1e-8)


def test_features_that_never_fire() -> None:
    a, b = samples(200, 30, 6), samples(200, 30, 7)
    a[:, 5] = b[:, 5] = 0
    a[:, 6] = 0
    expected = by_the_book(np.delete(a, 5, 1), np.delete(b, 5, 1))
    assert frechet.distance(a, b) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(2, 60), st.integers(0, 1000))
def test_symmetric_never_negative_and_blind_to_rotation(n: int, m: int, seed: int) -> None:
    a, b = samples(n, 25, seed), samples(m, 25, seed + 1)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((25, 25)))[0]
    value = frechet.distance(a, b)
    assert value >= 0
    assert frechet.distance(b, a) == pytest.approx(value, rel=1e-6)
    assert frechet.distance(a @ turn, b @ turn) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("n", [24, 120])
@pytest.mark.parametrize("fixed", [False, True])
def test_leaving_out_is_the_distance_of_the_rest(n: int, fixed: bool) -> None:
    a, b = samples(n, 40, 8), samples(n, 40, 9)
    kept = [np.setdiff1d(np.arange(n), out) for out in ([0], [3, 4, 5], np.arange(7, 12))]
    reference = frechet.gaussian(samples(90, 40, 10)) if fixed else b
    found = frechet.distances_without(a, reference, [np.arange(n), *kept])
    for value, k in zip(found, [np.arange(n), *kept], strict=True):
        if isinstance(reference, Gaussian):
            mean, covariance = a[k].mean(0), np.cov(a[k].T)
            expected = frechet.gaussian_distance(Gaussian(mean, covariance), reference)
        else:
            expected = by_the_book(a[k], b[k])
        assert value == pytest.approx(expected, rel=1e-7)


def test_a_singular_reference_of_training_photos() -> None:
    a, few = samples(24, 40, 8), frechet.gaussian(samples(15, 40, 10))
    [value] = frechet.distances_without(a, few, [np.arange(24)])
    expected = frechet.gaussian_distance(frechet.gaussian(a), few)
    assert value == pytest.approx(expected, rel=1e-9)


def test_too_few_samples_have_no_distance() -> None:
    a = samples(5, 8, 11)
    assert np.isnan(frechet.distance(a, a[:1]))
    found = frechet.distances_without(a, a, [np.arange(5), np.array([2])])
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_memory_mapped_float32_rows(tmp_path: Path) -> None:
    rows = np.concatenate([samples(50, 12, 12), samples(50, 12, 13)], axis=1).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    expected = by_the_book(rows[:, :12].astype(np.float64), rows[:, 12:].astype(np.float64))
    assert frechet.distance(mapped[:, :12], mapped[:, 12:]) == pytest.approx(expected, rel=1e-9)


def test_moments_do_not_lose_digits_far_from_the_origin() -> None:
    a = samples(3000, 4, 14)
    far = frechet.gaussian(a + 1e6)
    np.testing.assert_allclose(far.covariance, np.cov(a.T), rtol=1e-7, atol=1e-7)


def test_moments_of_parts_are_those_of_the_whole() -> None:
    a = samples(333, 6, 15) + 1e3
    moments = frechet.Moments()
    for start in range(0, 333, 32):
        moments.add(a[start : start + 32].astype(np.float64))
        if start == 160:  # written to disk and read again
            assert moments.mean is not None
            assert moments.scatter is not None
            moments = frechet.Moments(moments.count, moments.mean.copy(), moments.scatter.copy())
    found = moments.gaussian()
    assert moments.count == 333
    np.testing.assert_allclose(found.mean, a.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(a.T), rtol=1e-9, atol=1e-9)
    one = frechet.Moments()
    one.add(a[:1])
    with pytest.raises(ValueError, match="1 samples"):
        one.gaussian()
