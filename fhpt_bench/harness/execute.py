"""Runs a job to its record: generate, measure, summarise, write."""

from __future__ import annotations

import errno
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import ParamSpec, TypeVar

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.harness import models
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.generate import generate
from fhpt_bench.harness.job import Job, data_ref, protocol_ref
from fhpt_bench.harness.measure import Reader, measure, sourceless, unfit
from fhpt_bench.harness.reference import training_moments, training_rows, validation_rows
from fhpt_bench.harness.summarise import context, curves, summarise
from fhpt_bench.images import read as read_image
from fhpt_bench.record import Provenance, Record, write_record
from fhpt_bench.types import Context, Rows

PACKAGES = ("fhpt-bench", "torch", "torchvision", "numpy", "scipy", "scikit-image", "lpips", "pillow", "pandas")

P = ParamSpec("P")
T = TypeVar("T")


def execute(job: Job, model: models.Model, where: Path, given: Reader | None = None) -> Record:
    """given: reads the generated images where they are there already; else ``model`` makes them."""
    folder = RunFolder(where)
    seconds: dict[str, float] = {}
    with folder.owned(owner_of(job, model, job.protocol.sha256)), disk_errors():
        folder.record.unlink(missing_ok=True)  # from here on an old record would not be what the folder holds
        start = monotonic()
        if model.generator is not None:
            generate(
                model.generator,
                job.data,
                job.indices,
                folder.images,
                name=model.card.name,
                seed=job.seed,
                batch_size=job.batch_size,
                workers=job.workers,
                show=job.show,
            )
        seconds["generate"], start = monotonic() - start, monotonic()
        with closing(Networks(job.metrics, job.device, job.data.name)) as networks:
            networks.unfit = sourceless(job)
            if "@" in job.protocol.name:  # images of a size that it was not made for
                networks.unfit |= unfit(job, networks)
            able = [metric for metric in job.metrics if not networks.why_not(metric)]
            seconds["networks"], start = monotonic() - start, monotonic()
            read = given or _reader(folder.images, job.data.size)
            rows, images = measure(
                job.data,
                job.indices,
                read,
                able,
                networks,
                folder.rows,
                batch_size=job.batch_size,
                workers=job.workers,
                show=job.show,
            )
            seconds["measure"], start = monotonic() - start, monotonic()
            about = about_of(job, networks, seconds)
            record = record_of(job, model, rows, networks, about, images, seconds, start)
        write_record(record, folder.record)
    return record


def about_of(job: Job, networks: Networks, seconds: dict[str, float]) -> Context:
    """What the summaries may know beside rows; ``seconds["references"]`` counts what the photographs of other splits
    take, which are measured when a summary first asks for them."""
    seconds["references"] = 0.0

    def timed(measured: Callable[P, T]) -> Callable[P, T]:
        def found(*arguments: P.args, **named: P.kwargs) -> T:
            start = monotonic()
            try:
                return measured(*arguments, **named)
            finally:
                seconds["references"] += monotonic() - start

        return found

    return context(
        job.data,
        job.indices,
        job.seed,
        timed(training_rows(job.data, networks, job.show)),
        timed(validation_rows(job.data, networks, job.show)),
        timed(training_moments(job.data, networks, job.show)),
    )


def record_of(
    job: Job,
    model: models.Model,
    rows: Mapping[str, Rows],
    networks: Networks,
    about: Context,
    images: str,
    seconds: Mapping[str, float],
    start: float,
) -> Record:
    """The record of rows that are there. images: hash over all of them; start: when summarising began."""
    scores = summarise(job.metrics, rows, networks, about)
    drawn = curves(job.metrics, rows, networks, about)
    took = {**seconds, "summarise": monotonic() - start - seconds["references"]}
    return Record(
        model=model.card,
        protocol=protocol_ref(job.protocol),
        data=data_ref(job),
        seed=job.seed,
        people=tuple(sorted(set(about.people))),
        scores=tuple(scores),
        curves=tuple(drawn),
        provenance=_provenance(job, took, networks, images, _command(job, model)),
    )


def owner_of(job: Job, model: models.Model, protocol: str) -> dict[str, object]:
    """What a run folder belongs to; protocol: its hash."""
    owner: dict[str, object] = {
        "model": model.card.name,
        "model_key": model.card.key,
        "protocol": protocol,
        "data": job.data.sha256,
        "split": job.data.split,
        "limit": job.limit,
        "seed": job.seed,
    }
    if model.folder is not None:
        owner["images"] = str(model.folder.resolve())
        if model.layout not in ("", "ours"):
            owner["layout"] = model.layout
    return owner


def _reader(folder: Path, size: tuple[int, int]) -> Reader:
    return lambda pair_id: read_image(folder / f"{pair_id}.png", size)


def _command(job: Job, model: models.Model) -> str:
    """The command that measures this row again; empty for arrays, which only their owner can pass."""
    if model.generator is None and model.folder is None:
        return ""
    named = model.card.name if model.card.name in registry.names("generators") else model.card.source
    data = [f"--data {job.data.name}", f"--split {job.data.split}"]
    if model.folder is None:
        what = f"run --model {named}"
    elif model.layout == "pairs.csv":
        what, data = f"score --pairs {model.folder.name}", []
    else:
        what = f"score {model.folder.name}"
        data += [f"--layout {model.layout}"] if model.layout not in ("", "ours") else []
    options = [f"--protocol {job.protocol.name}", *data, f"--seed {job.seed}"]
    options += [f"--limit {job.limit}"] if job.limit is not None else []
    options += ["--allow-missing"] if job.missing else []
    return " ".join(["fhpt-bench", what, *options])


def _provenance(job: Job, seconds: Mapping[str, float], networks: Networks, images: str, command: str) -> Provenance:
    read = {need.feature for metric in job.metrics for need in metric.needs}
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions,
        device=_device_name(job.device),
        seconds={stage: round(s, 3) for stage, s in seconds.items()},
        features={name: key for name, key in networks.keys().items() if name in read},
        images_sha256=images,
        command=command,
    )


def _device_name(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()}, {torch.get_num_threads()} threads)"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns "no space left" and "read-only" into an error that says what to do; whatever was finished stays."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        fix = "free some space or choose another --out, then run again: it goes on"
        raise BenchError(f"cannot write: {error.strerror}", where=error.filename, fix=fix) from error
