"""``fhpt-bench import``: weights that the authors of a system published, as weights of our baseline."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.importing import imported
from fhpt_bench.importing.mapping import Released
from fhpt_bench.importing.matching import Match, Shapes, match, shapes_of, taken, written
from fhpt_bench.importing.reading import StateFile, read


@dataclass(frozen=True)
class FileReport:
    """What was found in one file, against the part it is nearest to."""

    file: StateFile
    match: Match | None
    """None: no state dict where one is expected, or nothing to compare it with."""
    known_as: str = ""
    """Which other published model it is, where that is known."""


@dataclass(frozen=True)
class Report:
    """What became of an import."""

    baseline: str
    model: str
    """The published model that the files are, or are nearest to; empty where none is documented."""
    files: tuple[FileReport, ...]
    lacking: tuple[str, ...] = ()
    """Parts of the model for which no file was given."""
    out: Path | None = None
    """What was written; None: the files do not fit, and nothing was."""
    sha256: str = ""

    @property
    def twice(self) -> tuple[str, ...]:
        """Parts that more than one file is."""
        parts = Counter(report.match.part.name for report in self.files if report.match)
        return tuple(sorted(part for part, count in parts.items() if count > 1))

    @property
    def fits(self) -> bool:
        """Whether every file is one part of the model, wholly, and no part lacks its file."""
        return bool(self.model) and not (self.problems or self.lacking or self.twice)

    @property
    def problems(self) -> int:
        """How far the files are from the model: keys that differ; all of a file that holds nothing to compare."""
        return sum(max(1, len(r.file.content)) if r.match is None else r.match.problems for r in self.files)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "baseline": self.baseline, "model": self.model, "fits": self.fits,
            "lacking": self.lacking, "twice": self.twice,
            "out": str(self.out) if self.out else None, "sha256": self.sha256 or None,
            "files": [_file_as_json(report) for report in self.files],
        }  # fmt: skip


def import_weights(baseline: str, files: Sequence[Path], out: Path | None = None) -> Report:
    """Read published checkpoints and write them as weights of ``baseline``.

    ``files``: every file of one published model, in any order. ``out``: the safetensors to write; default
    ``<model>.safetensors`` here. Written only if ``Report.fits``; else the report lists every key that differs from
    the published model that is nearest. Raises BenchError where a file cannot be read or ``baseline`` imports nothing.
    """
    package, known, other = _published(baseline)
    if not files:
        raise BenchError("no file to import", fix="name the published checkpoint")
    read_files = [read(path) for path in files]
    reports = [_compare(package, released, read_files, other) for released in known]
    if not reports:
        return Report(package, "", tuple(FileReport(file, None) for file in read_files))
    report = min(reports, key=lambda r: (not r.fits, r.problems, len(r.lacking)))
    if not report.fits:
        return report
    (released,) = (entry for entry in known if entry.name == report.model)
    originals = tuple(
        imported.Original(file=r.file.path.name, sha256=r.file.sha256, part=r.match.part.name)
        for r in report.files
        if r.match
    )
    weights = {k: v for r in report.files if r.match for k, v in taken(r.file, r.match.part).items()}
    about = imported.About(name=released.name, baseline=package, config=released.config, originals=originals)
    to = out or Path(f"{released.name}.safetensors")
    return Report(package, released.name, report.files, out=to, sha256=imported.write(to, weights, about))


def _published(baseline: str) -> tuple[str, Sequence[Released], Callable[[Shapes], str]]:
    """Package name, what its released.py documents, and how it recognises other models."""
    folders = {folder.name for folder in registry.baseline_folders()}
    package = {"rate": "rate_net"}.get(baseline, baseline.replace("-", "_"))
    have = sorted(name for name in folders if find_spec(f"fhpt_bench.baselines.{name}.released"))
    if package not in have:
        raise BenchError(
            f"nothing can be imported for {baseline!r}",
            fix=f"name one of {', '.join(n.replace('_', '-') for n in have)}",
        )
    module = importlib.import_module(f"fhpt_bench.baselines.{package}.released")
    return package, module.released_keys(), getattr(module, "other_model", lambda shapes: "")


def _compare(package: str, released: Released, files: Sequence[StateFile], other: Callable[[Shapes], str]) -> Report:
    with torch.device("meta"):
        ours = shapes_of(released.network().state_dict())
    reports, free = [], {part.name for part in released.parts}
    for file in files:
        matches = [found for part in released.parts if (found := match(file, part, ours)) is not None]
        best = min(matches, key=lambda m: (m.problems, m.part.name not in free), default=None)
        if best:
            free.discard(best.part.name)
        tensors = file.tensors() or {}
        reports.append(FileReport(file, best, other(shapes_of(tensors)) if best is None or best.problems else ""))
    return Report(package, released.name, tuple(reports), lacking=tuple(sorted(free)))


def _file_as_json(report: FileReport) -> dict[str, Any]:
    result: dict[str, Any] = {"file": str(report.file.path), "sha256": report.file.sha256}
    if report.known_as:
        result["known_as"] = report.known_as
    found = report.match
    if found is None:
        return result | {"part": None, "keys": {str(k): _kind(v) for k, v in report.file.content.items()}}
    return result | {
        "part": found.part.name, "taken": found.found, "dropped": dict(found.dropped), "filled": found.filled,
        "unknown": found.unknown, "missing": found.missing, "misshapen": found.misshapen, "unfit": found.unfit,
    }  # fmt: skip


def _kind(value: object) -> str:
    return written(tuple(value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__


__all__ = ["FileReport", "Report", "import_weights"]
