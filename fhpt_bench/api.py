"""The main job, top to bottom: resolve every name, generate, measure, summarise, write the record.

``from fhpt_bench import run, score, compare``; the command line calls exactly these.
"""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from fhpt_bench import protocol as protocols
from fhpt_bench import registry
from fhpt_bench.datasets.arrays import ArrayDataset
from fhpt_bench.errors import BenchError
from fhpt_bench.harness import models
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.generate import generate
from fhpt_bench.harness.measure import Reader, measure
from fhpt_bench.harness.summarise import context, summarise
from fhpt_bench.images import match, pixels_sha256
from fhpt_bench.images import read as read_image
from fhpt_bench.protocol import EvalProtocol
from fhpt_bench.record import DataRef, ModelCard, ProtocolRef, Provenance, Record, read_record, write_record
from fhpt_bench.types import Dataset, Image, Metric

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("fhpt-bench", "torch", "torchvision", "numpy", "scipy", "scikit-image", "lpips", "pillow", "pandas")


@dataclass(frozen=True)
class _Job:
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


def run(
    model: str,
    *,
    protocol: str | Path = "catwalk-v1",
    data: str | Dataset | None = None,
    split: str = "test",
    out: str | Path | None = None,
    limit: int | None = None,
    device: str = "auto",
    batch_size: int = 8,
    workers: int = 2,
    seed: int = 0,
    show: bool | None = None,
) -> Record:
    """Make every pair's image with ``model``, score them under ``protocol``, write and return the record.

    model: a baseline's or reference generator's name, a folder of images, an entry point, ``module:Class`` or
    ``file.py:Class``.
    data: a data set's name (default: the protocol's), a folder that `fhpt-bench data render` wrote, or a Dataset.
    out: the run folder (default ``runs/<protocol>/<model>``); a run that was killed goes on where it stopped.
    limit: only the first so many pairs; such a record is never ranked.
    device, batch_size, workers change no score beyond 1e-6 relative (CPU, fp32).
    Raises BenchError for anything the user can put right; then no record is written.
    """
    job = _resolve(protocol, data, split, limit, device, seed, batch_size, workers, show)
    made_by = models.resolve(model, data=job.data, device=job.device)
    return _execute(job, made_by, _where(out, job, made_by.card.name))


def make(
    model: str,
    *,
    data: str | Dataset = "catwalk",
    split: str = "test",
    out: str | Path,
    limit: int | None = None,
    device: str = "auto",
    batch_size: int = 8,
    workers: int = 2,
    seed: int = 0,
    show: bool | None = None,
) -> int:
    """Only the images: ``out/<pair id>.png`` for every pair that has none; returns how many were made."""
    dataset = _dataset(data, split)
    made_by = models.resolve(model, data=dataset, device=_device(device))
    if made_by.generator is None:
        raise BenchError(f"{model!r} is a folder of images already", fix="score it: fhpt-bench score DIR")
    folder = RunFolder(Path(out))
    owner = {
        "model": made_by.card.name,
        "model_key": made_by.card.key,
        "data": dataset.sha256,
        "split": split,
        "seed": seed,
        "job": "generate",
    }
    with folder.owned(owner), _disk_errors():
        indices = range(_count(dataset, limit))
        return generate(
            made_by.generator,
            dataset,
            indices,
            folder.images,
            name=made_by.card.name,
            seed=seed,
            batch_size=batch_size,
            workers=workers,
            show=show,
        )


def score(
    generated: str | Path | Mapping[str, Image] | Sequence[Image],
    *,
    target: Sequence[Image] | None = None,
    source: Sequence[Image] | None = None,
    people: Sequence[str] | None = None,
    name: str | None = None,
    protocol: str | Path = "catwalk-v1",
    data: str | Dataset | None = None,
    split: str = "test",
    out: str | Path | None = None,
    limit: int | None = None,
    device: str = "auto",
    batch_size: int = 8,
    workers: int = 2,
    seed: int = 0,
    show: bool | None = None,
) -> Record:
    """Score images that are there already: a folder, or arrays (uint8, H x W x 3) inside a training loop.

    generated: a folder with one ``<pair id>.png`` a pair; or arrays by pair id; or arrays in the order of the data
    set's pairs (or
    of ``target``, where true targets are given as arrays too). ``people`` (with ``target``) names each pair's
    person, for the
    intervals. out: keeps rows and record there; without it arrays leave nothing behind.
    """
    if target is not None:
        data = ArrayDataset(target, source, people)
    elif source is not None or people is not None:
        raise BenchError(
            "source= and people= belong to target=", fix="pass target= as well, or name a data set with data="
        )
    if isinstance(generated, (str, Path)):
        folder = Path(generated)
        if not folder.is_dir():
            raise BenchError("no such folder", where=folder, fix="name the folder that holds the generated images")
        job = _resolve(protocol, data, split, limit, device, seed, batch_size, workers, show)
        card = models.resolve(
            str(folder if folder.is_absolute() else Path(".") / folder), data=job.data, device=job.device
        ).card
        card = card.model_copy(update={"name": name} if name else {})
        return _execute(job, models.Model(card=card, folder=folder), _where(out, job, card.name))
    if limit is None and data is None and not isinstance(generated, Mapping):
        limit = len(generated)
    job = _resolve(protocol, data, split, limit, device, seed, batch_size, workers, show)
    images = _by_id(generated, job)
    card = ModelCard(
        name=name or "arrays",
        source="arrays",
        key=hashlib.sha256("".join(pixels_sha256(i) for i in images.values()).encode()).hexdigest(),
    )
    with ExitStack() as stack:
        where = (
            Path(out)
            if out is not None
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhpt-bench-")))
        )
        return _execute(job, models.Model(card=card), where, arrays=images)


def compare(a: str | Path | Record, b: str | Path | Record) -> pd.DataFrame:
    """Every score of two records side by side, with the 95 % interval of a - b over the same people, and a verdict.

    Columns: score, a, b, difference, low, high, verdict (``a`` | ``b`` | ``tie``; empty where either has no value
    or the score has no
    better direction). BenchError unless both were measured under the same protocol on the same data.
    """
    import pandas as pd

    from fhpt_bench.intervals import difference

    first, second = (record if isinstance(record, Record) else read_record(Path(record)) for record in (a, b))
    if first.group != second.group or first.people != second.people:
        parts = ("protocol", "data", "split", "limit")
        what = [part for part, x, y in zip(parts, first.group, second.group, strict=True) if x != y] or ["people"]
        raise BenchError(
            f"the two records differ in {', '.join(what)}: their numbers do not compare",
            fix="score both under one protocol on one data set",
        )
    rows = []
    theirs = {s.name: s for s in second.scores}
    for mine in first.scores:
        other = theirs.get(mine.name)
        row = {
            "score": mine.name,
            "a": mine.value,
            "b": other.value if other else None,
            "difference": None,
            "low": None,
            "high": None,
            "verdict": "",
        }
        if other is not None and mine.value is not None and other.value is not None:
            found = difference(mine, other)
            row |= {"difference": found.value, "low": found.low, "high": found.high}
            if mine.better != "neither":
                row["verdict"] = (
                    "tie" if found.tie else ("a" if (found.value > 0) == (mine.better == "higher") else "b")
                )
        rows.append(row)
    return pd.DataFrame(rows)


def _execute(job: _Job, model: models.Model, where: Path, arrays: Mapping[str, Image] | None = None) -> Record:
    folder = RunFolder(where)
    seconds: dict[str, float] = {}
    owner: dict[str, object] = {
        "model": model.card.name,
        "model_key": model.card.key,
        "protocol": job.protocol.sha256,
        "data": job.data.sha256,
        "split": job.data.split,
        "limit": job.limit,
        "seed": job.seed,
    }
    ids = [job.data[i].id for i in job.indices]
    if model.folder is not None:  # before anything is written
        files = match(model.folder, ids, known=_known(job, ids))
    with folder.owned(owner), _disk_errors():
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
            files = {pair_id: folder.images / f"{pair_id}.png" for pair_id in ids}
        seconds["generate"], start = monotonic() - start, monotonic()
        networks = Networks(job.metrics, job.device)
        able = [metric for metric in job.metrics if not networks.why_not(metric)]
        seconds["networks"], start = monotonic() - start, monotonic()
        read = _reader(arrays, {} if arrays is not None else files, job.data.size)
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
        about = context(job.data, job.indices, job.seed)
        scores = summarise(job.metrics, rows, networks, about)
        seconds["summarise"] = monotonic() - start
        record = Record(
            model=model.card,
            protocol=_protocol_ref(job.protocol),
            data=_data_ref(job),
            seed=job.seed,
            people=tuple(sorted(set(about.people))),
            scores=tuple(scores),
            provenance=_provenance(job, seconds, networks, images),
        )
        write_record(record, folder.record)
    return record


def _resolve(
    protocol: str | Path,
    data: str | Dataset | None,
    split: str,
    limit: int | None,
    device: str,
    seed: int,
    batch_size: int,
    workers: int,
    show: bool | None,
) -> _Job:
    loaded = protocols.load(protocol)
    metrics = loaded.build()
    if batch_size < 1 or workers < 1:
        raise BenchError("batch size and workers must be at least 1", fix="--batch-size 8 --workers 2")
    dataset = _dataset(loaded.data if data is None else data, split)
    if tuple(dataset.size) != loaded.size:
        raise BenchError(
            f"protocol {loaded.name} measures {'x'.join(map(str, loaded.size))} images, "
            f"{dataset.name} has {'x'.join(map(str, dataset.size))}",
            fix="choose a protocol for that size: fhpt-bench list protocols",
        )
    count = _count(dataset, limit)
    return _Job(
        loaded,
        metrics,
        dataset,
        range(count),
        limit if limit is not None and count < len(dataset) else None,
        _device(device),
        seed,
        batch_size,
        workers,
        show,
    )


def _dataset(data: str | Dataset, split: str) -> Dataset:
    if not isinstance(data, str):
        return data
    if (Path(data) / "manifest.json").is_file():
        from fhpt_bench.datasets.catwalk import Catwalk

        rendered: Dataset = Catwalk(split, root=Path(data))
        return rendered
    found: Dataset = registry.find("datasets", data)(split)
    return found


def _count(data: Dataset, limit: int | None) -> int:
    if limit is not None and limit < 1:
        raise BenchError(f"--limit {limit} leaves no pair", fix="give at least 1")
    if len(data) == 0:
        raise BenchError(f"{data.name} ({data.split}) has no pairs", fix="choose another split")
    return len(data) if limit is None else min(limit, len(data))


def _device(device: str) -> str:
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


def _where(out: str | Path | None, job: _Job, model: str) -> Path:
    return Path(out) if out is not None else _default_folder(job.protocol.name, model, _data_ref(job))


def run_folder(record: Record, out: str | Path | None = None) -> Path:
    """Where ``run`` and ``score`` put this record: ``out``, else ``runs/<protocol>/<model>``."""
    return Path(out) if out is not None else _default_folder(record.protocol.name, record.model.name, record.data)


def _default_folder(protocol: str, model: str, data: DataRef) -> Path:
    parts = [models.slug(model)]
    if data.split != "test" or data.name != "catwalk":
        parts += [models.slug(data.name), data.split]
    if data.limit is not None:
        parts.append(f"limit{data.limit}")
    return Path("runs") / models.slug(protocol) / "-".join(parts)


def _known(job: _Job, ids: Sequence[str]) -> set[str]:
    """Ids an image may be called after: all of the data set, so that --limit does not complain of the rest."""
    return set(ids) if job.limit is None else {job.data[i].id for i in range(len(job.data))}


def _by_id(generated: Mapping[str, Image] | Sequence[Image], job: _Job) -> dict[str, Image]:
    ids = [job.data[i].id for i in job.indices]
    if isinstance(generated, Mapping):
        missing = [i for i in ids if i not in generated]
        unmatched = sorted(set(generated) - _known(job, ids))
        if missing or unmatched:
            raise BenchError(
                f"{len(missing)} pairs have no image {missing[:5]}, {len(unmatched)} images no pair {unmatched[:5]}",
                fix="key the arrays by pair id",
            )
        images = {i: np.asarray(generated[i]) for i in ids}
    else:
        if len(generated) != len(ids):
            raise BenchError(
                f"{len(generated)} images for {len(ids)} pairs", fix="pass one a pair, in the data set's order"
            )
        images = {i: np.asarray(image) for i, image in zip(ids, generated, strict=True)}
    for pair_id, image in images.items():
        if image.dtype != np.uint8 or image.shape != (*job.data.size, 3):
            raise BenchError(
                f"image is {image.dtype} {image.shape}",
                where=pair_id,
                fix=f"pass uint8 arrays of shape {(*job.data.size, 3)}",
            )
    return images


def _reader(arrays: Mapping[str, Image] | None, files: Mapping[str, Path], size: tuple[int, int]) -> Reader:
    if arrays is not None:
        return lambda pair_id: (arrays[pair_id], pixels_sha256(arrays[pair_id]))
    return lambda pair_id: read_image(files[pair_id], size)


def _protocol_ref(protocol: EvalProtocol) -> ProtocolRef:
    return ProtocolRef(name=protocol.name, sha256=protocol.sha256, frozen=protocol.frozen, headline=protocol.headline)


def _data_ref(job: _Job) -> DataRef:
    data = job.data
    return DataRef(
        name=data.name,
        split=data.split,
        sha256=data.sha256,
        pairs=len(job.indices),
        limit=job.limit,
        synthetic=data.synthetic,
    )


def _provenance(job: _Job, seconds: Mapping[str, float], networks: Networks, images: str) -> Provenance:
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
        features=networks.keys(),
        images_sha256=images,
    )


def _device_name(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()}, {torch.get_num_threads()} threads)"


class _disk_errors:  # noqa: N801
    """Turns "no space left" and "read-only" into an error that says what to do; whatever was finished stays."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        import errno

        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise BenchError(
                f"cannot write: {error.strerror}",
                where=error.filename,
                fix="free some space or choose another --out, then run again: it goes on",
            ) from error
