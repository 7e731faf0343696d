"""Weights as ``import`` and ``export`` write them: safetensors whose header says what they fill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic

_ENTRY = "fhpt_bench"


class Original(BaseModel):
    """A file that was imported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    part: str


class About(BaseModel):
    """What a file of weights says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Of the model in records."""
    baseline: str
    """Its package: ``patn``."""
    config: str
    originals: tuple[Original, ...]
    trained_on: str = "as its authors say"
    samples: int | None = None
    """Seen in training; None where nobody said."""


def write(path: Path, weights: Mapping[str, Tensor], about: About) -> str:
    """Write ``weights`` whole or not at all; returns the sha256. The same weights give the same bytes.

    BenchError where another file is there already.
    """
    content = save(dict(weights), metadata={_ENTRY: about.model_dump_json(exclude_defaults=True)})
    if path.exists() and not (path.is_file() and path.read_bytes() == content):
        raise BenchError("something else is here already", where=path, fix="name another file with --out")
    with atomic(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path) -> str:
    """Of the whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def about(path: Path) -> About:
    """What ``path`` says of itself; BenchError where neither ``fhpt-bench import`` nor ``export`` wrote it."""
    if not path.is_file():
        raise BenchError("no such file", where=path, fix="fhpt-bench import and export write one")
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(_ENTRY, "")
    except (SafetensorError, OSError) as error:
        raise BenchError(f"not a safetensors file: {error}", where=path, fix="import or export it again") from error
    try:
        return About.model_validate(json.loads(said))
    except (ValueError, ValidationError) as error:
        raise BenchError(
            "these weights do not say which baseline they are of",
            where=path,
            fix="name a file that `fhpt-bench import` or `export` wrote",
        ) from error
