"""PCKh and PCK: the share of body points that a detector finds near enough to where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features, points
from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import Better, ratio_score
from fhpt_bench.metrics.kec import Evaluated, check_points, true_points, with_settings
from fhpt_bench.types import Batch, Context, Need, Rows, Score

Floats = NDArray[np.float64]
HEAD = (0, 1, 14, 15, 16, 17)
"""Nose, neck, eyes, ears: what PATN's script takes for the head."""
RIGHT_SHOULDER, LEFT_HIP = BODY18.index("r_shoulder"), BODY18.index("l_hip")


@dataclass(frozen=True)
class PCK:
    """Share of the target's body points, 0..1, that are found nearer than alpha times a length of that person.

    Which points: those of the target that show (``points``); one that is not found is wrong. All pairs together: right
    points / points. Nearer means strictly. ``name[floor]``: the detector on the true image against the truth, the same
    for every model: no model can be expected above it. Pairs whose length cannot be told are excluded and counted.

    Fooled by: limits that are wide for a modern model, so that all score alike; swapped left and right where limbs
    cross; a detector that guesses hidden points. Rows: per comparison 18 columns, 1 right, 0 wrong, NaN not counted.
    """

    name: str
    """Ends in ``@alpha``: ``pck@0.1``."""
    alpha: float = 0.1
    of: str = "box"
    """``box``: the longer side of the box round the target's points (Yang and Ramanan, Articulated Human Detection with
    Flexible Mixtures of Parts, TPAMI 2013, who defined PCK). ``torso``: right shoulder to left hip (Sapp and Taskar,
    MODEC, CVPR 2013). ``height``: of the image."""
    detector: str = "mediapipe"
    """Setting of the feature ``pose[...]``."""
    against: Literal["truth", "detector"] = "truth"
    """Where points belong: the data set's own points, or what the detector finds in the true image."""
    points: Evaluated = "visible"
    """Which of the truth's points count: those that show, or all inside the frame."""

    lengths: ClassVar[tuple[str, ...]] = ("box", "torso", "height")

    def __post_init__(self) -> None:
        if f"@{self.alpha:g}" != "@" + self.name.partition("@")[2].partition("[")[0]:
            raise BenchError(
                f"a score called {self.name!r} with alpha = {self.alpha:g}", fix=f"name it pck@{self.alpha:g}"
            )
        if not 0 < self.alpha < np.inf:
            raise BenchError(f"{self.name}: alpha = {self.alpha!r}", fix="a share of the length, above 0")
        if self.of not in self.lengths:
            raise BenchError(f"{self.name}: of = {self.of!r}", fix=f"one of {', '.join(self.lengths)}")
        if self.against not in ("truth", "detector"):
            raise BenchError(f"{self.name}: against = {self.against!r}", fix="truth or detector")
        check_points(self.name, self.points)

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(features.feature_name("pose", self.detector)),)

    @property
    def columns(self) -> int:
        return len(BODY18) * (2 if self.against == "truth" else 1)

    def measure(self, batch: Batch) -> Rows:
        """N x 18 float32, and 18 more for the floor where the truth is known."""
        feature, body = self.needs[0].feature, points.PARTS["body"]
        generated, target = (
            points.unpack(batch.features[feature, role])[0][:, body] for role in ("generated", "target")
        )
        if self.against == "detector":
            return self._right(generated, target, target, batch)
        counted, known = (true_points(batch, which)[:, body] for which in (self.points, "inside"))
        rows: Rows = np.concatenate([self._right(found, counted, known, batch) for found in (generated, target)], 1)
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """``name``, and ``name[floor]`` where the truth is known."""
        joints = len(BODY18)
        scores = [self._score(self.name, rows[:, :joints], context, "higher")]
        if self.against == "truth":
            scores.append(self._score(with_settings(self.name, "floor"), rows[:, joints:], context, "neither"))
        return scores

    def _score(self, name: str, hits: Rows, context: Context, better: Better) -> Score:
        counted = np.asarray(~np.isnan(hits), np.float64).sum(axis=1)
        right = np.nansum(hits, axis=1, dtype=np.float64)
        why = "the data set's points do not show enough of a body"
        if self.against == "detector":
            why = f"{self.detector} finds too little of a body in any true image"
        return ratio_score(name, right, counted, context, better, why=why)

    def _right(self, found: Rows, counted: Rows, known: Rows, batch: Batch) -> Rows:
        """1, 0 or NaN for each point; ``counted`` N x 18 x 2: where points belong; ``known``: what gives the length."""
        apart = np.abs(np.subtract(found, counted, dtype=np.float64))
        near = self._near(apart, known, batch.target.shape[1])  # NaN, not found, is never near
        judged = ~np.isnan(counted).any(axis=2) & self._measurable(known)[:, None]
        rows: Rows = np.where(judged, near, np.nan).astype(np.float32)
        return rows

    def _near(self, apart: Floats, known: Rows, height: int) -> NDArray[np.bool_]:
        if self.of == "height":
            length = np.full(len(known), float(height))
        elif self.of == "torso":
            length = np.hypot(*(known[:, RIGHT_SHOULDER] - known[:, LEFT_HIP]).astype(np.float64).T)
        else:
            length = _sides(known).max(axis=1)
        near: NDArray[np.bool_] = np.hypot(apart[..., 0], apart[..., 1]) < self.alpha * length[:, None]
        return near

    def _measurable(self, known: Rows) -> NDArray[np.bool_]:
        needed = known[:, [RIGHT_SHOULDER, LEFT_HIP]] if self.of == "torso" else known
        enough: NDArray[np.bool_] = (~np.isnan(needed).any(axis=2)).sum(axis=1) >= (1 if self.of == "height" else 2)
        return enough


@dataclass(frozen=True)
class PCKh(PCK):
    """Share of the target's body points, 0..1, found within half a head, as PATN and SPGNet count it.

    PATN's released script (Zhu et al., CVPR 2019), taken over by SPGNet (CVPR 2021), which prints .93 to .97. The head
    is the box of the target's nose, neck, eyes and ears, as far as known, at least two. A point is right if
    |dx| < alpha x width and |dy| < alpha x height, both strictly: so a narrow box (a profile) is strict sideways.
    MPII's PCKh, by 0.6 of the diagonal of an annotated head, is another number.
    """

    alpha: float = 0.5
    of: str = "head"

    lengths: ClassVar[tuple[str, ...]] = ("head",)

    def _near(self, apart: Floats, known: Rows, height: int) -> NDArray[np.bool_]:
        limits = self.alpha * _sides(known[:, HEAD])
        near: NDArray[np.bool_] = np.all(apart < limits[:, None], axis=2)
        return near

    def _measurable(self, known: Rows) -> NDArray[np.bool_]:
        return super()._measurable(known[:, HEAD])


def _sides(known: Rows) -> Floats:
    """Width and height of the box round the points of each row, N x 2; 0 where there is none."""
    xy = known.astype(np.float64)
    lost = np.isnan(xy)
    sides: Floats = np.where(lost, -np.inf, xy).max(axis=1) - np.where(lost, np.inf, xy).min(axis=1)
    return np.where(np.isfinite(sides), sides, 0.0)
