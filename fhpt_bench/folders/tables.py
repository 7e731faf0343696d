"""Small CSV files that a user writes: columns checked by name, no cell left empty."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from pathlib import Path

from fhpt_bench.errors import BenchError
from fhpt_bench.folders.files import printable

MAX_BYTES = 256 * 2**20


def read(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """The rows; row i stands in line i + 2. BenchError for an unknown, doubled or missing column, an empty cell, no
    row, and what is no CSV in UTF-8."""
    header = ",".join(needed) + "".join(f"[,{name}]" for name in optional)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BenchError(f"larger than {MAX_BYTES >> 20} MiB", where=path, fix="one row an image, in several files")
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = [name.strip() for name in next(reader, [])]
        _check(columns, needed, optional, path, header)
        rows = [_row(columns, cells, path, line) for line, cells in enumerate(filter(None, reader), 2)]
    except OSError as error:
        raise BenchError(f"cannot be read: {error.strerror}", where=path, fix="check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"not a CSV in UTF-8 ({error})", where=path, fix=f"the header is {header}") from None
    if not rows:
        raise BenchError("no pair is named", where=path, fix="one row a pair below the header")
    return rows


def _check(columns: Sequence[str], needed: Sequence[str], optional: Sequence[str], path: Path, header: str) -> None:
    known = [*needed, *optional]
    for name in columns:
        if name not in known or columns.count(name) > 1:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near and near[0] != name else ""
            what = f"column {printable(name)!r} " + ("stands twice" if columns.count(name) > 1 else "is not known")
            raise BenchError(what, where=path, fix=f"{hint}the header is {header}")
    if missing := [name for name in needed if name not in columns]:
        raise BenchError(f"no column {missing[0]}", where=path, fix=f"the header is {header}")


def _row(columns: Sequence[str], values: Sequence[str], path: Path, line: int) -> dict[str, str]:
    cells = [value.strip() for value in values]
    if len(cells) != len(columns) or not all(cells):
        raise BenchError(f"row {line} has not one value for each of {', '.join(columns)}", where=path, fix="fill it in")
    return dict(zip(columns, cells, strict=True))
