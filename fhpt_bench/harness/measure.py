"""PNGs -> rows: decode once, run each network once an image, measure, rest on disk shard by shard."""

from __future__ import annotations

import hashlib
import inspect
import io
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.job import Job
from fhpt_bench.harness.masks import masks as masks_of
from fhpt_bench.harness.memory import give_back
from fhpt_bench.images import pixels_sha256
from fhpt_bench.paths import atomic
from fhpt_bench.progress import progress
from fhpt_bench.types import Batch, Dataset, Image, Mask, Metric, Pair, Rows

SHARD = 32
"""Pairs a file of rows: what a killed run loses at most. A constant, so that --batch-size moves no file."""

Reader = Callable[[str], tuple[Image, str]]
"""Pair id -> generated image and content hash."""


@dataclass(frozen=True, eq=False)
class _Item:
    """One decoded pair."""

    index: int
    pair: Pair
    generated: Image
    generated_hash: str


def order_by_target(target_ids: Sequence[str]) -> list[int]:
    """Pairs with the same target stand together, so that a batch runs the large networks once on it."""
    return sorted(range(len(target_ids)), key=lambda i: (target_ids[i], i))


def measure(
    data: Dataset,
    indices: Sequence[int],
    read: Reader,
    metrics: Sequence[Metric],
    networks: Networks,
    folder: Path,
    *,
    batch_size: int,
    workers: int,
    show: bool | None = None,
) -> tuple[dict[str, Rows], str]:
    """Rows of every metric (row i for ``indices[i]``, memory-mapped from ``folder``) and the hash over all images
    in order.

    A shard on disk is used again only if everything its numbers depend on is unchanged: the images' bytes, the
    data set, the pairs,
    the metric's settings and code, the networks. That key is in the file's name.
    """
    hashes: list[str] = [""] * len(indices)
    files: dict[str, list[tuple[Path, list[int]]]] = {metric.name: [] for metric in metrics}
    order = order_by_target([data[i].target.id for i in indices])
    shards = [order[start : start + SHARD] for start in range(0, len(order), SHARD)]
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        progress("score", len(indices), unit="pairs", show=show) as advance,
    ):
        for number, (positions, items) in enumerate(_ahead(pool, shards, indices, data, read)):
            for position, item in zip(positions, items, strict=True):
                hashes[position] = item.generated_hash
            paths = {m.name: _shard_path(folder, m, number, items, data, networks) for m in metrics}
            todo = [m for m in metrics if not paths[m.name].exists()]
            if todo:
                _measure_shard(items, data, todo, networks, paths, batch_size, pool, advance)
            for metric in metrics:
                files[metric.name].append((paths[metric.name], positions))
            if not todo:
                advance(len(items))
            give_back()
    ids = "".join(f"{data[i].id} {h}\n" for i, h in zip(indices, hashes, strict=True))
    return {m.name: _assemble(folder, m, files[m.name], len(indices)) for m in metrics}, hashlib.sha256(
        ids.encode()
    ).hexdigest()


def _ahead(
    pool: ThreadPoolExecutor, shards: Sequence[list[int]], indices: Sequence[int], data: Dataset, read: Reader
) -> Iterator[tuple[list[int], list[_Item]]]:
    """Decode the next shard while the networks work on this one; never more than two in memory."""

    def load(position: int) -> _Item:
        pair = data[indices[position]]
        generated, digest = read(pair.id)
        return _Item(indices[position], pair, generated, digest)

    waiting: list[list[Future[_Item]]] = []
    for number, positions in enumerate(shards):
        if not waiting:
            waiting.append([pool.submit(load, p) for p in positions])
        if number + 1 < len(shards):
            waiting.append([pool.submit(load, p) for p in shards[number + 1]])
        yield positions, [future.result() for future in waiting.pop(0)]


def _measure_shard(
    items: Sequence[_Item],
    data: Dataset,
    metrics: Sequence[Metric],
    networks: Networks,
    paths: Mapping[str, Path],
    batch_size: int,
    pool: ThreadPoolExecutor,
    advance: Callable[[int], None],
) -> None:
    parts: dict[str, list[Rows]] = {metric.name: [] for metric in metrics}
    masks = [pool.submit(masks_of, data, item.pair) for item in items]
    for start in range(0, len(items), batch_size):
        chosen = items[start : start + batch_size]
        batch = _batch(chosen, [m.result() for m in masks[start : start + batch_size]], networks)
        for metric in metrics:
            rows = np.asarray(metric.measure(batch), dtype=np.float32)
            if rows.shape != (len(chosen), metric.columns):
                raise BenchError(
                    f"metric {metric.name!r} gave rows of shape {rows.shape}, not {(len(chosen), metric.columns)}",
                    fix="mend the metric",
                )
            parts[metric.name].append(rows)
        advance(len(chosen))
    for name, rows_of in parts.items():
        _save(paths[name], np.concatenate(rows_of))


def sourceless(job: Job) -> dict[str, str]:
    """Metric's name -> that it reads source photographs, where the data set has none (``sources`` is False)."""
    if getattr(job.data, "sources", True):
        return {}
    readers = [m.name for m in job.metrics if any("source" in need.of for need in m.needs)]
    return dict.fromkeys(readers, "no source photographs were given")


def unfit(job: Job, networks: Networks) -> dict[str, str]:
    """Metric's name -> why it cannot take images of this size: tried on the first true image against itself."""
    pair = job.data[job.indices[0]]
    able = [metric for metric in job.metrics if not networks.why_not(metric)]
    batch = _batch([_Item(job.indices[0], pair, pair.target.image, "")], [masks_of(job.data, pair)], networks)
    found: dict[str, str] = {}
    for metric in able:
        try:
            metric.measure(batch)
        except BenchError as error:
            found[metric.name] = " ".join(str(error).split())
    return found


def _batch(items: Sequence[_Item], masks: Sequence[Mapping[str, Mask]], networks: Networks) -> Batch:
    images = {
        "generated": [item.generated for item in items],
        "target": [item.pair.target.image for item in items],
        "source": [item.pair.source.image for item in items],
    }
    stacked = {role: np.stack(found) for role, found in images.items()}
    digests: OrderedDict[int, str] = OrderedDict()

    def content(image: Image) -> str:
        if id(image) not in digests:
            digests[id(image)] = pixels_sha256(image)
        return digests[id(image)]

    needed = {role for roles in networks.roles.values() for role in roles}
    hashes = {role: [content(image) for image in images[role]] for role in sorted(needed)}
    # A pair without a region has 0 pixels of it: left out where any pair lacks it, scores would depend on the batch.
    none = np.zeros(stacked["target"].shape[1:3], np.bool_)
    names = sorted({name for found in masks for name in found})
    regions = {name: np.stack([found.get(name, none) for found in masks]) for name in names}
    return Batch(
        ids=[item.pair.id for item in items],
        generated=stacked["generated"],
        target=stacked["target"],
        source=stacked["source"],
        pairs=[item.pair for item in items],
        regions=regions,
        features=networks.extract(images, hashes),
    )


def _shard_path(
    folder: Path, metric: Metric, number: int, items: Sequence[_Item], data: Dataset, networks: Networks
) -> Path:
    features = [f"{need.feature}={networks.features[need.feature].key}" for need in metric.needs]
    said = "\n".join(
        [
            repr(metric),
            _code(type(metric)),
            data.sha256,
            data.split,
            *features,
            *(f"{i.pair.id} {i.generated_hash}" for i in items),
        ]
    )
    return folder / metric_slug(metric.name) / f"{number:05d}-{hashlib.sha256(said.encode()).hexdigest()[:20]}.npy"


def _code(cls: type) -> str:
    """Hash of the code that defines a metric: its file, and for our own those beside it."""
    try:
        file = Path(inspect.getfile(cls))
    except (TypeError, OSError):
        return repr(cls)
    files = sorted(file.parent.glob("*.py")) if cls.__module__.startswith("fhpt_bench.metrics.") else [file]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def metric_slug(name: str) -> str:
    """Folder name of a metric: ``ssim[gauss1.5]`` -> ``ssim-gauss1.5-<6 digits>``; two metrics never share one."""
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60] or "metric"
    return f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _save(path: Path, rows: Rows) -> None:
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    with atomic(path) as file:
        file.write(buffer.getvalue())
    for old in path.parent.glob(f"{path.name.split('-')[0]}-*.npy"):
        if old != path:
            old.unlink(missing_ok=True)


def _assemble(folder: Path, metric: Metric, files: Sequence[tuple[Path, list[int]]], pairs: int) -> Rows:
    """Shards -> one mapped file in pair order, so that memory does not grow with the number of pairs."""
    path = folder / metric_slug(metric.name) / "rows.npy"
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(pairs, metric.columns))
    for shard, positions in files:
        whole[positions] = np.load(shard, allow_pickle=False)
    whole.flush()
    del whole
    mapped: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return mapped
