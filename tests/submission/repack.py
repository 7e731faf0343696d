"""A zip changed by somebody who knows its form: other contents, with a manifest that fits them or one that does not."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "harness"))
import mini

from fhpt_bench.submission.archive import MANIFEST, write

MINI = f"{mini.__file__}:Mini"
Change = Mapping[str, bytes | None]


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(path: Path, out: Path, change: Change, *, honest: bool = True) -> Path:
    """``change``: name -> new bytes, or None to leave it out. honest: the manifest is made anew."""
    members = {**contents(path), **change}
    kept = {name: content for name, content in members.items() if content is not None}
    with out.open("wb") as file:
        if honest:
            write(file, {name: content for name, content in kept.items() if name != MANIFEST})
        else:
            raw(file, list(kept.items()))
    return out


def raw(file, entries) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)


def record(path: Path, edit: Callable[[dict], None]) -> Change:
    """The change that ``edit`` makes to the record's JSON."""
    said = json.loads(contents(path)["record.json"])
    edit(said)
    return {"record.json": json.dumps(said).encode()}


def array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)


def npy(values: np.ndarray, *, pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=pickle)
    return buffer.getvalue()
