"""The Frechet distance between two Gaussians, exactly and fast, and its leave-one-out values.

d^2 = |mean_a - mean_b|^2 + Tr A + Tr B - 2 Tr (A B)^(1/2)    (Dowson and Landau, J. Multivariate Analysis 12, 1982;
Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017, Eq. 6, for Inception features: FID)

The last trace needs no matrix square root. For any factors A = F F^T and B = G G^T it is the nuclear norm (the sum of
the singular values) of F^T G:
  - fewer samples than dimensions: F and G are the centred samples themselves, F^T G has one row and column a sample;
  - more: F is the Cholesky factor of A, and the singular values are the roots of the eigenvalues of F^T B F, which is
    symmetric (A B is not: ``eigvalsh`` of the bare product is wrong).
Singular covariances are no exception: there F is made of the eigenvectors that carry any variance. All in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Samples = NDArray[np.floating]
"""n x d; may be memory-mapped."""
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (d) and covariance (d x d, divided by n - 1) of some samples."""

    mean: Floats
    covariance: Floats


def gaussian(samples: Samples) -> Gaussian:
    """Moments in float64, in chunks: memory grows with d^2, not with n. Two samples or more."""
    mean = _mean(samples)
    scatter: Floats = np.zeros((samples.shape[1], samples.shape[1]))
    for chunk in _chunks(samples):
        centred = chunk - mean
        scatter += centred.T @ centred
    return Gaussian(mean, scatter / (len(samples) - 1))


class Moments:
    """The Gaussian of samples that come in parts and are not kept: memory and disk grow with d^2, not with n.

    Each part's own scatter is exact; joining two adds that of their means (Chan, Golub and LeVeque, Algorithms for
    Computing the Sample Variance, The American Statistician 37, 1983, Eq. 2.1). All in float64.
    """

    def __init__(self, count: int = 0, mean: Floats | None = None, scatter: Floats | None = None) -> None:
        self.count, self.mean, self.scatter = count, mean, scatter

    def add(self, samples: Samples) -> None:
        """n x d more, n at least 1."""
        part, own_mean = _centred(samples)
        own_scatter: Floats = part.T @ part
        if self.mean is None or self.scatter is None:
            self.count, self.mean, self.scatter = len(part), own_mean, own_scatter
            return
        total = self.count + len(part)
        apart = own_mean - self.mean
        self.scatter += own_scatter
        self.scatter += (self.count * len(part) / total) * np.outer(apart, apart)
        self.mean = self.mean + apart * (len(part) / total)
        self.count = total

    def gaussian(self) -> Gaussian:
        """Two samples or more."""
        if self.mean is None or self.scatter is None or self.count < 2:
            raise ValueError(f"{self.count} samples have no covariance")
        return Gaussian(self.mean, self.scatter / (self.count - 1))


def distance(a: Samples, b: Samples) -> float:
    """Frechet distance of the Gaussians fitted to two sets of samples, n x d and m x d; NaN where n or m is below 2."""
    if min(len(a), len(b)) < 2:
        return float("nan")
    if min(len(a), len(b)) >= a.shape[1]:
        return gaussian_distance(gaussian(a), gaussian(b))
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    factor, mean, trace = _sample_factor(large)
    centred, own_mean = _centred(small)
    own_trace = float(np.square(centred).sum()) / (len(small) - 1)
    cross = _nuclear_norm(centred @ factor) / np.sqrt(len(small) - 1)
    return _assemble(own_mean - mean, own_trace + trace, cross)


def gaussian_distance(a: Gaussian, b: Gaussian, *, consume: bool = False) -> float:
    """Frechet distance of two Gaussians, whatever the rank of their covariances (symmetric, positive semi-definite).

    ``consume``: the covariances may be overwritten, which saves two matrices of their size.
    """
    traces = float(np.trace(a.covariance) + np.trace(b.covariance))
    return _assemble(a.mean - b.mean, traces, _trace_of_root(a.covariance, b.covariance, consume))


def distances_without(a: Samples, b: Samples | Gaussian, kept: Sequence[NDArray[np.intp]]) -> list[float]:
    """``distance(a[k], b[k])`` for every k of ``kept`` (``distance(a[k], b)`` where b is a fixed Gaussian), exactly.

    NaN where k has fewer than two indices. With fewer samples than dimensions the cross products are computed once:
    leaving samples out and centring again only takes rows and columns out of them. Otherwise the moments are updated by
    the samples that are left out.
    """
    few = len(a) < a.shape[1]
    found = (_without_few if few else _without_many)(a, b, [k for k in kept if len(k) > 1])
    # One thread where matrices are small: on a busy machine two wait for each other ten times longer than one works.
    with threadpool_limits(1 if few else None, user_api="blas"):
        return [next(found) if len(k) > 1 else float("nan") for k in kept]


def _without_many(a: Samples, b: Samples | Gaussian, kept: Sequence[NDArray[np.intp]]) -> Iterator[float]:
    all_a = _Updates(a)
    all_b = None if isinstance(b, Gaussian) else _Updates(b)
    for k in kept:
        if isinstance(b, Gaussian):
            yield gaussian_distance(all_a.keep(k), b)
        elif all_b is not None:
            yield gaussian_distance(all_a.keep(k), all_b.keep(k), consume=True)


def _without_few(a: Samples, b: Samples | Gaussian, kept: Sequence[NDArray[np.intp]]) -> Iterator[float]:
    centred_a, mean_a = _centred(a)
    if isinstance(b, Gaussian):
        # F has more columns than there are samples: the L of an LQ factorisation has the same products.
        cross = linalg.qr((centred_a @ _root(b.covariance)).T, mode="r", check_finite=False)[0][: len(a)].T
        trace_b = float(np.trace(b.covariance))
    else:
        centred_b, mean_b = _centred(b)
        cross = centred_a @ centred_b.T
    for k in kept:
        part_a = centred_a[k]
        shift_a = part_a.mean(0)
        trace = (float(np.square(part_a).sum()) - len(k) * float(shift_a @ shift_a)) / (len(k) - 1)
        if isinstance(b, Gaussian):
            block = cross[k] - cross[k].mean(0)
            yield _assemble(mean_a + shift_a - b.mean, trace + trace_b, _nuclear_norm(block) / np.sqrt(len(k) - 1))
            continue
        part_b = centred_b[k]
        shift_b = part_b.mean(0)
        trace += (float(np.square(part_b).sum()) - len(k) * float(shift_b @ shift_b)) / (len(k) - 1)
        block = cross[np.ix_(k, k)]
        block = block - block.mean(0) - block.mean(1, keepdims=True) + block.mean()
        yield _assemble(mean_a + shift_a - mean_b - shift_b, trace, _nuclear_norm(block) / (len(k) - 1))


class _Updates:
    """Moments of all samples, from which those of all but a few follow."""

    def __init__(self, samples: Samples) -> None:
        self.samples, self.mean = samples, _mean(samples)
        self.scatter = gaussian(samples).covariance * (len(samples) - 1)

    def keep(self, kept: NDArray[np.intp]) -> Gaussian:
        left_out = np.setdiff1d(np.arange(len(self.samples)), kept)
        scatter, total = self.scatter.copy(), np.zeros_like(self.mean)
        for chunk in _chunks(self.samples, left_out):
            centred = chunk - self.mean
            scatter -= centred.T @ centred
            total += centred.sum(0)
        shift = -total / len(kept)
        scatter -= len(kept) * np.outer(shift, shift)
        scatter /= len(kept) - 1
        return Gaussian(self.mean + shift, scatter)


def _assemble(difference: Floats, traces: float, cross: float) -> float:
    # A distance cannot be negative; rounding can make that of two equal Gaussians -1e-13.
    return max(0.0, float(difference @ difference) + traces - 2 * cross)


def _trace_of_root(a: Floats, b: Floats, consume: bool) -> float:
    """Tr (A B)^(1/2); ``consume``: a and b may be overwritten."""
    if _cholesky(a) is None or _cholesky(b) is None:
        # Roots of eigenvalues that should be 0 come out as 1e-8, thousands of them; singular values as 1e-16.
        return _nuclear_norm(_root(a).T @ _root(b))
    # B A x = x v, solved by LAPACK as F^T B F, in place: transposed, a symmetric matrix has the layout it wants.
    eigenvalues = linalg.eigvalsh(
        b.T, a.T, type=2, driver="gv", overwrite_a=consume, overwrite_b=consume, check_finite=False
    )
    return float(np.sqrt(np.clip(eigenvalues, 0, None)).sum())


def _cholesky(matrix: Floats) -> Floats | None:
    """Lower factor; None where the matrix is singular as far as float64 can tell."""
    try:
        factor: Floats = linalg.cholesky(matrix, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    pivots = np.square(np.diagonal(factor))
    return factor if pivots.min() > len(matrix) * np.finfo(np.float64).eps * pivots.max() else None


def _root(matrix: Floats) -> Floats:
    """d x r with matrix = root root^T, r its rank."""
    if (factor := _cholesky(matrix)) is not None:
        return factor
    values, vectors = linalg.eigh(matrix, check_finite=False)
    carries = values > len(matrix) * np.finfo(np.float64).eps * max(values[-1], 0)
    root: Floats = vectors[:, carries] * np.sqrt(values[carries])
    return root


def _sample_factor(samples: Samples) -> tuple[Floats, Floats, float]:
    """d x r factor of the samples' covariance, their mean, the covariance's trace."""
    if len(samples) > samples.shape[1]:
        moments = gaussian(samples)
        return _root(moments.covariance), moments.mean, float(np.trace(moments.covariance))
    centred, mean = _centred(samples)
    factor = centred.T / np.sqrt(len(samples) - 1)
    return factor, mean, float(np.square(factor).sum())


def _nuclear_norm(matrix: Floats) -> float:
    if 0 in matrix.shape:
        return 0.0
    rows, columns = matrix.shape
    if max(rows, columns) > 2 * min(rows, columns):
        tall = matrix if rows > columns else matrix.T
        matrix = linalg.qr(tall, mode="r", check_finite=False)[0][: min(rows, columns)]
    return float(linalg.svdvals(matrix, check_finite=False).sum())


def _mean(samples: Samples) -> Floats:
    total: Floats = np.zeros(samples.shape[1])
    for chunk in _chunks(samples):
        total += chunk.sum(0)
    return total / len(samples)


def _centred(samples: Samples) -> tuple[Floats, Floats]:
    values = np.asarray(samples, np.float64)
    mean: Floats = values.mean(0)
    return values - mean, mean


def _chunks(samples: Samples, at: NDArray[np.intp] | None = None) -> Iterator[Floats]:
    count = len(samples) if at is None else len(at)
    for start in range(0, count, _CHUNK):
        stop = start + _CHUNK
        yield np.asarray(samples[start:stop] if at is None else samples[at[start:stop]], np.float64)
