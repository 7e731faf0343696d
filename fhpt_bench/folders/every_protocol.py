"""The same images under every protocol that fits them: each decoded once, each network run once an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.folders.matching import Found
from fhpt_bench.folders.pairs_csv import PairsCSV
from fhpt_bench.folders.scoring import chosen, locate
from fhpt_bench.harness.execute import about_of, disk_errors, owner_of, record_of
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.job import Job, data_ref, default_folder, open_data, resolve
from fhpt_bench.harness.measure import measure as measure_rows
from fhpt_bench.harness.measure import sourceless, unfit
from fhpt_bench.harness.models import Model, slug
from fhpt_bench.protocol import EvalProtocol
from fhpt_bench.record import Record, write_record
from fhpt_bench.types import Dataset, Metric, Rows


@dataclass(frozen=True)
class Line:
    """One protocol: its record, or why there is none."""

    protocol: EvalProtocol
    record: Record | None = None
    why: str = ""


@dataclass(frozen=True)
class SideBySide:
    """What each protocol would have reported of the same images, in order of names."""

    model: str
    data: str
    lines: tuple[Line, ...]

    @property
    def records(self) -> list[Record]:
        return [line.record for line in self.lines if line.record is not None]

    def as_json(self) -> dict[str, Any]:
        """Every record whole; JSON values only."""
        return {
            "model": self.model,
            "data": self.data,
            "protocols": [
                {
                    "protocol": line.protocol.name,
                    "title": line.protocol.title,
                    "unavailable": line.why,
                    "record": line.record.model_dump(mode="json") if line.record else None,
                }
                for line in self.lines
            ],
        }


def measure(
    folder: Path | None,
    *,
    pairs: Path | None = None,
    layout: str = "auto",
    allow_missing: bool = False,
    name: str | None = None,
    data: str | Dataset | None = None,
    split: str = "test",
    out: Path | None = None,
    limit: int | None = None,
    device: str = "auto",
    batch_size: int = 8,
    workers: int = 2,
    seed: int = 0,
    show: bool | None = None,
    only: Sequence[str | Path] | None = None,
) -> tuple[SideBySide, Path]:
    """Measure a folder (or the images of ``pairs``) under the protocols ``only`` (default: all that ship).

    data: default ``catwalk``. Where a data set has several sizes or pair lists, each protocol gets its own. Gives the
    table, and the run folder (default ``runs/all/<name>``) that holds rows and ``<protocol>.json``. Raises BenchError
    as ``score`` does, where no protocol can be measured.
    """
    given: str | Dataset = PairsCSV(pairs) if pairs is not None else "catwalk" if data is None else data
    where = pairs if pairs is not None else folder
    if where is None:
        raise BenchError("no images were named", fix="fhpt-bench score DIR --protocol all")
    open_data(given, split)  # a wrong name is an error of its own, not a reason in every row
    lines: dict[str, Line] = {}
    jobs: dict[str, list[Job]] = {}
    opened: dict[tuple[object, ...], Dataset] = {}
    for each in only or protocols.names():
        protocol = protocols.load(each)
        lines[protocol.name] = Line(protocol)
        try:
            fitting = _open(given, split, protocol, opened)
            if tuple(fitting.size) == protocol.size:
                job = resolve(each, fitting, split, limit, device, seed, batch_size, workers, show)
                jobs.setdefault(job.data.sha256, []).append(job)
            else:
                sizes = [f"{height}x{width}" for height, width in (protocol.size, fitting.size)]
                lines[protocol.name] = Line(protocol, why=f"measures {sizes[0]} images, {fitting.name} has {sizes[1]}")
        except BenchError as error:  # this data set has not what the protocol asks for
            lines[protocol.name] = Line(protocol, why=_one_line(error))
    found, refused = _locate(jobs, where, layout, allow_missing=allow_missing)
    for key, refusal in refused.items():
        lines |= {job.protocol.name: Line(job.protocol, why=_one_line(refusal)) for job in jobs[key]}
    with ExitStack() as stack:
        for each_found in found.values():
            stack.enter_context(closing(each_found))
        first = jobs[next(iter(found))][0]
        root = Path(out) if out is not None else _folder(first, found[first.data.sha256], name)
        for key, images in found.items():
            for record in _measure(jobs[key], images, name, root):
                lines[record.protocol.name] = replace(lines[record.protocol.name], record=record, why="")
    records = [line.record for line in lines.values() if line.record is not None]
    counts = " or ".join(str(count) for count in sorted({record.data.pairs for record in records}))
    about = f"{first.data.name}/{first.data.split}, {counts} pairs" + (" (rendered)" if first.data.synthetic else "")
    return SideBySide(records[0].model.name, about, tuple(lines.values())), root


def _open(
    data: str | Dataset, split: str, protocol: EvalProtocol, opened: dict[tuple[object, ...], Dataset]
) -> Dataset:
    """The data set as the protocol asks for it: its size, its pair list; each only once."""
    key = (protocol.size, protocol.data.partition("@")[2])
    if key not in opened:
        opened[key] = open_data(data, split, protocol)
    return opened[key]


def _locate(
    jobs: Mapping[str, Sequence[Job]], where: Path, layout: str, *, allow_missing: bool
) -> tuple[dict[str, Found], dict[str, BenchError]]:
    """The images for each pair list and size, or why there are none; BenchError where none can be had at all."""
    found: dict[str, Found] = {}
    refused: dict[str, BenchError] = {}
    for key, group in jobs.items():
        try:
            found[key] = locate(group[0], where, layout, allow_missing=allow_missing)
        except BenchError as error:
            refused[key] = error
    if not found:
        nothing = BenchError("no protocol measures images of this size", fix="fhpt-bench list protocols")
        raise next(iter(refused.values()), nothing)
    return found, refused


def _folder(job: Job, found: Found, name: str | None) -> Path:
    _, model = chosen(job, found, name)
    return default_folder("all", model.card.name, data_ref(job))


def _measure(jobs: Sequence[Job], found: Found, name: str | None, root: Path) -> list[Record]:
    """The record of each job: all of one data set at one size."""
    narrowed = [chosen(job, found, name) for job in jobs]
    model = narrowed[0][1]
    shared = Shared([job for job, _ in narrowed])
    job = replace(narrowed[0][0], metrics=shared.metrics)
    folder = RunFolder(root / f"{job.data.size[0]}x{job.data.size[1]}-{job.data.sha256[:8]}")
    with (
        folder.owned(owner_of(job, model, "all protocols")),
        disk_errors(),
        closing(Networks(job.metrics, job.device, job.data.name)) as networks,
    ):
        start = monotonic()
        networks.unfit = sourceless(job)
        networks.unfit = unfits = networks.unfit | unfit(job, networks)
        able = [metric for metric in job.metrics if not networks.why_not(metric)]
        rows, images = measure_rows(
            job.data,
            job.indices,
            found.read,
            able,
            networks,
            folder.rows,
            batch_size=job.batch_size,
            workers=job.workers,
            show=job.show,
        )
        seconds = {"measure": monotonic() - start}
        records = [_record(each, model, shared, rows, unfits, networks, images, seconds) for each, _ in narrowed]
        for record in records:
            write_record(record, root / f"{slug(record.protocol.name)}.json")
    return records


def _record(
    job: Job,
    model: Model,
    shared: Shared,
    rows: Mapping[str, Rows],
    unfits: Mapping[str, str],
    networks: Networks,
    images: str,
    seconds: Mapping[str, float],
) -> Record:
    """One protocol's record of the rows that all share."""
    start = monotonic()
    inside = {metric.name: shared.name(job, metric) for metric in job.metrics}
    networks.unfit = {metric: unfits[name] for metric, name in inside.items() if name in unfits}
    own = {metric: rows[name] for metric, name in inside.items() if name in rows}
    took = dict(seconds)
    return record_of(job, model, own, networks, about_of(job, networks, took), images, took, start)


class Shared:
    """Metrics of several protocols, each distinct one once, under names that are unique among them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.metrics: list[Metric] = []
        self._names: dict[str, str] = {}
        for job in jobs:
            for metric in job.metrics:
                if (key := _settings(job, metric)) not in self._names:
                    twin = metric.name in self._names.values()
                    self.metrics.append(_renamed(metric, job.protocol.name) if twin else metric)
                    self._names[key] = self.metrics[-1].name

    def name(self, job: Job, metric: Metric) -> str:
        """What a job's metric is called here."""
        return self._names[_settings(job, metric)]


def _settings(job: Job, metric: Metric) -> str:
    """Equal for metrics that differ in their name alone."""
    if dataclasses.is_dataclass(metric):  # all of ours are; what a plugin made may not be
        return f"{type(metric)} {repr(metric).replace(f'name={metric.name!r}', '', 1)}"
    return f"{job.protocol.name} {metric.name}"


def _renamed(metric: Any, protocol: str) -> Any:
    """The same metric under a name of its own: two protocols may mean different things by one name."""
    name, can = str(metric.name), dataclasses.is_dataclass(metric)
    if not can:
        raise BenchError(f"two protocols give the name {name!r} to different metrics", fix="score under one at a time")
    return replace(metric, name=f"{name[:-1]},of {protocol}]" if name.endswith("]") else f"{name}[of {protocol}]")


def _one_line(error: BenchError) -> str:
    return " ".join(error.what.split())
