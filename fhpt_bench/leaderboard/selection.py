"""Which tables a written form shows: one a family, with the columns that hold a value, and why the others do not."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from fhpt_bench.errors import BenchError
from fhpt_bench.leaderboard.families import Family
from fhpt_bench.leaderboard.view import Board, absences, boards
from fhpt_bench.record import Record

FEW = 6
"""A note names this many columns, then says how many more: the CSV has them all."""


@dataclass(frozen=True)
class Part:
    """One family of a board."""

    board: Board
    family: Family
    columns: tuple[int, ...]
    """Columns that some row has a value in."""
    notes: tuple[str, ...]
    """One line for each reason that leaves a cell, or a whole column, without a value; on the board's first part, one
    line on the rows whose training was cut short."""
    first: bool
    """The first of its board."""

    @property
    def heading(self) -> str:
        """``Semantic: is it still the same person?``; empty for the one family of a protocol that names none."""
        return f"{self.family.title}: {self.family.about}".rstrip(": ") if self.family.key or not self.first else ""


def parts(records: Sequence[Record], *, everything: bool, families: Collection[str] = ()) -> list[Part]:
    """Every table to show: of each board the families (those of ``families``, or all), headline columns or every one.

    Raises BenchError where ``families`` names one that no record has.
    """
    all_boards = boards(records)
    known = {family.key for board in all_boards for family in board.families}
    for key in families:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            names = ", ".join(sorted(filter(None, known))) or "none: the protocol's headline is a plain list"
            fix = f"did you mean {near[0]}?" if near else f"these records have: {names}"
            raise BenchError(f"no family of scores is called {key!r}", fix=fix)
    found: list[Part] = []
    for board in all_boards:
        count = len(found)
        for family in board.families:
            if families and family.key not in families:
                continue
            every = board.of(family.key)
            chosen = [i for i in every if everything or board.columns[i].headline] or (every if families else [])
            if chosen:
                columns = tuple(i for i in chosen if board.measured(i))
                first = len(found) == count
                notes = (*_undertrained(board)[: int(first)], *_absent(board, chosen), *reasons(board, columns))
                found.append(Part(board, family, columns, notes, first))
    return found


def legend(found: Sequence[Part]) -> str:
    """What bold, ties and the order of the rows mean."""
    leads = dict.fromkeys(part.board.columns[part.board.lead].name for part in found)
    return (
        "Bold: best of the ranked rows. \u2248: tied with the best (the 95 % interval of the paired difference over "
        "people holds 0). Rows marked reference, oracle, first N or N missing are never ranked. "
        f"Rows stand in one order in all tables, and are numbered, by {' or '.join(leads)}."
    )


def reasons(board: Board, chosen: Iterable[int]) -> list[str]:
    """One line for each reason that leaves cells of these columns empty: ``reason: model (columns), ...``."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in board.rows:
        for i in chosen:
            if why := row.cells[i].why:
                found.setdefault(why, {}).setdefault(row.name, []).append(board.columns[i].name)
    return [
        f"{why}: " + "; ".join(f"{name} ({some(columns)})" for name, columns in rows.items())
        for why, rows in found.items()
    ]


def _undertrained(board: Board) -> list[str]:
    cut_short = "; ".join(f"{name} ({count})" for name, count in board.undertrained.items())
    return [f"undertrained, so what it scores is no limit of the method: {cut_short}"] if cut_short else []


def _absent(board: Board, chosen: Iterable[int]) -> list[str]:
    return [
        f"{why}: no row has {some([board.columns[i].name for i in places])}"
        for why, places in absences(board, chosen).items()
    ]


def some(names: Sequence[str]) -> str:
    """The first ``FEW`` names, and how many more there are."""
    more = len(names) - FEW
    return ", ".join(names[:FEW]) + (f" and {more} more" if more > 0 else "")
