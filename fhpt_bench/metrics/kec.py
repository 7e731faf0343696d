"""Keypoint error curves: how far the points that a detector finds in a generated image lie from where they belong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features, points
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import Better, ratio_band, ratio_score
from fhpt_bench.types import OCCLUDED, VISIBLE, Batch, Context, Curve, Need, Rows, Score

Floats = NDArray[np.float64]
Evaluated = Literal["visible", "inside"]

MISSING = -1.0
"""In rows, for the error of a point that belongs in the image and was not found. NaN: nothing to compare with."""
HANDS = 2
"""Hands are read over this many times the error range of body and face, as the FHPT paper does."""
ANCHORS = 41
"""Points of a stored curve: every half pixel at the default reach, every pixel for hands."""
DRAWN = ("body", "face", "right_hand", "left_hand")
RULES = ("all", "detected")


@dataclass(frozen=True)
class KEC:
    """Area under the keypoint error curve, 0..1, for body, face, each hand and both; 1: every point where it belongs.

    The FHPT paper's curve is P(a), the share of detected points whose distance to the truth is smaller than a; it
    comes without code, range or area. Here ``kec[detected]`` is the paper's, and in ``kec[all]`` a point that was not
    found is wrong at every a. The area is that under P over 0..reach, divided by reach: the mean over points of
    max(0, 1 - error / reach), exactly. A ratio over all points of all pairs; the interval is over people.
    ``points-found``: share of the points that the detector found; kec[all] = kec[detected] x points-found.

    Three comparisons. Against the truth, on points it marks as seen (``points``). ``[.., detector]``: against the same
    detector on the true image, on points it found there, which is all the paper had. ``[.., floor]``: the detector on
    the true image against the truth, the same for every model: errors below it are the detector's, not the model's.

    Fooled by: a part found in easy images only raises kec[detected], so read kec[all] and points-found beside it; a
    detector that guesses hidden points from the body raises points-found, and finds a blurred hand by its arm; both
    detections may err alike, which kec[all,detector] cannot see; a copied source scores by how alike two poses are.

    Rows: errors of 90 points (``points.PARTS``) for each comparison; NaN: not compared; ``MISSING``: not found.
    """

    name: str
    """``kec`` or ``kec[setting]``; score names put rule and comparison behind the setting."""
    detector: str = "mediapipe"
    """Setting of the feature ``pose[...]``."""
    reach: float = 20.0
    """Where the curve ends, in ``unit``. 20 px of 256 is about half a Catwalk head from neck to brow (43 px), what
    PCKh forgives; a face (23 px wide) or hand that far off lies beside its place altogether. Fixed, so that a model
    added later moves no row."""
    unit: Literal["px", "height"] = "px"
    """Errors in pixels, or as a share of the image's height (20 px of 256 is 0.078)."""
    against: Sequence[str] = ("truth", "detector")
    points: Evaluated = "visible"
    """Which of the truth's points count: those that show, or all inside the frame."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"kec(\[[^\[\]]+\])?", self.name):
            raise BenchError(f"a KEC called {self.name!r}", fix="name it kec, or kec[setting]")
        if self.unit not in ("px", "height"):
            raise BenchError(f"{self.name}: unit = {self.unit!r}", fix="px or height")
        if not 0 < self.reach <= (math.inf if self.unit == "px" else 1) or math.isinf(self.reach):
            raise BenchError(f"{self.name}: reach = {self.reach!r}", fix="pixels above 0, or a share of the height")
        check_points(self.name, self.points)
        against = (self.against,) if isinstance(self.against, str) else tuple(self.against)
        if not against or set(against) - {"truth", "detector"} or len(set(against)) < len(against):
            raise BenchError(f"{self.name}: against = {self.against!r}", fix="truth, detector, or a list of both")
        object.__setattr__(self, "against", against)

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(features.feature_name("pose", self.detector)),)

    @property
    def comparisons(self) -> tuple[str, ...]:
        """What the rows hold, 90 columns each."""
        floor = ("floor",) if "truth" in self.against else ()
        return (*(c for c in ("truth", "detector") if c in self.against), *floor)

    @property
    def columns(self) -> int:
        return points.POINTS * len(self.comparisons)

    def measure(self, batch: Batch) -> Rows:
        """N x (90 per comparison) float32, errors in ``unit``."""
        feature = self.needs[0].feature
        generated, target = (points.unpack(batch.features[feature, role])[0] for role in ("generated", "target"))
        exact = true_points(batch, self.points)
        found = {"truth": (generated, exact), "detector": (generated, target), "floor": (target, exact)}
        scale = 1 if self.unit == "px" else batch.target.shape[1]
        rows: Rows = np.concatenate([errors(*found[c], scale) for c in self.comparisons], axis=1).astype(np.float32)
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """For each comparison ``kec[all]/part``, ``kec[detected]/part`` and ``points-found/part`` of all parts."""
        scores: list[Score] = []
        for comparison, label, compared in self._compared(rows):
            better: Better = "neither" if comparison == "floor" else "higher"
            for rule in (*RULES, "found"):
                name = with_settings(*(self._found, *label) if rule == "found" else (self.name, rule, *label))
                for part, where in points.PARTS.items():
                    error = compared[:, where]
                    known, seen = ~np.isnan(error), error >= 0
                    credit = seen if rule == "found" else np.where(seen, 1 - error / self._reach(part), 0).clip(0)
                    counted = seen if rule == "detected" else known
                    above, below = (np.asarray(each, np.float64).sum(axis=1) for each in (credit, counted))
                    why = self._why(part, comparison, bool(known.any()))
                    scores.append(ratio_score(f"{name}/{part}", above, below, context, better, why=why))
        return scores

    def curves(self, rows: Rows, context: Context) -> list[Curve]:
        """P(a) at ``ANCHORS`` even steps for body, face and each hand, by both rules: ``kec[all]/body``, ...

        Against the truth with its floor, or against the detector where that is all there is. A part without points has
        no curve.
        """
        drawn = []
        for comparison, label, compared in self._compared(rows):
            if comparison == "detector" and "truth" in self.comparisons:
                continue
            for rule in RULES:
                for part in DRAWN:
                    error = compared[:, points.PARTS[part]]
                    counted = (error >= 0 if rule == "detected" else ~np.isnan(error)).sum(axis=1).astype(np.float64)
                    if counted.any():
                        name = f"{with_settings(self.name, rule, *label)}/{part}"
                        drawn.append(self._curve(name, error, counted, self._reach(part), context))
        return drawn

    def _curve(self, name: str, error: Floats, counted: Floats, reach: float, context: Context) -> Curve:
        x = np.linspace(0, reach, ANCHORS)
        within = ((error[..., None] >= 0) & (error[..., None] < x)).sum(axis=1).astype(np.float64)
        y, low, high = ([_short(v) for v in line] for line in ratio_band(within, counted, context))
        return Curve(
            name=name,
            x_label="error, px" if self.unit == "px" else "error, share of the image's height",
            y_label="points nearer than that",
            x=tuple(round(a, 6) for a in x.tolist()),
            y=tuple(y),
            low=tuple(low),
            high=tuple(high),
            weight=int(counted.sum()),
        )

    def _compared(self, rows: Rows) -> Iterator[tuple[str, tuple[str, ...], Floats]]:
        """Each comparison, what names it in a score, and its N x 90 errors."""
        for place, comparison in enumerate(self.comparisons):
            columns = slice(place * points.POINTS, (place + 1) * points.POINTS)
            label = () if comparison == "truth" else (comparison,)
            yield comparison, label, np.asarray(rows[:, columns], np.float64)

    @property
    def _found(self) -> str:
        return "points-found" + self.name.removeprefix("kec")

    def _reach(self, part: str) -> float:
        return self.reach * (HANDS if "hand" in part else 1)

    def _why(self, part: str, comparison: str, known: bool) -> str:
        what = part.replace("_", " ")
        if known:
            return f"{self.detector} finds no point of the {what} where there is one to find"
        if comparison == "detector":
            return f"{self.detector} finds no point of the {what} in any true image"
        return f"the data set gives no {self.points} point of the {what}"


def errors(found: Rows, true: Rows, scale: float = 1) -> Floats:
    """Distances of points: N x P x 2 twice (NaN: not found) -> N x P float64, in units of ``scale`` pixels.

    NaN where ``true`` has no point, ``MISSING`` where only ``found`` has none.
    """
    apart = np.subtract(found, true, dtype=np.float64)
    distance = np.hypot(apart[..., 0], apart[..., 1]) / scale
    missing: Floats = np.where(np.isnan(found).any(axis=-1), MISSING, distance)
    result: Floats = np.where(np.isnan(true).any(axis=-1), np.nan, missing)
    return result


def true_points(batch: Batch, which: Evaluated) -> Rows:
    """The data set's own points of each target, N x 90 x 2; NaN for those that do not count."""
    found: Rows = np.full((len(batch.pairs), points.POINTS, 2), np.nan, np.float32)
    for row, pair in zip(found, batch.pairs, strict=True):
        xy, visible = points.truth(pair.target.pose)
        counts = visible >= (VISIBLE if which == "visible" else OCCLUDED)
        row[counts] = xy[counts]
    return found


def check_points(name: str, which: str) -> None:
    """BenchError for an unknown choice of points."""
    if which not in ("visible", "inside"):
        raise BenchError(f"{name}: points = {which!r}", fix="visible or inside")


def with_settings(name: str, *more: str) -> str:
    """``kec[mmpose]`` and ``all`` -> ``kec[mmpose,all]``."""
    head, _, inside = name.removesuffix("]").partition("[")
    settings = ",".join((*filter(None, [inside]), *more))
    return f"{head}[{settings}]" if settings else head


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
