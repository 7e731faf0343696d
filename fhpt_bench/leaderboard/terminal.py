"""The table for the terminal: as many columns side by side as the window is wide for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from fhpt_bench.leaderboard.selection import Part, legend, parts
from fhpt_bench.leaderboard.text import NONE
from fhpt_bench.leaderboard.view import Cell, Column, Row, number
from fhpt_bench.record import Record

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

LONGEST = 64
"""Characters of a model's name that are shown."""
NAMES, HEADINGS = 20, 11
"""Characters a line of a model's name and of a heading, where space is short."""
HALVES = "\u00b1: the longer side of the 95 % interval; a wider window shows both ends."


def to_terminal(
    records: Sequence[Record], *, everything: bool = False, families: Collection[str] = ()
) -> RenderableType:
    """What ``rich.console.Console.print`` takes: a table a board and family, headline columns or every column.

    Where a family's columns do not fit beside each other, intervals become half widths (``\u00b10.012``); columns
    that still do not fit go below, the models named again.
    """
    return _Shown(tuple(parts(records, everything=everything, families=families)))


@dataclass(frozen=True)
class _Shown:
    """Titles, tables, notes, legend."""

    parts: tuple[Part, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        halves = False
        for part in self.parts:
            if part.first:
                yield Text(f"{part.board.title}\n", style="bold")
            if part.heading:
                yield Text.assemble((part.family.title, "bold cyan"), "  ", (part.family.about, "dim"))
            blocks, whole = _Fitted(part).blocks(options.max_width)
            yield from (_Fitted(part).table(block, whole) for block in blocks)
            yield from (Text(f"{NONE} {note}", style="dim") for note in part.notes)
            yield Text("")
            halves |= not whole
        yield Text(f"{legend(self.parts)} {HALVES if halves else ''}", style="dim")


@dataclass(frozen=True)
class _Fitted:
    """Tables of as many columns as the console is wide for."""

    part: Part

    def blocks(self, width: int) -> tuple[list[list[int]], bool]:
        """The columns of each table, and whether intervals show whole: where one table then holds all columns."""
        blocks = self._blocks(width, whole=True)
        return (blocks, True) if len(blocks) <= 1 else (self._blocks(width, whole=False), False)

    def _blocks(self, width: int, *, whole: bool) -> list[list[int]]:
        """The columns in as few tables as ``width`` characters allow, of about the same width."""
        names = max(max(map(len, _name(row, whole).plain.splitlines())) for row in self.part.board.rows)
        needs = {i: self._width(i, whole) for i in self.part.columns}
        room = width - (names if whole else min(names, NAMES)) - (9 if whole else 7)
        blocks = _split(needs, room)
        while (
            len(blocks) > 1 and room > max(needs.values()) and len(narrower := _split(needs, room - 1)) == len(blocks)
        ):
            blocks, room = narrower, room - 1
        return blocks

    def _width(self, place: int, whole: bool) -> int:
        column, cells = self.part.board.columns[place], [row.cells[place] for row in self.part.board.rows]
        lines = [*_heading(column, whole), *(f"{cell.text} \u2248" for cell in cells)]
        between = 3 if whole else 2
        return between + max(map(len, (*lines, *(_interval(cell, column, whole) for cell in cells))))

    def table(self, block: Sequence[int], whole: bool) -> RenderableType:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        board = self.part.board
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1) if whole else (0, 1, 0, 0))
        shown.add_column("#", justify="right")
        shown.add_column("model", no_wrap=whole, overflow="fold", max_width=None if whole else NAMES)
        for i in block:
            shown.add_column(Text("\n".join(_heading(board.columns[i], whole))), justify="right", no_wrap=True)
        for row in board.rows:
            rank = "" if row.rank is None else str(row.rank)
            shown.add_row(rank, _name(row, whole), *(_rich(row.cells[i], board.columns[i], whole) for i in block))
        return shown


def _split(needs: dict[int, int], room: int) -> list[list[int]]:
    blocks: list[list[int]] = []
    used = 0
    for place, need in needs.items():
        if not blocks or used + need > room:
            blocks.append([])
            used = 0
        blocks[-1].append(place)
        used += need
    return blocks


def _name(row: Row, whole: bool) -> Text:
    """The name and its marks: beside it, or below where space is short."""
    from rich.text import Text

    short = row.name if len(row.name) <= LONGEST else f"{row.name[: LONGEST - 1]}\u2026"
    name = Text(short, style="bold" if row.ranked else "italic dim")
    if row.marks:
        name.append((" " if whole else "\n") + " ".join(row.marks), style="yellow")
    return name


def _heading(column: Column, whole: bool) -> list[str]:
    words = column.parts.setting.split(",")
    lines = (
        f"{column.label}\u00a0{column.arrow}".rstrip(),
        *(f"{word}," for word in words[:-1]),
        words[-1],
        column.region,
    )
    wrapped = (part for line in lines if line for part in ([line] if whole else wrap(line, HEADINGS)))
    return [line.replace("\u00a0", " ") for line in wrapped]


def _interval(cell: Cell, column: Column, whole: bool) -> str:
    """``[0.228, 0.251]``, or ``\u00b10.012``: the longer side, rounded up: no interval is made to look short."""
    if whole or not cell.interval or cell.score is None or cell.score.value is None:
        return cell.interval
    low, high = cell.score.low, cell.score.high
    assert low is not None
    assert high is not None
    scale: float = 10.0**column.decimals
    side = max(cell.score.value - low, high - cell.score.value)
    return f"\u00b1{number(math.ceil(side * scale - 1e-9) / scale, column.decimals)}"


def _rich(cell: Cell, column: Column, whole: bool) -> RenderableType:
    from rich.text import Text

    if not cell.text:
        return Text(NONE, style="dim")
    text = Text(cell.text, style="bold green" if cell.stand.best else "")
    if cell.stand.tied:
        text.append(" \u2248", style="green")
    if interval := _interval(cell, column, whole):
        text.append(f"\n{interval}", style="dim")
    return text
