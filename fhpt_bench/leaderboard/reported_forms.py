"""Published numbers as Markdown, LaTeX, CSV and on the terminal; the HTML page has a template of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from fhpt_bench.leaderboard import text
from fhpt_bench.leaderboard.families import family_of
from fhpt_bench.leaderboard.reported import LEGEND, PUBLISHED, Reported, reported
from fhpt_bench.leaderboard.table import COLUMNS
from fhpt_bench.leaderboard.text import NONE, escape_latex, escape_markdown, formula_safe
from fhpt_bench.published import Published
from fhpt_bench.record import Record

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

MORE_COLUMNS = ("paper", "table", "part", "pairs_of", "printed", "unit", "note")
"""Columns that the CSV has beside ``table.COLUMNS`` where published numbers are shown."""
NAMED: dict[str, tuple[str, ...]] = {"perceptual": ()}
"""A headline of families by which a published score is put into its usual one."""


def to_markdown(tables: Sequence[Reported]) -> str:
    """One GitHub table each."""
    lines: list[str] = []
    for table in tables:
        lines += [f"### {escape_markdown(table.title)}", ""]
        lines.append(_pipes(["method", "", *(escape_markdown(head.title) for head in table.heads)]))
        lines.append(_pipes([":--", ":--", *("--:" for _ in table.heads)]))
        for line in table.lines:
            name = escape_markdown(line.name)
            lines.append(_pipes([name, escape_markdown(line.mark), *(cell or NONE for cell in line.cells)]))
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes), *([""] if table.notes else [])]
    return "\n".join([*lines, escape_markdown(LEGEND), ""])


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def to_latex(tables: Sequence[Reported]) -> str:
    """One ``tabular`` each, for ``booktabs``; titles, notes and the legend as comments."""
    lines = []
    for table in tables:
        body = pd.DataFrame(
            [
                [escape_latex(line.name), escape_latex(line.mark), *(cell or "--" for cell in line.cells)]
                for line in table.lines
            ],
            columns=["Method", "", *(escape_latex(head.title) for head in table.heads)],
        )
        tabular = body.to_latex(index=False, escape=False, column_format="ll" + "r" * len(table.heads))
        lines += [
            f"% {table.title}",
            tabular.rstrip().replace("\u2212", "$-$"),
            *(f"% {note}" for note in table.notes),
            "",
        ]
    return "\n".join([*lines, f"% {LEGEND}", ""])


def to_csv(rows: Sequence[Published], measured: pd.DataFrame) -> str:
    """``measured`` (``text.csv_frame``), then one line a published number: kind ``published``, never ranked.

    The columns of both and ``MORE_COLUMNS``. ``value`` is in the unit of our own score of that name, ``printed`` as
    the paper has it.
    """
    mine = [*measured.to_dict("records"), *map(_csv_line, rows)]
    frame = pd.DataFrame(mine, columns=[*COLUMNS, *MORE_COLUMNS], dtype=object)
    written: str = frame.to_csv(index=False, lineterminator="\n")
    return written


def _csv_line(row: Published) -> dict[str, object]:
    return {
        "protocol": row.protocol,
        "data": row.data,
        "split": "test",
        "model": formula_safe(row.method),
        "kind": PUBLISHED,
        "ranked": False,
        "family": family_of(row.score, NAMED),
        "score": row.score,
        "value": row.number,
        "better": row.better,
        "best": False,
        "paper": row.paper,
        "table": row.table,
        "part": row.part,
        "pairs_of": row.pairs,
        "printed": row.value,
        "unit": row.unit,
        "note": row.note,
    }


def with_papers(
    records: Sequence[Record],
    rows: Sequence[Published],
    form: Literal["csv", "markdown", "latex"],
    *,
    everything: bool = False,
    families: Collection[str] = (),
) -> str:
    """The table of the records as text, and the published numbers below it; one of the two may be empty.

    families: of the records' columns and, in the CSV, of the published ones; tables of papers are shown whole.
    """
    if not rows:
        if form == "csv":
            return text.to_csv(records, families=families)
        write = {"markdown": text.to_markdown, "latex": text.to_latex}[form]
        return write(records, everything=everything, families=families)
    if form == "csv":
        frame = text.csv_frame(records, families=families) if records else pd.DataFrame(columns=list(COLUMNS))
        return to_csv([row for row in rows if not families or family_of(row.score, NAMED) in families], frame)
    above = with_papers(records, (), form, everything=everything, families=families) if records else ""
    below = {"markdown": to_markdown, "latex": to_latex}[form](reported(rows, records))
    return f"{above}\n{below}" if above else below


@dataclass(frozen=True)
class Shown:
    """What ``rich.console.Console.print`` takes."""

    tables: Sequence[Reported]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for table in self.tables:
            yield Text(table.title, style="bold")
            yield _rich(table)
            yield from (Text(f"{NONE} {note}", style="dim") for note in table.notes)
            yield Text("")
        yield Text(LEGEND, style="dim")


def _rich(table: Reported) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("method", overflow="fold")
    shown.add_column("", overflow="fold")
    for head in table.heads:
        shown.add_column(Text(head.title), justify="right", no_wrap=True)
    for line in table.lines:
        style = "italic" if line.mark == PUBLISHED else ""
        cells = (Text(cell or NONE, style=style if cell else "dim") for cell in line.cells)
        shown.add_row(Text(line.name, style=style), Text(line.mark, style="yellow"), *cells)
    return shown
