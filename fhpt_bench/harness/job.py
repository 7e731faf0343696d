"""A job: every name resolved, every option checked, nothing written yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fhpt_bench import datasets
from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.models import slug
from fhpt_bench.protocol import EvalProtocol
from fhpt_bench.record import DataRef, ProtocolRef, Record
from fhpt_bench.types import Dataset, Metric


@dataclass(frozen=True)
class Job:
    """Everything resolved, nothing written yet."""

    protocol: EvalProtocol
    metrics: Sequence[Metric]
    data: Dataset
    indices: Sequence[int]
    limit: int | None
    device: str
    seed: int
    batch_size: int
    workers: int
    show: bool | None
    missing: int = 0
    """Pairs of a folder without an image, left out of ``indices``."""


def resolve(
    protocol: str | Path,
    data: str | Dataset | None,
    split: str,
    limit: int | None,
    device: str,
    seed: int,
    batch_size: int,
    workers: int,
    show: bool | None,
) -> Job:
    loaded = protocols.load(protocol)
    metrics = loaded.build()
    if batch_size < 1 or workers < 1:
        raise BenchError("batch size and workers must be at least 1", fix="--batch-size 8 --workers 2")
    dataset = open_data(loaded.data if data is None else data, split, loaded)
    if tuple(dataset.size) != loaded.size:
        raise BenchError(
            f"protocol {loaded.name} measures {'x'.join(map(str, loaded.size))} images, "
            f"{dataset.name} has {'x'.join(map(str, dataset.size))}",
            fix="choose a protocol for that size (fhpt-bench list protocols); "
            f"{loaded.name}@{dataset.size[0]}x{dataset.size[1]} takes the same measures of it, under that name",
        )
    count = count_pairs(dataset, limit)
    return Job(
        loaded,
        metrics,
        dataset,
        range(count),
        limit if limit is not None and count < len(dataset) else None,
        pick_device(device),
        seed,
        batch_size,
        workers,
        show,
    )


def open_data(data: str | Dataset, split: str, protocol: EvalProtocol | None = None) -> Dataset:
    """A data set by name or folder, as ``protocol`` needs it; an object is taken as it is."""
    if not isinstance(data, str):
        return data
    if protocol is None:
        return datasets.load(data, split)
    return datasets.load(data, split, size=protocol.size, made_for=protocol.data)


def count_pairs(data: Dataset, limit: int | None) -> int:
    if limit is not None and limit < 1:
        raise BenchError(f"--limit {limit} leaves no pair", fix="give at least 1")
    if len(data) == 0:
        raise BenchError(f"{data.name} ({data.split}) has no pairs", fix="choose another split")
    return len(data) if limit is None else min(limit, len(data))


def pick_device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BenchError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}", fix="--device cpu, or auto"
        ) from None
    return device


def run_folder_of(out: str | Path | None, job: Job, model: str) -> Path:
    return Path(out) if out is not None else default_folder(job.protocol.name, model, data_ref(job))


def run_folder(record: Record, out: str | Path | None = None) -> Path:
    """Where ``run`` and ``score`` put this record: ``out``, else ``runs/<protocol>/<model>``."""
    return Path(out) if out is not None else default_folder(record.protocol.name, record.model.name, record.data)


def default_folder(protocol: str, model: str, data: DataRef) -> Path:
    parts = [slug(model)]
    if data.split != "test" or data.name != "catwalk":
        parts += [slug(data.name), data.split]
    if data.limit is not None:
        parts.append(f"limit{data.limit}")
    return Path("runs") / slug(protocol) / "-".join(parts)


def known_ids(job: Job, ids: Sequence[str]) -> set[str]:
    """Ids an image may be called after: all of the data set, so that --limit does not complain of the rest."""
    return set(ids) if job.limit is None else {job.data[i].id for i in range(len(job.data))}


def protocol_ref(protocol: EvalProtocol) -> ProtocolRef:
    return ProtocolRef(name=protocol.name, sha256=protocol.sha256, frozen=protocol.frozen, headline=protocol.headline)


def data_ref(job: Job) -> DataRef:
    data = job.data
    return DataRef(
        name=data.name,
        split=data.split,
        sha256=data.sha256,
        pairs=len(job.indices),
        limit=job.limit,
        synthetic=data.synthetic,
        missing=job.missing,
    )
