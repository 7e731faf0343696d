"""What every written form of the table shows: columns with their names and decimals, rows in order, cells as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fhpt_bench.leaderboard.families import Family, family, family_of, order
from fhpt_bench.leaderboard.glossary import GLOSSARY, REGIONS
from fhpt_bench.leaderboard.names import ASIDES, BREAKDOWNS, PARTS, SETTINGS, Name, parse
from fhpt_bench.leaderboard.table import Standing, groups, ranked, score_names, standings
from fhpt_bench.record import Record
from fhpt_bench.types import Score

MINUS = "\u2212"


@dataclass(frozen=True)
class Column:
    """One score. ``name`` is its name in the records; the rest is how it is printed."""

    name: str
    parts: Name
    label: str
    """``SSIM``, ``Recall@5``."""
    about: str
    family: str
    better: Literal["higher", "lower", "neither"]
    headline: bool
    decimals: int

    @property
    def arrow(self) -> str:
        return {"higher": "\u2191", "lower": "\u2193", "neither": ""}[self.better]

    @property
    def setting(self) -> str:
        """``vgg, other-views``, or empty."""
        return ", ".join(self.parts.setting.split(","))

    @property
    def region(self) -> str:
        """``foreground``, ``left hand``, ``skin tone 3``; empty for a score over everything."""
        return self.parts.words

    @property
    def short(self) -> str:
        """Label and region: ``SSIM face``."""
        return f"{self.label} {self.region}".rstrip()

    @property
    def whole(self) -> str:
        """The name of the same score over everything."""
        return self.parts.whole if self.parts.group else self.name


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
    rank: int | None
    """By the column that the board is in order of."""
    cells: tuple[Cell, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """What a reader must know before comparing: reference, oracle, limited, incomplete, published, undertrained."""
        found: list[str] = [] if self.record.model.kind == "model" else [self.record.model.kind]
        if self.record.data.limit is not None:
            found.append(f"first {self.record.data.limit}")
        if self.record.data.missing:
            found.append(f"{self.record.data.missing} missing")
        if not self.record.people:
            found.append("published")
        if self.record.model.undertrained:
            found.append("undertrained")
        return tuple(found)


@dataclass(frozen=True)
class Board:
    """Rows that may stand together, in one order for all families; rows without a value to go by last."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    lead: int
    """Place of the column that the rows are in order of: the first of the headline that has a value."""

    @property
    def record(self) -> Record:
        """Any of its records: protocol and data are the same in all."""
        return self.rows[0].record

    @property
    def headline(self) -> tuple[int, ...]:
        """Places of the columns that lead."""
        return tuple(i for i, column in enumerate(self.columns) if column.headline)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families that have a column, in the protocol's order."""
        present = {column.family for column in self.columns}
        return tuple(family(key) for key in order(self.record.protocol.headline) if key in present)

    def of(self, key: str) -> tuple[int, ...]:
        """Places of a family's columns, its headline first."""
        return tuple(i for i, column in enumerate(self.columns) if column.family == key)

    @property
    def undertrained(self) -> dict[str, str]:
        """Name of a row whose training was cut short -> how much of it the model saw."""
        return {row.name: count for row in self.rows if (count := row.record.model.undertrained)}

    def measured(self, place: int) -> bool:
        """Whether any row has a value in the column ``place``."""
        return any(row.cells[place].text for row in self.rows)


def boards(records: Sequence[Record]) -> list[Board]:
    """The records as boards, in the order of ``table.groups``."""
    return [_board(records, members) for members in groups(records)]


def absences(board: Board, places: Iterable[int]) -> dict[str, list[int]]:
    """Reason -> columns of ``places`` that no row has a value in; several reasons of one column are joined."""
    found: dict[str, list[int]] = {}
    for place in places:
        if not board.measured(place):
            why = "; ".join(dict.fromkeys(row.cells[place].why for row in board.rows))
            found.setdefault(why, []).append(place)
    return found


def _board(records: Sequence[Record], members: Sequence[int]) -> Board:
    group = [records[index] for index in members]
    names = score_names(group)
    leading = {name for each in group[0].protocol.headline.values() for name in each} & set(names)
    leading = leading or {name for name in names if not parse(name).group}
    columns = tuple(_column(name, group, name in leading) for name in names)
    stands = [standings(group, name) for name in names]
    lead = next((i for i, name in enumerate(names) if any(_value(record, name) is not None for record in group)), 0)
    rows = []
    for place, (index, record) in enumerate(zip(members, group, strict=True)):
        cells = tuple(_cell(record, column, stand[place]) for column, stand in zip(columns, stands, strict=True))
        twin = sum(other.model.name == record.model.name for other in group) > 1
        name = f"{record.model.name} #{index + 1}" if twin else record.model.name
        rank = stands[lead][place].rank if columns else None
        rows.append(Row(index, record, name, ranked(record), rank, cells))
    rows.sort(key=lambda row: _order(row, columns, lead))
    first = group[0]
    limit = "" if first.data.limit is None else f", first {first.data.limit} pairs"
    title = f"{first.protocol.name} on {first.data.name}/{first.data.split}{limit}"
    return Board(title, columns, tuple(rows), lead)


def _value(record: Record, name: str) -> float | None:
    return next((score.value for score in record.scores if score.name == name), None)


def _order(row: Row, columns: tuple[Column, ...], lead: int) -> tuple[bool, float, int]:
    score = row.cells[lead].score if columns else None
    if score is None or score.value is None:
        return True, 0.0, row.index
    return False, -score.value if columns[lead].better == "higher" else score.value, row.index


def _column(name: str, group: Sequence[Record], headline: bool) -> Column:
    scores = [score for record in group for score in record.scores if score.name == name]
    telling = [score for record in group if ranked(record) for score in record.scores if score.name == name]
    parts, key = parse(name), family_of(name, group[0].protocol.headline)
    label, about = meaning(parts.metric)
    about = " ".join(filter(None, (about, *_settings(parts), _over(parts, key))))
    # A ranked row that nobody's face survives has no width to go by; then the references' intervals decide.
    places = decimals(telling if any(s.low != s.high for s in telling) else scores)
    return Column(name, parts, label + parts.at, about, key, scores[0].better, headline, places)


def meaning(metric: str) -> tuple[str, str]:
    """Label and sentence of a metric; ``attrrec-5`` is looked up as ``attrrec`` too."""
    word, dash, count = metric.rpartition("-")
    if metric not in GLOSSARY and dash and re.fullmatch(r"\d+", count) and word in GLOSSARY:
        label, about = GLOSSARY[word]
        return f"{label}-{count}", about
    return GLOSSARY.get(metric, (metric, ""))


def _settings(parts: Name) -> list[str]:
    known = [SETTINGS[word] for word in parts.setting.split(",") if word in SETTINGS]
    return [f"{'; '.join(known)[0].upper()}{'; '.join(known)[1:]}."] if known else []


def _over(parts: Name, key: str) -> str:
    """Over what a score is taken, as a sentence."""
    if not parts.group:
        return ""
    if parts.key:
        return f"Over pairs of one group, {BREAKDOWNS.get(parts.key, (parts.key,))[0]}: {parts.value}."
    if parts.group in ASIDES:
        return ASIDES[parts.group]
    known = PARTS if key == "structural" else REGIONS
    return f"Over {known.get(parts.group, parts.group)}."


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
