"""Numbers that papers report: ``leaderboard/published.csv``, one line a number, as printed, with paper and table.

They were measured by others, with their own scripts, and carry no interval. They are shown beside measured rows of the
same protocol and data, and never ranked against them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import shipped

PAIRS = {"patn": 8570, "dsc": 12000}
"""Pair list -> how many test pairs it has: a row measured on another number of pairs does not stand beside it."""


class Published(BaseModel):
    """One number of one table of one paper."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: str = Field(min_length=1)
    table: str = Field(min_length=1)
    """As the paper numbers it; a title where our copy has no number."""
    part: Literal["comparison", "ablation", "user study"]
    protocol: str = Field(min_length=1)
    data: Literal["deepfashion", "market1501"]
    pairs: Literal["patn", "dsc", "other", ""]
    """Whose test pairs; ``other``: none that the paper's other rows use; empty: our copy does not say."""
    method: str = Field(min_length=1)
    score: str = Field(pattern=r"[a-z][a-z0-9@.-]*")
    """In our names, without the setting, which the protocol fixes."""
    value: str = Field(pattern=r"^\d*\.\d+$|^\d+$")
    """As printed: its decimals say how exactly it is known."""
    better: Literal["higher", "lower"]
    unit: Literal["", "percent"]
    """``percent``: printed as 13.56 where our own score of that name is 0.1356."""
    note: str = ""

    @property
    def number(self) -> float:
        """In the unit of our own score of that name."""
        return float(Decimal(self.value) / (100 if self.unit == "percent" else 1))

    @property
    def text(self) -> str:
        """As printed, with the zero before the point that papers leave out."""
        return f"0{self.value}" if self.value.startswith(".") else self.value


def load(path: Path | None = None) -> list[Published]:
    """All of them, in the order of the file (default: the one that ships); BenchError names the line that is wrong."""
    path = path or shipped("leaderboard") / "published.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"published numbers cannot be read: {error}", where=path, fix="install again") from None
    found: list[Published] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(csv.DictReader(io.StringIO(text), strict=True), 2):
        try:
            row = Published.model_validate(line)
        except (ValidationError, TypeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            what = f"line {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise BenchError(what, where=path, fix=f"columns: {', '.join(Published.model_fields)}") from None
        key = (row.paper, row.table, row.part, row.protocol, row.data, row.method, row.score)
        if key in seen:
            raise BenchError(f"line {number} says again what line {seen[key]} says", where=path, fix="keep one")
        seen[key] = number
        found.append(row)
    return found


def of(protocol: str, rows: Sequence[Published] | None = None) -> list[Published]:
    """Those of one protocol; BenchError that names the protocols that have some, where this one has none."""
    rows = load() if rows is None else rows
    found = [row for row in rows if row.protocol == protocol]
    if not found:
        known = ", ".join(dict.fromkeys(row.protocol for row in rows))
        raise BenchError(f"no paper's numbers are kept for protocol {protocol!r}", fix=f"there are some for: {known}")
    return found


def overview(rows: Sequence[Published] | None = None) -> list[dict[str, str | int]]:
    """One line a protocol: paper, data, tables, how many methods and numbers."""
    rows = load() if rows is None else rows
    lines: list[dict[str, str | int]] = []
    for protocol in dict.fromkeys(row.protocol for row in rows):
        mine = [row for row in rows if row.protocol == protocol]
        tables = dict.fromkeys(f"{row.table} ({row.part})" for row in mine)
        lines.append(
            {
                "protocol": protocol,
                "paper": ", ".join(dict.fromkeys(row.paper for row in mine)),
                "data": ", ".join(dict.fromkeys(row.data for row in mine)),
                "tables": ", ".join(tables),
                "methods": len({row.method for row in mine}),
                "numbers": len(mine),
            }
        )
    return lines
