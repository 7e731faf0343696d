"""The record of one measurement: what was measured, with what, on what, and every number with its interval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic
from fhpt_bench.protocol import Headline
from fhpt_bench.types import Curve, Score

Kind = Literal["model", "reference", "oracle"]
"""model: ranked. reference (copy-source, blank): sees the prompt only, never ranked. oracle (truth, exact-warp):
sees the target, never ranked."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelCard(_Frozen):
    """Who made the images."""

    name: str
    kind: Kind = "model"
    source: str = ""
    """Where it came from: ``baselines/drn``, a folder, an entry point, ``file.py:Class``."""
    weights_sha256: str | None = None
    key: str = ""
    """Hash of what decides the images: weights and settings of a baseline, the source file of ``file.py:Class``."""
    card: dict[str, Any] = Field(default_factory=dict)
    """The model's own card: paper, parameters, training cost, deviations; JSON values only."""

    @property
    def undertrained(self) -> str:
        """``"12,000 of 48,000 samples"``: how much of its training the model saw, where that was cut short; else empty.

        The card's own word, on one line.
        """
        return " ".join(str(self.card.get("undertrained") or "").split())


class ProtocolRef(_Frozen):
    name: str
    sha256: str
    frozen: bool
    headline: Headline = Field(default_factory=dict)


class DataRef(_Frozen):
    name: str
    split: str
    sha256: str
    pairs: int
    limit: int | None = None
    """``--limit``: only the first so many pairs; such rows are never ranked."""
    synthetic: bool = False
    missing: int = 0
    """Pairs left out because nobody made their image (``--allow-missing``); such rows are never ranked."""


class Provenance(_Frozen):
    created: str
    """ISO 8601, UTC."""
    versions: dict[str, str]
    device: str
    seconds: dict[str, float]
    """Wall time by stage: of this run's own work, so a resumed stage counts only what was left."""
    features: dict[str, str] = Field(default_factory=dict)
    """Feature name -> key (weights hash and preprocessing)."""
    images_sha256: str = ""
    """Hash over every scored image in pair order."""
    command: str = ""
    """Measures this row again; empty where only its owner can."""


class Record(_Frozen):
    """One row of a leaderboard, whole."""

    schema_version: Literal[1] = 1
    model: ModelCard
    protocol: ProtocolRef
    data: DataRef
    seed: int
    people: tuple[str, ...]
    """Sorted: entry k of every ``Score.sums`` / ``counts`` belongs to ``people[k]``."""
    scores: tuple[Score, ...]
    curves: tuple[Curve, ...] = ()
    provenance: Provenance

    @property
    def group(self) -> tuple[str, str, str, int | None]:
        """Rows are ranked together only where this is equal: protocol, data, split and limit."""
        return (self.protocol.sha256, self.data.sha256, self.data.split, self.data.limit)

    def score(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise BenchError(
            f"the record of {self.model.name!r} has no score {name!r}",
            fix=f"it has: {', '.join(s.name for s in self.scores)}",
        )


def write_record(record: Record, path: Path) -> None:
    """Write whole or not at all."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic(path, "w") as file:
        file.write(text)


def read_record(path: Path) -> Record:
    """Read a ``record.json`` (or the run folder that holds one); BenchError where it is absent or not a record."""
    path = path / "record.json" if path.is_dir() else path
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BenchError(
            "no record here", where=path, fix="finish the run first: fhpt-bench run --out that folder"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise BenchError(
            f"not a valid record: {place}: {first['msg']}", where=path, fix="run fhpt-bench score again on the images"
        ) from None
