"""The data sets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.types import Dataset

PREPARED = ("deepfashion", "market1501")
"""Data sets that stand in a folder of `fhpt-bench data prepare`."""
_OPTION = r"(?:patn|dsc|\d+x\d+)"
_NAMED = re.compile(rf"(?P<name>.+)@(?P<options>{_OPTION}(?:,{_OPTION})*)")


def load(name: str, split: str, *, size: tuple[int, int] | None = None, made_for: str = "") -> Dataset:
    """A data set by name, or the folder that `fhpt-bench data prepare` or `data render` wrote.

    ``name`` may end in ``@dsc`` (whose pairs), ``@256x256`` (height, width of the images) or both (``@dsc,256x256``),
    for data sets that have more than one. What it leaves open is as ``made_for``, a protocol's own data set, says, then
    as ``size`` does. BenchError where there is no such data set, and where it is not prepared.
    """
    base, own = _options(name)
    options = _options(made_for)[1] | own
    if size is not None:
        options.setdefault("size", size)
    if (Path(base) / "manifest.json").is_file():
        return _in_folder(Path(base), split, options)
    if base in PREPARED:
        return _in_folder(home(base), split, options)
    if Path(base).is_dir() and base not in registry.names("datasets"):
        fix = f"fhpt-bench data prepare deepfashion SRC {base}"
        raise BenchError("the folder holds no prepared data set", where=base, fix=fix)
    if own:
        raise BenchError(f"{base} has no choice of {', '.join(own)}", where=name, fix=f"write {base}")
    found: Dataset = registry.find("datasets", base)(split)
    return found


def recorded(name: str, split: str, *, size: tuple[int, int] | None = None, made_for: str = "") -> Dataset:
    """``load`` for a name out of a record, which somebody else may have written: only what is known here by its name.

    Never a folder, and never ``module:attr`` or ``file.py:Class``, which would run whatever a record names.
    """
    if name not in registry.names("datasets") and name not in PREPARED:
        raise BenchError(f"no data set is called {name[:80]!r} here", fix="name the one that was measured: --data")
    if not re.fullmatch(r"[a-z0-9-]{1,40}", split):
        raise BenchError(f"no split is called {split[:80]!r}", where=name)
    return load(name, split, size=size, made_for=made_for)


def home(name: str) -> Path:
    """``$FHPT_BENCH_DATA/<name>``: where a data set is looked for by its name; BenchError where none is prepared."""
    root = os.environ.get("FHPT_BENCH_DATA")
    folder = Path(root or "$FHPT_BENCH_DATA") / name
    if root is None or not (folder / "manifest.json").is_file():
        why = "is not prepared" if root else "is looked for in $FHPT_BENCH_DATA, which is not set"
        fix = f"fhpt-bench data prepare {name} SRC {folder}; or name a prepared folder: --data DIR (docs/datasets.md)"
        raise BenchError(f"{name} {why}", where=folder, fix=fix)
    return folder


def prepared_folder(name: str) -> Path | None:
    """The folder behind ``name`` (a prepared data set or its folder); None for any other data set."""
    from fhpt_bench.datasets.folder import kind_of

    base, _ = _options(name)
    if (Path(base) / "manifest.json").is_file():
        return Path(base) if kind_of(Path(base)) else None
    return home(base) if base in PREPARED else None


def _in_folder(root: Path, split: str, options: dict[str, Any]) -> Dataset:
    from fhpt_bench.datasets.catwalk import Catwalk
    from fhpt_bench.datasets.deepfashion import DeepFashion
    from fhpt_bench.datasets.folder import kind_of
    from fhpt_bench.datasets.market1501 import Market1501

    kind = kind_of(root)
    made: Dataset
    if kind == DeepFashion.kind:
        made = DeepFashion(root, split, **options)
    elif kind == Market1501.kind:
        made = Market1501(root, split, **options)
    else:
        made = Catwalk(split, root=root)
    return made


def _options(name: str) -> tuple[str, dict[str, Any]]:
    """``deepfashion@dsc,256x256`` -> ``deepfashion`` and what follows."""
    match = _NAMED.fullmatch(name)
    if match is None:
        return name, {}
    options: dict[str, Any] = {}
    for part in match["options"].split(","):
        if part in ("patn", "dsc"):
            options["pairs"] = part
        else:
            height, width = map(int, part.split("x"))
            options["size"] = (height, width)
    return match["name"], options
