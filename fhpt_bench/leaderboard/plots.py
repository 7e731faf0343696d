"""Numbers behind the drawings: an interval plot of one column, and the strip inside one cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fhpt_bench.leaderboard.view import MINUS, Board, Column, Row


@dataclass(frozen=True)
class Mark:
    """One row of an interval plot; places as a share of the axis, 0..1."""

    row: Row
    text: str
    at: float
    low: float
    high: float
    off: str
    """"left" / "right" where the value lies beyond the axis, which then is too short to be fair to it; else empty."""
    best: bool
    tied: bool


@dataclass(frozen=True)
class Plot:
    column: Column
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    """Place 0..1, text."""
    band: tuple[float, float] | None
    """The best row's interval, 0..1."""


Span = tuple[float, float, float]
"""low, value, high."""


def strips(board: Board) -> list[list[Span | None]]:
    """For each row and column: low, value, high as a share of the column's axis, 0..1; None where there is no value."""
    axes = [axis(board, i) for i in range(len(board.columns))]
    result = []
    for row in board.rows:
        line: list[Span | None] = []
        for i, cell in enumerate(row.cells):
            span = _span(row, i)
            line.append(None if span is None or not cell.text else _scaled(span, axes[i]))
        result.append(line)
    return result


def plot(board: Board, place: int) -> Plot | None:
    """The interval plot of column ``place``; None where fewer than two rows have a value. Rows: best first."""
    column, spans = board.columns[place], [(row, _span(row, place)) for row in board.rows]
    shown = [(row, span) for row, span in spans if span is not None]
    if len(shown) < 2:
        return None
    sign = -1.0 if column.better == "higher" else 1.0
    shown.sort(key=lambda item: (sign * item[1][1], item[0].index))
    limits = axis(board, place)
    marks, band = [], None
    for row, span in shown:
        low, at, high = _scaled(span, limits)
        cell = row.cells[place]
        off = "left" if span[1] < limits[0] else "right" if span[1] > limits[1] else ""
        marks.append(Mark(row, cell.text, at, low, high, off, cell.stand.best, bool(cell.stand.tied)))
        if cell.stand.best and high > low:
            band = (low, high)
    return Plot(column, tuple(marks), ticks(*limits), band)


def axis(board: Board, place: int) -> tuple[float, float]:
    """The axis of one column: all intervals, unless one unranked row alone would squeeze the others into two fifths.

    Such a row (a blank image's FID) is left beyond the end, at most one at each end, and the plot says so.
    """
    spans = [(row.ranked, span) for row in board.rows if (span := _span(row, place)) is not None]
    for end in (0, 2):
        lows, highs = [s[0] for _, s in spans], [s[2] for _, s in spans]
        if len(spans) < 3:
            break
        extreme = (min if end == 0 else max)(spans, key=lambda item: item[1][end])
        rest = [span for _, span in spans if span is not extreme[1]]
        width = max(s[2] for s in rest) - min(s[0] for s in rest)
        if not extreme[0] and 0 < width < 0.4 * (max(highs) - min(lows)):
            spans.remove(extreme)
    return _around([span for _, span in spans])


def _around(spans: Sequence[Span]) -> tuple[float, float]:
    low = min((s[0] for s in spans), default=0.0)
    high = max((s[2] for s in spans), default=1.0)
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def shared_strips(board: Board, places: Sequence[int]) -> dict[int, list[Span | None]]:
    """Column -> low, value, high of each row, as ``strips``; but all on one axis, which holds them all."""
    found = {place: [_span(row, place) for row in board.rows] for place in places}
    limits = _around([span for spans in found.values() for span in spans if span is not None])
    return {
        place: [None if span is None else _scaled(span, limits) for span in spans] for place, spans in found.items()
    }


def ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Two to five round numbers in low..high, as place 0..1 and text."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough)
    digits = max(0, 1 - math.floor(math.log10(step)))
    found = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return tuple(((v - low) / (high - low), _short(v, digits)) for v in found)


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text.replace("-", MINUS)


def _span(row: Row, place: int) -> Span | None:
    score = row.cells[place].score
    if score is None or score.value is None:
        return None
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    return low, score.value, high


def _scaled(span: Span, limits: tuple[float, float]) -> Span:
    low, at, high = (min(max((v - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0) for v in span)
    return low, at, high
