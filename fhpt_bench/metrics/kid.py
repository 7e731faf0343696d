"""KID: the same question as FID, without its bias at small numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features
from fhpt_bench.intervals import MAX_GROUPS, jackknife_from
from fhpt_bench.metrics.fid import DIMENSIONS, Reference, check, stack, training_rows
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Batch, Context, Need, Rows, Score

Floats = NDArray[np.float64]
_CHUNK = 512


@dataclass(frozen=True)
class KID:
    """Squared maximum mean discrepancy of Inception features under the kernel (x . y / d + 1)^3; can be below 0.

    Binkowski et al., Demystifying MMD GANs, ICLR 2018, section 4. The unbiased estimate over all pairs of images (the
    full U-statistic: the mean of torchmetrics' over all subsets, without their noise). Some tables print it times 1000.
    Interval: delete one person. Rows as FID's: [generated 2048 | target 2048], or [generated 2048].
    """

    name: str
    reference: Reference = "targets"
    """What is compared with: the pairs' true images, or all training photos."""
    extractor: str = "torchmetrics"
    """Whose features: see ``features.inception.Pool3``."""
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to all images first."""

    better: ClassVar[Literal["lower"]] = "lower"

    def __post_init__(self) -> None:
        check(self.reference, self.extractor)
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))

    @property
    def feature(self) -> str:
        return features.feature_name("inception.pool3", self.extractor, prepare=Prepare.of(self.prepare))

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(self.feature, ("generated", "target") if self.reference == "targets" else ("generated",)),)

    @property
    def columns(self) -> int:
        return 2 * DIMENSIONS if self.reference == "targets" else DIMENSIONS

    def measure(self, batch: Batch) -> Rows:
        """N x 4096 (or 2048) float32: the features themselves."""
        return stack(self.needs[0], batch)

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score. BenchError where the reference is the training photos and the data set gives none."""
        generated = rows[:, :DIMENSIONS]
        group = _groups(context.people)
        if self.reference == "train":
            real, real_group = training_rows(context, self.feature, self.name), None
        else:
            real, real_group = rows[:, DIMENSIONS:], group
        value, without = mmd(generated, real, group, real_group)
        return [jackknife_from(self.name, value, without, context, self.better)]


def mmd(a: Rows, b: Rows, group_a: NDArray[np.intp], group_b: NDArray[np.intp] | None) -> tuple[float, list[float]]:
    """The unbiased MMD^2 of a (n x d) and b (m x d), and its values without each group (none if there is one).

    group_a: n integers from 0. group_b: m, or None where b is fixed. NaN with fewer than two rows.
    """
    count = int(group_a.max(initial=0)) + 1
    groups_b = np.full(len(b), -1, np.intp) if group_b is None else group_b
    sums = _Sums(
        _block_sums(a, a, group_a, group_a, count),
        _block_sums(b, b, groups_b, groups_b, count),
        _block_sums(a, b, group_a, groups_b, count),
    )
    sizes = _sizes(group_a, count), _sizes(groups_b, count)
    value = sums.without(None, *sizes)
    return value, [sums.without(g, *sizes) for g in range(count)] if count > 1 else []


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of the kernel over pairs of groups, each (groups + 1) x (groups + 1): the last is what no group holds."""

    within_a: Floats
    within_b: Floats
    across: Floats

    def without(self, group: int | None, sizes_a: Floats, sizes_b: Floats) -> float:
        """The U-statistic with one group left out; all of it for None."""
        keep = np.ones(len(sizes_a))
        if group is not None:
            keep[group] = 0
        n, m = float(keep @ sizes_a), float(keep @ sizes_b)
        if min(n, m) < 2:
            return float("nan")
        within_a, within_b, across = (float(keep @ s @ keep) for s in (self.within_a, self.within_b, self.across))
        return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)


def _block_sums(a: Rows, b: Rows, group_a: NDArray[np.intp], group_b: NDArray[np.intp], count: int) -> Floats:
    """Kernel sums by group of a and of b, an image with itself left out; in blocks, so that memory is flat."""
    same = a is b
    sums: Floats = np.zeros((count + 1, count + 1))
    for start in range(0, len(a), _CHUNK):
        rows = np.asarray(a[start : start + _CHUNK], np.float64)
        rows_in = _indicator(group_a[start : start + _CHUNK], count)
        for at in range(start if same else 0, len(b), _CHUNK):
            kernel = polynomial(rows, np.asarray(b[at : at + _CHUNK], np.float64))
            if same and at == start:
                np.fill_diagonal(kernel, 0)
            block = rows_in.T @ kernel @ _indicator(group_b[at : at + _CHUNK], count)
            sums += block
            if same and at > start:  # the kernel is symmetric: the block below the diagonal is this one, turned
                sums += block.T
    return sums


def _indicator(group: NDArray[np.intp], count: int) -> Floats:
    """n x (count + 1): 1 in the column of each row's group, the last for none."""
    columns: Floats = np.zeros((len(group), count + 1))
    columns[np.arange(len(group)), group] = 1
    return columns


def polynomial(a: Floats, b: Floats) -> Floats:
    """(a . b / d + 1)^3, n x d and m x d -> n x m."""
    inner: Floats = a @ b.T / a.shape[1] + 1
    return inner * inner * inner


def _groups(people: Sequence[str]) -> NDArray[np.intp]:
    """Each pair's group, as ``intervals.leave_out`` numbers them."""
    names, member = np.unique(np.asarray(people), return_inverse=True)
    group: NDArray[np.intp] = member % min(len(names), MAX_GROUPS)
    return group


def _sizes(group: NDArray[np.intp], count: int) -> Floats:
    return np.bincount(np.where(group < 0, count, group), minlength=count + 1).astype(np.float64)
