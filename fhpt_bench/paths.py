"""Where things lie: what ships with the package, what is cached, and how a file is written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Folder ``baselines``, ``protocols`` or ``leaderboard``: in a wheel under ``_shipped``, in a checkout beside
    the package."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def cache() -> Path:
    """Root of everything that can be made again: ``$FHPT_BENCH_CACHE``, else the user's cache folder."""
    if given := os.environ.get("FHPT_BENCH_CACHE"):
        return Path(given)
    from platformdirs import user_cache_path

    return Path(user_cache_path("fhpt-bench"))


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary neighbour of ``path`` for writing; flush, fsync and rename it on success, remove it on
    failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, whole or not at all; NaN is refused rather than written as something no parser
    reads."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic(path, "w") as file:
        file.write(text)
