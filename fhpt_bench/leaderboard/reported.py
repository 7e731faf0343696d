"""Numbers of papers as tables: one a table of a paper, measured rows of the same protocol and data below, no ranks.

What a paper prints has no interval and came from another script, so nothing here is best, tied or numbered. User
studies and ablations are tables of their own, and no measured row stands in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fhpt_bench.leaderboard.names import parse
from fhpt_bench.leaderboard.table import score_names
from fhpt_bench.leaderboard.view import decimals, meaning, number
from fhpt_bench.published import PAIRS, Published
from fhpt_bench.record import Record

PUBLISHED = "published"
MEASURED = "measured"
LEGEND = (
    "published: as the paper prints it, without an interval; nothing here is ranked, neither among papers nor against "
    "rows that were measured."
)

STUDIES = {
    "r2g": ("R2G", "Share of true images that people took for generated ones, after one second."),
    "g2r": ("G2R", "Share of generated images that people took for true ones, after one second."),
    "jab": ("Jab", "Share of sets of which people picked this method's image as the best."),
    "parsing-miou": ("mIoU", "Overlap of the predicted and the true parsing of the target, 20 classes."),
}
"""Scores that only papers have: label, one plain sentence."""


@dataclass(frozen=True)
class Head:
    """A column."""

    score: str
    label: str
    about: str
    better: str
    percent: bool

    @property
    def arrow(self) -> str:
        return "\u2191" if self.better == "higher" else "\u2193"

    @property
    def title(self) -> str:
        return f"{self.label}{' %' if self.percent else ''} {self.arrow}"


@dataclass(frozen=True)
class Line:
    """A row: cells as text, empty where there is no number."""

    name: str
    mark: str
    """``published``, or ``measured`` with what a reader must know of that row."""
    cells: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Reported:
    """One table of one paper."""

    title: str
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def reported(rows: Sequence[Published], records: Sequence[Record]) -> list[Reported]:
    """The tables of ``rows``, comparisons first; records of the same protocol, data and pairs below their comparison.

    A record stands beside only where it was measured on the whole test split of that data set. Of several scores of
    one metric the one that leads the protocol's headline is shown; its full name is in a note.
    """
    order = ("comparison", "ablation", "user study")
    keys = dict.fromkeys((row.part, row.protocol, row.data, row.paper, row.table) for row in rows)
    found = []
    for key in sorted(keys, key=lambda key: order.index(key[0])):
        mine = [row for row in rows if (row.part, row.protocol, row.data, row.paper, row.table) == key]
        found.append(_table(mine, records))
    return found


def _table(rows: Sequence[Published], records: Sequence[Record]) -> Reported:
    first = _typical(rows)
    heads = tuple(_head(row) for row in {row.score: row for row in rows}.values())
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        said = {row.score: row for row in rows if row.method == method}
        cells = tuple(said[head.score].text if head.score in said else "" for head in heads)
        lines.append(Line(method, PUBLISHED, cells, next(iter(said.values())).note))
    notes: list[str] = []
    if first.part == "comparison":
        beside, notes = _beside(rows, records, heads)
        lines += beside
    notes = [*(f"{line.name}: {line.note}" for line in lines if line.mark == PUBLISHED and line.note), *notes]
    part = "" if first.part in ("comparison", first.table.lower()) else f", {first.part}"
    title = f"{first.protocol}: reported by the {first.paper} paper, {first.table}{part} ({_data(first)})"
    return Reported(title, heads, tuple(lines), tuple(notes))


def _typical(rows: Sequence[Published]) -> Published:
    """Any row of a table but those that the paper quotes from another split."""
    return next((row for row in rows if row.pairs != "other"), rows[0])


def _data(row: Published) -> str:
    whose = {"patn": ", PATN's pairs", "dsc": ", DSC's pairs"}.get(row.pairs, "")
    return f"{row.data}{whose}"


def _head(row: Published) -> Head:
    label, about = STUDIES.get(row.score) or meaning(parse(row.score).metric)
    return Head(row.score, label, about, row.better, row.unit == "percent")


def _beside(
    rows: Sequence[Published], records: Sequence[Record], heads: Sequence[Head]
) -> tuple[list[Line], list[str]]:
    """Measured rows that may stand beside these, and notes: which score each column shows, who was left out and why."""
    same = [record for record in records if record.protocol.name == rows[0].protocol]
    why = {id(record): why_not(record, rows) for record in same}
    able = [record for record in same if not why[id(record)]]
    notes = [f"not beside them: {record.model.name}: {why[id(record)]}" for record in same if why[id(record)]]
    names = {head.score: measured_as(head.score, able) for head in heads} if able else {}
    shown = [f"{head.label} is {name}" for head in heads if (name := names.get(head.score))]
    if shown:
        notes.append(f"of measured rows, {', '.join(shown)}")
    if missing := [head.label for head in heads if able and not names[head.score]]:
        notes.append(f"not measured by this protocol here: {', '.join(missing)}")
    return [_measured(record, heads, names) for record in able], notes


def why_not(record: Record, rows: Sequence[Published]) -> str:
    """Why this record does not compare with these published rows; empty where it does."""
    first, data = _typical(rows), record.data
    if (data.name, data.split) != (first.data, "test"):
        return f"measured on {data.name}/{data.split}"
    if data.limit is not None:
        return f"measured on the first {data.limit} pairs only"
    if data.missing:
        return f"{data.missing} images are missing"
    count = PAIRS.get(first.pairs, data.pairs)
    return "" if data.pairs == count else f"measured on {data.pairs:,} pairs, not the paper's {count:,}"


def measured_as(score: str, records: Sequence[Record]) -> str:
    """Full name of the score that these records (of one protocol) have for a published ``score``; empty: none."""
    wanted = parse(score)
    for name in score_names(records):
        parts = parse(name)
        if (parts.metric, parts.at, parts.group) == (wanted.metric, wanted.at, ""):
            return name
    return ""


def _measured(record: Record, heads: Sequence[Head], names: dict[str, str]) -> Line:
    cells = []
    for head in heads:
        score = next((score for score in record.scores if score.name == names[head.score]), None)
        if score is None or score.value is None:
            cells.append("")
            continue
        scale = 100 if head.percent else 1
        bounds = {
            key: None if value is None else scale * value for key, value in (("low", score.low), ("high", score.high))
        }
        scaled = score.model_copy(update={"value": scale * score.value, **bounds})
        cells.append(number(scale * score.value, decimals([scaled])))
    kind = "" if record.model.kind == "model" else f", {record.model.kind}"
    cut_short = ", undertrained" if record.model.undertrained else ""
    return Line(record.model.name, f"{MEASURED}{kind}{cut_short}", tuple(cells))
