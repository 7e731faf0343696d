"""Whose a folder is: one process at a time, one data set a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fhpt_bench.errors import BenchError

_MARKER = ".kind"


@contextmanager
def owned(root: Path, kind: str = "") -> Iterator[None]:
    """Hold ``root`` for this process: a folder that is empty or absent, or in which a preparation of ``kind`` began.

    Without ``kind``: any prepared folder, not an empty one. BenchError for anything else, with nothing written.
    """
    if root.exists() and not root.is_dir():
        raise BenchError("this is a file", where=root, fix="name a folder for the prepared data set")
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    marker = root / _MARKER
    theirs = marker.read_text("utf-8").strip() if marker.is_file() else ""
    if not theirs and (names - {".lock"} or not kind):
        fix = "name another folder" if kind else f"fhpt-bench data prepare deepfashion SRC {root}"
        raise BenchError("the folder holds something else than a prepared data set", where=root, fix=fix)
    if kind and theirs and theirs != kind:
        raise BenchError(f"the folder holds {theirs}", where=root, fix="name another folder")
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BenchError("another process works in this folder", where=root, fix="wait for it to end") from None
    try:
        if not theirs:
            marker.write_text(f"{kind}\n", "utf-8")
        yield
    finally:
        lock.release()
