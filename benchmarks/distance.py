"""The Frechet distance at 2,048 dimensions: ours, scipy's matrix square root, the bare product's eigenvalues."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from benchmarks.contenders import clock, since

DIMENSIONS = 2048
Floats = NDArray[np.float64]
Moments = tuple[Floats, Floats]


def measure() -> list[dict[str, Any]]:
    """Time and value of each way: from 600 samples; and from the means and covariances of 6,000, ready
    made."""
    from fhpt_bench import frechet

    few, many = _samples(600), _samples(6000)
    moments = [_moments(samples) for samples in many]
    ready = [frechet.Gaussian(*of) for of in moments]
    ways: list[tuple[str, str, Callable[[], float]]] = [
        ("600 samples", "ours", lambda: frechet.distance(*few)),
        ("600 samples", "eigvals", lambda: _eigvals(*(_moments(samples) for samples in few))),
        ("600 samples", "sqrtm", lambda: _sqrtm(*(_moments(samples) for samples in few))),
        ("covariances of 6,000", "ours", lambda: frechet.gaussian_distance(*ready)),
        ("covariances of 6,000", "eigvals", lambda: _eigvals(*moments)),
        ("covariances of 6,000", "sqrtm", lambda: _sqrtm(*moments)),
    ]
    found: list[dict[str, Any]] = []
    for given, name, way in ways:
        start = clock()
        value = way()
        found.append({"given": given, "way": name, "time": since(start), "value": float(value)})
    return found


def _samples(count: int) -> tuple[Floats, Floats]:
    """Two sets whose variances fall off as those of Inception features do, and which differ in mean and in shape."""
    rng = np.random.default_rng(count)
    scale = np.arange(1, DIMENSIONS + 1) ** -0.7
    a, b = (rng.normal(size=(count, DIMENSIONS)) * scale for _ in range(2))
    return a, 1.1 * b @ _rotation(rng) + 0.01


def _rotation(rng: np.random.Generator) -> Floats:
    """Mixes neighbouring dimensions."""
    angle = rng.uniform(0, 1, DIMENSIONS // 2)
    turn = np.eye(DIMENSIONS)
    even, odd = np.arange(0, DIMENSIONS, 2), np.arange(1, DIMENSIONS, 2)
    turn[even, even] = turn[odd, odd] = np.cos(angle)
    turn[even, odd], turn[odd, even] = np.sin(angle), -np.sin(angle)
    return turn


def _moments(samples: Floats) -> Moments:
    return samples.mean(0), np.cov(samples, rowvar=False)


def _sqrtm(a: Moments, b: Moments) -> float:
    """As pytorch-fid and torch-fidelity compute it."""
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # singular covariances, below 2,049 samples
        root = linalg.sqrtm(cov_a @ cov_b)
    return float(np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root).real)


def _eigvals(a: Moments, b: Moments) -> float:
    """As torchmetrics computes it."""
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).astype(np.complex128)).real.sum()
    return float(np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * roots)
