"""Scores over groups of pairs (skin tone, pattern of the top, face in the source): a small table each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhpt_bench.leaderboard.names import BREAKDOWNS
from fhpt_bench.leaderboard.plots import Span, shared_strips
from fhpt_bench.leaderboard.view import Board, Column


@dataclass(frozen=True)
class Line:
    """One group: its cells are the column ``place`` of the board's rows."""

    group: str
    whole: bool
    """Over all pairs."""
    place: int
    strips: tuple[Span | None, ...]
    """low, value, high of each row of the board, 0..1 on the axis that the whole table shares."""


@dataclass(frozen=True)
class Split:
    """One score, over all pairs and over each group."""

    column: Column
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Breakdown:
    """All scores of a family that are broken down in the same way."""

    key: str
    title: str
    about: str
    splits: tuple[Split, ...]
    reasons: dict[str, int]
    """Why a cell is empty -> number of its footnote."""


def breakdowns(board: Board, places: Sequence[int]) -> tuple[Breakdown, ...]:
    """The breakdowns among the columns ``places``, and the scores of each that have a value, in the records' order.

    A group that no row has a value for keeps its line, and says why.
    """
    found: dict[str, dict[str, list[int]]] = {}
    told_in = {name: at for at, name in enumerate(score.name for row in board.rows for score in row.record.scores)}
    for place in sorted(places, key=lambda place: told_in[board.columns[place].name]):
        if key := board.columns[place].parts.key:
            found.setdefault(key, {}).setdefault(board.columns[place].whole, []).append(place)
    told = {
        key: {whole: members for whole, members in wholes.items() if any(map(board.measured, members))}
        for key, wholes in found.items()
    }
    return tuple(_breakdown(board, key, wholes) for key, wholes in told.items() if wholes)


def _breakdown(board: Board, key: str, wholes: dict[str, list[int]]) -> Breakdown:
    title, about = BREAKDOWNS.get(key, (key.replace("_", " "), ""))
    names = {column.name: place for place, column in enumerate(board.columns)}
    splits = []
    why: dict[str, None] = {}
    for whole, members in wholes.items():
        all_pairs = [names[whole]] if whole in names else []
        drawn = shared_strips(board, [*all_pairs, *members])
        lines = [
            Line(board.columns[place].parts.value, place in all_pairs, place, tuple(drawn[place])) for place in drawn
        ]
        splits.append(Split(board.columns[members[0]], tuple(lines)))
        why |= dict.fromkeys(row.cells[place].why for row in board.rows for place in drawn if row.cells[place].why)
    return Breakdown(key, title, about, tuple(splits), {reason: number for number, reason in enumerate(why, 1)})
