"""The table as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import pandas as pd

from fhpt_bench.leaderboard.selection import legend, parts
from fhpt_bench.leaderboard.table import table
from fhpt_bench.leaderboard.view import Cell, Column, Row
from fhpt_bench.record import Record

NONE = "\u2014"
"""Stands where there is no value; the reason is printed below the table."""


def to_csv(records: Sequence[Record], *, families: Collection[str] = ()) -> str:
    """Every score of every record (of these families) in long form, the columns of ``table.COLUMNS``; all digits.

    A name that a spreadsheet would take for a formula (``=...``, ``+``, ``-``, ``@``) gets a leading apostrophe.
    """
    text: str = csv_frame(records, families=families).to_csv(index=False, lineterminator="\n")
    return text


def csv_frame(records: Sequence[Record], *, families: Collection[str] = ()) -> pd.DataFrame:
    """What ``to_csv`` writes."""
    frame = table(records)
    if families:
        parts(records, everything=True, families=families)  # an unknown family is an error, not an empty table
        frame = frame[frame["family"].isin(list(families))].copy()
    for column in ("model", "family", "score", "data", "protocol", "undertrained"):
        frame[column] = [formula_safe(name) for name in frame[column]]
    return frame


def formula_safe(name: str) -> str:
    """``name`` as no spreadsheet takes it for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def to_markdown(records: Sequence[Record], *, everything: bool = False, families: Collection[str] = ()) -> str:
    """One GitHub table a board and family: the protocol's headline columns, or every column; reasons of what is absent
    below."""
    found = parts(records, everything=everything, families=families)
    lines: list[str] = []
    for part in found:
        if part.first:
            lines += [f"### {escape_markdown(part.board.title)}", ""]
        if part.heading:
            lines += [f"**{escape_markdown(part.family.title)}.** {escape_markdown(part.family.about)}".rstrip(), ""]
        if part.columns:
            columns = [part.board.columns[i] for i in part.columns]
            lines.append(_pipes(["rank", "model", *(escape_markdown(_title(column)) for column in columns)]))
            lines.append(_pipes(["--:", ":--", *("--:" for _ in columns)]))
            lines += [_md_row(row, part.columns) for row in part.board.rows]
            lines.append("")
        lines += [f"- {escape_markdown(note)}" for note in part.notes] + [""] * bool(part.notes)
    return "\n".join([*lines, escape_markdown(legend(found)), ""])


def _md_row(row: Row, chosen: Sequence[int]) -> str:
    name = escape_markdown(row.name) if row.ranked else f"*{escape_markdown(row.name)}*"
    marks = f" ({', '.join(row.marks)})" if row.marks else ""
    cells = (_marked(row.cells[i], "**{}**", " \u2248") for i in chosen)
    return _pipes(["" if row.rank is None else str(row.rank), name + marks, *cells])


def to_latex(records: Sequence[Record], *, everything: bool = False, families: Collection[str] = ()) -> str:
    r"""One ``tabular`` a board and family, for ``\usepackage{booktabs}``; intervals in small type, names escaped."""
    lines: list[str] = []
    for part in parts(records, everything=everything, families=families):
        if part.first:
            lines.append(f"% {_one_line(part.board.title)}")
        if part.heading:
            lines.append(f"% {_one_line(part.heading)}")
        if part.columns:
            body = pd.DataFrame(
                [
                    [
                        _tex_name(row),
                        *(_marked(row.cells[i], r"\textbf{{{}}}", r"\,$\approx$", _tex_cell) for i in part.columns),
                    ]
                    for row in part.board.rows
                ],
                columns=["Model", *(escape_latex(_title(part.board.columns[i])) for i in part.columns)],
            )
            tabular = body.to_latex(index=False, escape=False, column_format="l" + "r" * len(part.columns))
            lines.append(tabular.rstrip())
        lines += [*(f"% {_one_line(note)}" for note in part.notes), ""]
    return "\n".join(lines)


def _title(column: Column) -> str:
    """The full name, since a number without its setting means nothing."""
    return f"{column.name} {column.arrow}".rstrip()


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


def escape_markdown(text: str) -> str:
    """``text`` as one line of Markdown that shows as it is."""
    return "".join(_MARKDOWN.get(c, c) for c in _one_line(text))


def escape_latex(text: str) -> str:
    """``text`` as one line of LaTeX that shows as it is."""
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def _tex_name(row: Row) -> str:
    marks = f" ({escape_latex(', '.join(row.marks))})" if row.marks else ""
    return (escape_latex(row.name) if row.ranked else f"\\emph{{{escape_latex(row.name)}}}") + marks
