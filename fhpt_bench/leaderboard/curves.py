"""Numbers behind the keypoint error curves: every row of a board on one axis, the detector's own error beneath.

The horizontal axis is stretched, for the picture only: its anchors stand at equal steps and lie, in pixels, where the
pooled errors of the rows drawn fall into equal shares, as the FHPT paper chooses them. Where most errors are there is
most room, and the mean of all rows is a straight line. Scores do not depend on it: their area is over pixels, on the
protocol's own range.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.leaderboard.view import Board, Row
from fhpt_bench.types import Curve

STEPS = 12
"""Steps between the first and the last anchor."""
FINER = 4
"""Points of a line for each step, so that a row whose errors lie elsewhere than most is not cut short."""
FLOOR = ",floor]"
"""Ends the setting of the curve of a detector on the true images: ``kec[all,floor]/body``."""
NEAREST_TICKS = 0.09

RULES = {
    "all": "all points: one that is not found is wrong",
    "detected": "only points that were found, as in the paper",
}

Floats = NDArray[np.float64]
Kind = Literal["model", "reference", "floor"]
KINDS = ("model", "reference", "floor")
"""reference: oracles too. A model measured on fewer pairs is not ranked, and is a model nevertheless."""


@dataclass(frozen=True)
class Line:
    """One row, or the floor; places as shares of the drawing, 0..1, x to the right and y upwards."""

    name: str
    kind: Kind
    style: int
    """Colour, marker or dashes: the same for a row in all figures of a board; counted within its kind."""
    places: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float], ...]
    """Outline of the 95 % interval; empty where there is none."""
    middle: str
    """The value in the middle of the range of errors, with its interval: ``81 % [78, 84]``."""

    @property
    def anchors(self) -> tuple[tuple[float, float], ...]:
        """Those of ``places`` that are marked."""
        return self.places[::FINER]


@dataclass(frozen=True)
class Figure:
    """One part of the body."""

    name: str
    title: str
    lines: tuple[Line, ...]
    middle: str
    """What ``Line.middle`` is about: ``nearer than 10 px``."""
    x_label: str
    x_ticks: tuple[tuple[float, str], ...]
    y_label: str
    y_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Sheet:
    """The figures of one score, ``kec[all]``, and every line that occurs in them."""

    name: str
    about: str
    figures: tuple[Figure, ...]

    @property
    def legend(self) -> tuple[Line, ...]:
        lines = {(line.kind, line.style): line for figure in self.figures for line in figure.lines}
        return tuple(lines[key] for key in sorted(lines, key=lambda k: (KINDS.index(k[0]), k[1])))


def sheets(board: Board, scores: Collection[str]) -> tuple[Sheet, ...]:
    """The curves that the rows of ``board`` hold of those scores (names as in the records), one sheet a score."""
    metrics = {_metric(name) for name in scores}
    found: dict[str, dict[str, list[tuple[Row, Curve]]]] = {}
    floors: dict[str, Curve] = {}
    for row in board.rows:
        for curve in row.record.curves:
            if _metric(curve.name) in metrics and None not in curve.y:
                if FLOOR in curve.name:
                    floors.setdefault(curve.name.replace(FLOOR, "]"), curve)
                else:
                    found.setdefault(curve.name.partition("/")[0], {}).setdefault(curve.name, []).append((row, curve))
    styles = _styles(board)
    return tuple(
        Sheet(
            name, _about(name), tuple(_figure(each, drawn, floors.get(each), styles) for each, drawn in figures.items())
        )
        for name, figures in found.items()
    )


def anchors(curves: Sequence[Curve], steps: int = STEPS) -> Floats:
    """``steps`` + 1 ascending errors, from 0 to the end of the curves, with an equal share of all errors between each.

    The errors are those of all curves, each as many as its ``weight``, as far as they lie in the range; they are read
    from the curves, between whose points they are taken as even. Even steps where no curve has an error in the range.
    """
    x, pooled = _pooled(curves)
    found: Floats = np.interp(np.linspace(0, 1, steps + 1), pooled, x)
    return found


def _pooled(curves: Sequence[Curve]) -> tuple[Floats, Floats]:
    """Errors, and the share 0..1 of all errors in the range that are smaller: where they stand on the axis."""
    x = np.unique(np.concatenate([curve.x for curve in curves]))
    total = sum(curve.weight * np.interp(x, curve.x, _values(curve.y)) for curve in curves)
    total = total + 1e-6 * max(total[-1], 1) * x / x[-1]  # rises everywhere, so that each error has one place
    return x, (total - total[0]) / (total[-1] - total[0])


def _figure(name: str, drawn: Sequence[tuple[Row, Curve]], floor: Curve | None, styles: dict[int, int]) -> Figure:
    # The truth's own row is the floor: one line, not two.
    rows = [(row, curve) for row, curve in drawn if floor is None or curve.y != floor.y] or list(drawn)
    curves = [curve for _, curve in rows]
    x, pooled = _pooled(curves)
    at = anchors(curves, FINER * STEPS)
    most = max(
        max(_values(curve.high if None not in curve.high else curve.y)) for curve in (*curves, *filter(None, [floor]))
    )
    top = next((top for top in (0.1, 0.25, 0.5, 1.0) if top >= most), most)
    lines = [_line(row.name, _kind(row), styles[row.index], curve, at, top) for row, curve in rows]
    if floor is not None:
        lines.insert(0, _line("the detector on the true images", "floor", 0, floor, at, top))
    unit = curves[0].x_label.partition(", ")[2]
    return Figure(
        name,
        name.partition("/")[2].replace("_", " ") or name,
        tuple(lines),
        f"nearer than {x[-1] / 2:.3g} {unit}".rstrip(),
        curves[0].x_label,
        _ticks(x, pooled),
        curves[0].y_label,
        tuple((share, f"{100 * share * top:.3g}" + " %" * (share == 1)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)),
    )


def _line(name: str, kind: Kind, style: int, curve: Curve, at: Floats, top: float) -> Line:
    def places(values: Sequence[float | None]) -> list[tuple[float, float]]:
        heights = np.interp(at, curve.x, _values(values)) / top
        return [(k / (len(at) - 1), float(height)) for k, height in enumerate(heights)]

    middle = [float(np.interp(curve.x[-1] / 2, curve.x, _values(line))) for line in (curve.y, curve.low, curve.high)]
    banded = None not in curve.low and None not in curve.high
    return Line(
        name,
        kind,
        style,
        tuple(places(curve.y)),
        tuple(places(curve.high) + places(curve.low)[::-1]) if banded else (),
        f"{100 * middle[0]:.0f} %" + (f" [{100 * middle[1]:.0f}, {100 * middle[2]:.0f}]" if banded else ""),
    )


def _ticks(x: Floats, pooled: Floats) -> tuple[tuple[float, str], ...]:
    """Round errors, none too near another on the stretched axis; its two ends among them."""
    end = float(x[-1])
    chosen: dict[float, float] = {0.0: 0.0, end: 1.0}
    for parts in (2, 4, 10, 20):
        for k in range(1, parts):
            place = float(np.interp(k * end / parts, x, pooled))
            if all(abs(place - other) >= NEAREST_TICKS for other in chosen.values()):
                chosen[k * end / parts] = place
    return tuple((chosen[value], f"{value:.3g}") for value in sorted(chosen))


def _kind(row: Row) -> Kind:
    return "model" if row.record.model.kind == "model" else "reference"


def _styles(board: Board) -> dict[int, int]:
    """Row -> its number within its kind, by the order of the records: it stays when rows change places."""
    rows = sorted(board.rows, key=lambda row: row.index)
    return {row.index: sum(_kind(other) == _kind(row) for other in rows[:k]) for k, row in enumerate(rows)}


def _values(line: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in line], np.float64)


def _metric(name: str) -> str:
    return name.partition("/")[0].partition("[")[0]


def _about(name: str) -> str:
    words = name.partition("[")[2].removesuffix("]").split(",")
    return next((RULES[word] for word in words if word in RULES), "")
