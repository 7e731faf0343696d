"""A run folder: one owner, one process at a time, images / rows / record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import write_json

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@-]{0,199}")


def check_id(pair_id: str) -> str:
    """A pair id names a file, so it must be one: letters, digits and ._+=@- only, no folder parts."""
    if not _ID.fullmatch(pair_id) or ".." in pair_id:
        raise BenchError(
            f"pair id {pair_id[:80]!r} cannot name a file",
            fix="use letters, digits, '.', '_', '+', '=', '@' and '-', at most 200",
        )
    return pair_id


class RunFolder:
    """``images/<pair id>.png``, ``rows/<metric>/``, ``record.json`` and ``run.json``, which says whose it is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = root / "images"
        self.rows = root / "rows"
        self.record = root / "record.json"

    @contextmanager
    def owned(self, owner: dict[str, object]) -> Iterator[None]:
        """Hold the folder for ``owner`` (model, protocol, data, ...); BenchError where it is another's or in use."""
        if self.root.exists() and not self.root.is_dir():
            raise BenchError("the run folder's name belongs to a file", where=self.root, fix="choose another --out")
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock")
        try:
            with lock.acquire(timeout=0):
                self._claim(owner)
                yield
        except Timeout:
            raise BenchError(
                "another process is working in this run folder",
                where=self.root,
                fix="wait for it, or choose another --out",
            ) from None

    def _claim(self, owner: dict[str, object]) -> None:
        path = self.root / "run.json"
        if not path.exists():
            if strangers := [
                p.name for p in sorted(self.root.iterdir()) if p.name not in (".lock",) and not p.name.endswith(".tmp")
            ]:
                raise BenchError(
                    f"the folder is not empty and no run folder of ours: {', '.join(strangers[:5])}",
                    where=self.root,
                    fix="choose an empty --out",
                )
            write_json(path, owner)
            return
        try:
            have = json.loads(path.read_bytes())
        except ValueError:
            raise BenchError(
                "run.json is not readable", where=path, fix="delete the run folder, or choose another --out"
            ) from None
        differ = [key for key in sorted(set(owner) | set(have)) if have.get(key) != owner.get(key)]
        if differ:
            what = ", ".join(
                f"{key} (there {str(have.get(key))[:40]}, now {str(owner.get(key))[:40]})" for key in differ
            )
            raise BenchError(
                f"the run folder belongs to another run: {what}",
                where=self.root,
                fix="choose another --out, or delete that folder",
            )
