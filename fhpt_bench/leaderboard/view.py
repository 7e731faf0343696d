"""What every written form of the table shows: columns with their names and decimals, rows in order, cells as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fhpt_bench.leaderboard.glossary import GLOSSARY, REGIONS
from fhpt_bench.leaderboard.table import Standing, groups, ranked, score_names, standings
from fhpt_bench.record import Record
from fhpt_bench.types import Score

MINUS = "\u2212"
_NAME = re.compile(r"(?P<metric>[^\[\]/@]+)(?P<at>@[^\[\]/]+)?(?:\[(?P<setting>[^\]]*)\])?(?:/(?P<region>.+))?")


@dataclass(frozen=True)
class Column:
    """One score. ``name`` is its name in the records; the rest is how it is printed."""

    name: str
    label: str
    """``SSIM``, ``Recall@5``."""
    setting: str
    """``gauss1.5``, or empty."""
    region: str
    """``foreground``, or empty for the whole image."""
    about: str
    better: Literal["higher", "lower", "neither"]
    headline: bool
    decimals: int

    @property
    def arrow(self) -> str:
        return {"higher": "\u2191", "lower": "\u2193", "neither": ""}[self.better]

    @property
    def short(self) -> str:
        """Label and region: ``SSIM face``."""
        return f"{self.label} {self.region}".rstrip()

    @property
    def whole(self) -> str:
        """The name without its region: what columns are folded by."""
        return self.name.partition("/")[0] if self.region else self.name


@dataclass(frozen=True)
class Cell:
    """One score of one row, as text; ``text`` is empty where there is no value and ``why`` then says why."""

    score: Score | None
    stand: Standing
    text: str = ""
    interval: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row:
    index: int
    """Place of the record in the list that was given."""
    record: Record
    name: str
    """The model's name; with its place in the list where two rows of a board share it."""
    ranked: bool
    cells: tuple[Cell, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """What a reader must know before comparing: reference, oracle, limited, published."""
        found: list[str] = [] if self.record.model.kind == "model" else [self.record.model.kind]
        if self.record.data.limit is not None:
            found.append(f"first {self.record.data.limit}")
        if not self.record.people:
            found.append("published")
        return tuple(found)


@dataclass(frozen=True)
class Board:
    """One table: rows that may stand together, best first by the first column; rows without that value last."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def record(self) -> Record:
        """Any of its records: protocol and data are the same in all."""
        return self.rows[0].record

    @property
    def headline(self) -> tuple[int, ...]:
        """Places of the columns that lead."""
        return tuple(i for i, column in enumerate(self.columns) if column.headline)


def boards(records: Sequence[Record]) -> list[Board]:
    """The records as boards, in the order of ``table.groups``."""
    return [_board(records, members) for members in groups(records)]


def _board(records: Sequence[Record], members: Sequence[int]) -> Board:
    group = [records[index] for index in members]
    names = score_names(group)
    lead = {name for record in group for name in record.protocol.headline} & set(names)
    lead = lead or {name for name in names if "/" not in name}
    columns = tuple(_column(name, group, name in lead) for name in names)
    stands = [standings(group, name) for name in names]
    rows = []
    for place, (index, record) in enumerate(zip(members, group, strict=True)):
        cells = tuple(_cell(record, column, stand[place]) for column, stand in zip(columns, stands, strict=True))
        twin = sum(other.model.name == record.model.name for other in group) > 1
        name = f"{record.model.name} #{index + 1}" if twin else record.model.name
        rows.append(Row(index, record, name, ranked(record), cells))
    rows.sort(key=lambda row: _order(row, columns))
    first = group[0]
    limit = "" if first.data.limit is None else f", first {first.data.limit} pairs"
    return Board(f"{first.protocol.name} on {first.data.name}/{first.data.split}{limit}", columns, tuple(rows))


def _order(row: Row, columns: tuple[Column, ...]) -> tuple[bool, float, int]:
    score = row.cells[0].score if columns else None
    if score is None or score.value is None:
        return True, 0.0, row.index
    return False, -score.value if columns[0].better == "higher" else score.value, row.index


def _column(name: str, group: Sequence[Record], headline: bool) -> Column:
    scores = [score for record in group for score in record.scores if score.name == name]
    telling = [score for record in group if ranked(record) for score in record.scores if score.name == name]
    parts = _NAME.fullmatch(name)
    metric, at, setting, region = parts.group("metric", "at", "setting", "region") if parts else (name, "", "", "")
    label, about = GLOSSARY.get(metric, (metric, ""))
    if region:
        about = f"{about} Over {REGIONS.get(region, region)}.".strip()
    places = decimals(telling or scores)
    return Column(name, label + (at or ""), setting or "", region or "", about, scores[0].better, headline, places)


def decimals(scores: Sequence[Score]) -> int:
    """How many decimals a column needs: the narrowest interval's half width keeps about two digits.

    Without intervals (published rows), as many as the values were given with. Between 0 and 5.
    """
    halves = [(s.high - s.low) / 2 for s in scores if s.low is not None and s.high is not None and s.high > s.low]
    if halves:
        return min(max(math.ceil(0.5 - math.log10(min(halves))), 0), 5)
    written = [f"{s.value:.5f}".rstrip("0").partition(".")[2] for s in scores if s.value is not None]
    return max((len(digits) for digits in written), default=0)


def number(value: float, places: int) -> str:
    """``value`` with ``places`` decimals, a true minus sign, and no negative zero."""
    text = f"{value:.{places}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def _cell(record: Record, column: Column, stand: Standing) -> Cell:
    score = next((score for score in record.scores if score.name == column.name), None)
    if score is None:
        return Cell(None, stand, why="not measured")
    if score.value is None:
        return Cell(score, stand, why=score.unavailable or "no reason given")
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f"[{number(score.low, column.decimals)}, {number(score.high, column.decimals)}]"
    return Cell(score, stand, number(score.value, column.decimals), interval)
