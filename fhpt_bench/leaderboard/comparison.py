"""Two records score by score, for the terminal: family by family, the protocol's headline first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fhpt_bench.leaderboard.families import family, family_of, order
from fhpt_bench.leaderboard.selection import some
from fhpt_bench.leaderboard.table import score_names
from fhpt_bench.record import Record

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType


def comparison(
    table: pd.DataFrame, a: tuple[str, Record], b: tuple[str, Record], *, everything: bool = False
) -> RenderableType:
    """The result of ``api.compare`` as what ``rich.console.Console.print`` takes.

    a, b: what each record is called, and the record. Shows the headline scores, or every one; a score that neither has
    is named once below, with the reason.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    records = (a[1], b[1])
    headline = a[1].protocol.headline
    lines = {str(row["score"]): row for row in table.to_dict(orient="records")}
    leading = [name for names in headline.values() for name in names if name in lines]
    chosen = [name for name in score_names(records) if name in lines and (everything or not leading or name in leading)]
    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    out.add_column("score", overflow="fold")
    for heading in ("a", "b", "a \u2212 b", "95 % interval"):
        out.add_column(heading, justify="right", no_wrap=True)
    out.add_column("better", no_wrap=True)
    for key in order(headline):
        members = [n for n in chosen if family_of(n, headline) == key and not _lacking(lines[n])]
        if members and any(headline):
            out.add_row(Text(family(key).title, style="bold cyan"))
        for name in members:
            out.add_row(*(Text(cell) for cell in _cells(name, lines[name])))
        if members:
            out.add_section()
    notes = [
        Text(f"{side} is undertrained: {record.model.undertrained}", style="yellow")
        for side, record in zip("ab", records, strict=True)
        if record.model.undertrained
    ]
    notes += [Text(f"\u2014 {note}", style="dim") for note in _notes(lines, chosen, (a, b))]
    if len(chosen) < len(lines):
        notes.append(Text(f"{len(lines) - len(chosen)} more scores: --all", style="dim"))
    title = f"a = {a[0]}   b = {b[0]}   differences over the same people"
    return Group(Text(title, style="bold"), out, *notes)


def _lacking(line: Mapping[Any, Any]) -> bool:
    return not _number(line["a"]) and not _number(line["b"])


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"


def _cells(name: str, line: Mapping[Any, Any]) -> tuple[str, ...]:
    numbers = {key: _number(line[key]) for key in ("a", "b", "difference", "low", "high")}
    span = f"{numbers['low']} .. {numbers['high']}" if numbers["low"] else ""
    return (
        name, numbers["a"] or "\u2014", numbers["b"] or "\u2014", numbers["difference"], span, str(line["verdict"]),
    )  # fmt: skip


def _notes(
    lines: Mapping[str, Mapping[Any, Any]], chosen: list[str], both: tuple[tuple[str, Record], ...]
) -> list[str]:
    """``reason: a and b (names)``: each reason once."""
    found: dict[str, dict[str, str]] = {}
    reasons = [{s.name: s.unavailable or "no reason given" for s in record.scores} for _, record in both]
    for name in chosen:
        for side, why in zip("ab", reasons, strict=True):
            if not _number(lines[name][side]):
                sides = found.setdefault(why.get(name, "not measured"), {})
                sides[name] = f"{sides[name]} and {side}" if name in sides else side
    return [
        f"{reason}: " + "; ".join(f"{who} ({some([n for n in sides if sides[n] == who])})" for who in _once(sides))
        for reason, sides in found.items()
    ]


def _once(sides: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(sides.values()))
