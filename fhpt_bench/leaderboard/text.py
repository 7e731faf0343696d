"""The table as CSV, Markdown, LaTeX, and for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fhpt_bench.leaderboard.table import table
from fhpt_bench.leaderboard.view import Board, Cell, Column, Row, boards
from fhpt_bench.record import Record

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

NONE = "\u2014"
"""Stands where there is no value; the reason is printed below the table."""
LEGEND = (
    "Bold: best of the ranked rows. \u2248: tied with the best (the 95 % interval of the paired difference over people "
    "holds 0). Rows marked reference, oracle or first N are never ranked."
)


def to_csv(records: Sequence[Record]) -> str:
    """Every score of every record in long form, the columns of ``table.COLUMNS``; values with all their digits.

    A name that a spreadsheet would take for a formula (``=...``, ``+``, ``-``, ``@``) gets a leading apostrophe.
    """
    frame = table(records)
    for column in ("model", "score", "data", "protocol"):
        frame[column] = [
            f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name for name in frame[column]
        ]
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def to_markdown(records: Sequence[Record], *, everything: bool = False) -> str:
    """One GitHub table a board: the protocol's headline columns, or every column; reasons of empty cells below."""
    parts = []
    for board in boards(records):
        chosen = _chosen(board, everything)
        lines = [f"### {_md(board.title)}", ""]
        lines.append(_pipes(["rank", "model", *(_md(_title(board.columns[i])) for i in chosen)]))
        lines.append(_pipes(["--:", ":--", *("--:" for _ in chosen)]))
        for row in board.rows:
            name = _md(row.name) if row.ranked else f"*{_md(row.name)}*"
            marks = f" ({', '.join(row.marks)})" if row.marks else ""
            cells = (_marked(row.cells[i], "**{}**", " \u2248") for i in chosen)
            lines.append(_pipes([_rank(row, chosen), name + marks, *cells]))
        notes = [f"- {_md(note)}" for note in reasons(board, chosen)]
        parts.append("\n".join([*lines, "", *notes, *([""] if notes else []), LEGEND, ""]))
    return "\n".join(parts)


def to_latex(records: Sequence[Record], *, everything: bool = False) -> str:
    r"""One ``tabular`` a board, for ``\usepackage{booktabs}``; intervals in small type, every name escaped."""
    parts = []
    for board in boards(records):
        chosen = _chosen(board, everything)
        body = pd.DataFrame(
            [
                [_tex_name(row), *(_marked(row.cells[i], r"\textbf{{{}}}", r"\,$\approx$", _tex_cell) for i in chosen)]
                for row in board.rows
            ],
            columns=["Model", *(_tex(_title(board.columns[i])) for i in chosen)],
        )
        tabular = body.to_latex(index=False, escape=False, column_format="l" + "r" * len(chosen))
        notes = [f"% {_one_line(note)}" for note in reasons(board, chosen)]
        parts.append("\n".join([f"% {_one_line(board.title)}", tabular.rstrip(), *notes, ""]))
    return "\n".join(parts)


def to_terminal(records: Sequence[Record], *, everything: bool = False) -> RenderableType:
    """What ``rich.console.Console.print`` takes: one table a board, headline columns or every column.

    Columns that do not fit beside each other in the console go below, the models named again.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for board in boards(records):
        chosen = _chosen(board, everything)
        notes = (Text(f"{NONE} {note}", style="dim") for note in reasons(board, chosen))
        parts += [_Fitted(board, chosen), *notes]
    return Group(*parts, Text(LEGEND, style="dim"))


@dataclass(frozen=True)
class _Fitted:
    """Tables of as many columns as the console is wide for."""

    board: Board
    chosen: tuple[int, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        names = max(len(" ".join((row.name, *row.marks))) for row in self.board.rows)
        room = options.max_width - names - 9
        block: list[int] = []
        used = 0
        for i in self.chosen:
            cells = [part for row in self.board.rows for part in (row.cells[i].interval, f"{row.cells[i].text} \u2248")]
            need = 3 + max(map(len, (*cells, *_heading(self.board.columns[i]))))
            if block and used + need > room:
                yield self._table(block, first=block[0] == self.chosen[0])
                block, used = [], 0
            block.append(i)
            used += need
        yield self._table(block, first=not block or block[0] == self.chosen[0])

    def _table(self, block: Sequence[int], *, first: bool) -> RenderableType:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        title = Text(self.board.title) if first else None
        shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
        shown.add_column("#", justify="right")
        shown.add_column("model", no_wrap=True)
        for i in block:
            shown.add_column(Text("\n".join(_heading(self.board.columns[i]))), justify="right")
        for row in self.board.rows:
            name = Text(row.name, style="bold" if row.ranked else "italic dim")
            for mark in row.marks:
                name.append(f" {mark}", style="yellow")
            shown.add_row(_rank(row, self.chosen), name, *(_rich(row.cells[i]) for i in block))
        return shown


def _heading(column: Column) -> list[str]:
    return [line for line in (f"{column.label} {column.arrow}".rstrip(), column.setting, column.region) if line]


def reasons(board: Board, chosen: Iterable[int]) -> list[str]:
    """One line for each reason that leaves cells of these columns empty: ``reason: model (columns), ...``."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in board.rows:
        for i in chosen:
            if why := row.cells[i].why:
                found.setdefault(why, {}).setdefault(row.name, []).append(board.columns[i].name)
    return [
        f"{why}: " + "; ".join(f"{name} ({', '.join(columns)})" for name, columns in rows.items())
        for why, rows in found.items()
    ]


def _chosen(board: Board, everything: bool) -> tuple[int, ...]:
    return tuple(range(len(board.columns))) if everything else board.headline


def _title(column: Column) -> str:
    """The full name, since a number without its setting means nothing."""
    return f"{column.name} {column.arrow}".rstrip()


def _rank(row: Row, chosen: tuple[int, ...]) -> str:
    rank = row.cells[chosen[0]].stand.rank if chosen else None
    return "" if rank is None else str(rank)


def _plain(cell: Cell) -> tuple[str, str]:
    return cell.text, cell.interval


def _tex_cell(cell: Cell) -> tuple[str, str]:
    text, interval = (part.replace("\u2212", "$-$") for part in (cell.text, cell.interval))
    return text, f"{{\\scriptsize {interval}}}" if interval else ""


def _marked(cell: Cell, bold: str, tie: str, parts: Callable[[Cell], tuple[str, str]] = _plain) -> str:
    text, interval = parts(cell)
    if not text:
        return NONE if parts is _plain else "--"
    value = bold.format(text) if cell.stand.best else text
    return f"{value}{tie if cell.stand.tied else ''} {interval}".rstrip()


def _rich(cell: Cell) -> RenderableType:
    from rich.text import Text

    if not cell.text:
        return Text(NONE, style="dim")
    text = Text(cell.text, style="bold green" if cell.stand.best else "")
    if cell.stand.tied:
        text.append(" \u2248", style="green")
    if cell.interval:
        text.append(f"\n{cell.interval}", style="dim")
    return text


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _one_line(text: str) -> str:
    """Without line breaks and control characters: a name cannot end its cell or its comment."""
    return "".join(character if character.isprintable() else " " for character in text)


_MARKDOWN = {c: f"\\{c}" for c in "\\`*_[]|~#!"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\u2191": r"$\uparrow$",
    "\u2193": r"$\downarrow$",
}


def _md(text: str) -> str:
    return "".join(_MARKDOWN.get(c, c) for c in _one_line(text))


def _tex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def _tex_name(row: Row) -> str:
    marks = f" ({_tex(', '.join(row.marks))})" if row.marks else ""
    return (_tex(row.name) if row.ranked else f"\\emph{{{_tex(row.name)}}}") + marks
