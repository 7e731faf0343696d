"""One folder of images under every protocol: how each paper would have reported them, in one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fhpt_bench.folders.every_protocol import Line, SideBySide
from fhpt_bench.leaderboard.names import parse
from fhpt_bench.leaderboard.text import escape_markdown
from fhpt_bench.leaderboard.view import meaning, number
from fhpt_bench.paths import atomic, shipped
from fhpt_bench.types import Score

PLACES = {
    "ssim": 3, "mask-ssim": 3, "psnr": 2, "ms-ssim": 3, "lpips": 3, "mask-lpips": 3, "dists": 3, "fid": 2, "kid": 4,
    "is": 2, "pckh": 3, "detection-score": 3, "fashion-is": 2, "attrrec-5": 3, "attrrec-20": 3,
}  # fmt: skip
"""Scores that papers print, in the order of columns, and the decimals they are shown with. All others are in the
records."""
NONE = "\u2014"


@dataclass(frozen=True)
class Entry:
    """One score in a cell."""

    text: str
    setting: str
    """What tells it from another score of the same name: ``gauss1.5, jpeg75``."""


@dataclass(frozen=True)
class Column:
    """One kind of score. ``spread``: its least and largest value over the protocols; empty where there are not two."""

    label: str
    cells: tuple[tuple[Entry, ...], ...]
    """One a protocol; no entry: the protocol does not measure it, or could not."""
    spread: str


@dataclass(frozen=True)
class Table:
    """What every written form shows."""

    heading: str
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    """Why there is no row, or no number, once for each reason."""

    @property
    def rows(self) -> list[tuple[Line, list[tuple[Entry, ...]]]]:
        """The protocols that were measured, each with its cells."""
        measured = [(i, line) for i, line in enumerate(self.lines) if line.record is not None]
        return [(line, [column.cells[i] for column in self.columns]) for i, line in measured]


ABOUT = (
    "The same images, under every protocol: each row is what a paper with that protocol would have printed. Between "
    "rows nothing but the measuring differs, so numbers of different rows never compare."
)


def table(found: SideBySide) -> Table:
    """Columns that some protocol has a value in."""
    columns = [column for metric in PLACES if (column := _column(found.lines, metric)) is not None]
    return Table(f"{found.model} on {found.data}", found.lines, tuple(columns), tuple(_notes(found.lines)))


def _column(lines: Sequence[Line], metric: str) -> Column | None:
    scores = [_scores(line, metric) for line in lines]
    values = [score.value for each in scores for score in each if score.value is not None]
    if not values:
        return None
    places = PLACES[metric]
    texts = [number(value, places) for value in (min(values), max(values))]
    spread = f"{texts[0]} \u2026 {texts[1]}" if texts[0] != texts[1] else ""
    cells = tuple(
        tuple(
            Entry(number(score.value, places), ", ".join(filter(None, parse(score.name).setting.split(","))))
            for score in each
            if score.value is not None
        )
        for each in scores
    )
    return Column(meaning(metric)[0], cells, spread)


def _scores(line: Line, metric: str) -> list[Score]:
    """A protocol's scores of that kind over whole images and all pairs; not those of the truth."""
    if line.record is None:
        return []
    names = {score.name: parse(score.name) for score in line.record.scores}
    ours = [s for s in line.record.scores if s.better != "neither" or s.value is None]
    return [s for s in ours if names[s.name].metric == metric and not names[s.name].group]


def _notes(lines: Sequence[Line]) -> list[str]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.record is None:
            found.setdefault(f"unavailable: {line.why}", []).append(line.protocol.name)
            continue
        for metric in PLACES:
            for score in _scores(line, metric):
                if score.value is None:
                    found.setdefault(f"unavailable: {_short(score.unavailable)}", []).append(
                        f"{line.protocol.name} {score.name}"
                    )
    return [f"{', '.join(names)}: {why}" for why, names in found.items()]


def _short(why: str) -> str:
    """A reason without where and what to do: the records have it whole."""
    return why.partition(" where: ")[0].partition(" fix: ")[0]


def to_markdown(found: SideBySide) -> str:
    """A GitHub table: a row a protocol, the spread below, then what is unavailable and why."""
    shown = table(found)
    lines = [f"### {escape_markdown(shown.heading)}", "", ABOUT, ""]
    lines.append("| protocol | " + " | ".join(column.label for column in shown.columns) + " |")
    lines.append("| :-- |" + " --: |" * len(shown.columns))
    for line, cells in shown.rows:
        texts = ["<br>".join(_md_entry(entry) for entry in cell) or NONE for cell in cells]
        lines.append(f"| {escape_markdown(line.protocol.name)} | " + " | ".join(texts) + " |")
    lines.append(
        "| **least \u2026 largest** | "
        + " | ".join(f"**{c.spread}**" if c.spread else "" for c in shown.columns)
        + " |"
    )
    notes = [f"- {escape_markdown(note)}" for note in shown.notes]
    return "\n".join([*lines, "", *notes, *([""] if notes else [])])


def _md_entry(entry: Entry) -> str:
    return entry.text + (f" <sub>{escape_markdown(entry.setting)}</sub>" if entry.setting else "")


def to_html(found: SideBySide) -> str:
    """A page of its own, without scripts or outside requests."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("leaderboard") / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("protocols.html.j2").render(table=table(found), about=ABOUT, dash=NONE)


def write(found: SideBySide, folder: Path) -> Path:
    """``protocols.html``, ``.md`` and ``.json`` into the folder; the path of the HTML page."""
    texts = {
        "protocols.json": json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "protocols.md": to_markdown(found),
        "protocols.html": to_html(found),
    }
    for name, text in texts.items():
        with atomic(folder / name, "w") as file:
            file.write(text)
    return folder / "protocols.html"


def show(found: SideBySide) -> None:
    """The table on the terminal."""
    import shutil
    import sys

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Printed

    shown = table(found)
    printed = Printed(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(shown.heading), title_justify="left")
    printed.add_column("protocol", overflow="fold")
    for column in shown.columns:
        printed.add_column(column.label, justify="right", overflow="fold")
    for line, cells in shown.rows:
        texts = ["\n".join(_printed(entry) for entry in cell) or NONE for cell in cells]
        printed.add_row(escape(line.protocol.name), *texts)
    printed.add_section()
    printed.add_row("least \u2026 largest", *(column.spread for column in shown.columns), style="bold")
    width = shutil.get_terminal_size((140, 24)).columns if sys.stdout.isatty() else 160
    console = Console(width=width, highlight=False)
    console.print(printed)
    for note in (ABOUT, *shown.notes):
        console.print(escape(note), style="dim")


def _printed(entry: Entry) -> str:
    from rich.markup import escape

    return entry.text + (f"\n[dim]{escape(entry.setting)}[/dim]" if entry.setting else "")
