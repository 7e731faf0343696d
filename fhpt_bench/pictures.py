"""Where a leaderboard's pictures come from: run folders as they are; references and shipped baselines made on the
spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import datasets, registry
from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.folders.matching import Found, find
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.generate import ask
from fhpt_bench.harness.measure import metric_slug
from fhpt_bench.harness.models import find_model
from fhpt_bench.leaderboard import Gallery, GalleryPair
from fhpt_bench.record import Record, read_record
from fhpt_bench.types import Dataset, Image, Pair, Score


def galleries(records: Sequence[Record], folders: Sequence[Path]) -> dict[int, Gallery]:
    """Place in ``records`` -> gallery, for every record whose images can be shown: a run folder of ``folders``
    holds them, or the
    same model (by its key) can make them again. Nothing is decoded or generated until a page shows the pair."""
    held = {f: record for f in folders if (record := _record_of(f)) is not None}
    found: dict[int, Gallery] = {}
    for place, record in enumerate(records):
        try:
            data = datasets.recorded(record.data.name, record.data.split, **_as_measured(record))
        except BenchError:
            continue  # arrays, or a data set that is not here: the numbers stand without pictures
        if data.sha256 != record.data.sha256:
            continue
        folder = next((f for f, r in held.items() if r == record), None)
        gallery = _from_folder(record, data, folder) if folder else _made_again(record, data)
        if gallery is not None:
            found[place] = gallery
    return found


def _as_measured(record: Record) -> dict[str, Any]:
    """The size and pair list of a data set that has several, as the record's protocol asks for them."""
    if record.protocol.name not in protocols.names():
        return {}
    protocol = protocols.load(record.protocol.name)
    return {"size": protocol.size, "made_for": protocol.data}


def _record_of(path: Path) -> Record | None:
    try:
        return read_record(path) if path.is_dir() else None
    except BenchError:
        return None


def _from_folder(record: Record, data: Dataset, folder: Path) -> Gallery | None:
    indices = range(len(data) if record.data.limit is None else record.data.limit)
    images, layout = RunFolder(folder).images, "ours"
    if not images.is_dir():  # a folder of images that `score` measured where they lie
        said = json.loads((folder / "run.json").read_bytes())
        if not said.get("images"):
            return None
        images, layout = Path(said["images"]), said.get("layout", "ours")
    try:
        found = find(images, data, indices, layout=layout, allow_missing=True)
    except BenchError:
        return None
    pairs = [pair for i in indices if (pair := data[i]).id in found.entries]
    if len(pairs) != record.data.pairs:
        return None
    scores = _pair_scores(record, folder, len(pairs))
    return Gallery(
        [
            GalleryPair(
                pair,
                partial(_read, found, pair.id),
                {name: float(values[row]) for name, values in scores.items()},
            )
            for row, pair in enumerate(pairs)
        ]
    )


def _read(found: Found, pair_id: str) -> Image:
    return found.read(pair_id)[0]


def _pair_scores(record: Record, folder: Path, pairs: int) -> Mapping[str, Any]:
    """Score name -> each pair's own value, of the metrics whose rows are such values (a distribution's are
    features)."""
    found: dict[str, Any] = {}
    for metric in protocols.load(record.protocol.name).build() if record.protocol.name in protocols.names() else ():
        names = [s.name for s in record.scores if s.name == metric.name or s.name.startswith(f"{metric.name}/")]
        path = RunFolder(folder).rows / metric_slug(metric.name) / "rows.npy"
        if len(names) == metric.columns and path.is_file():
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
            if rows.shape == (pairs, metric.columns):
                columns = {name: rows[:, column] for column, name in enumerate(names)}
                found |= {name: values for name, values in columns.items() if _is_mean_of(record.score(name), values)}
    return found


def _is_mean_of(score: Score, values: NDArray[np.float32]) -> bool:
    """Whether a score is the mean of these values: a metric may well have as many columns as scores and not be."""
    if score.sums is None or score.counts is None or sum(score.counts) != np.isfinite(values).sum():
        return False
    return bool(np.isclose(np.nansum(values, dtype=np.float64), sum(score.sums), rtol=1e-6, atol=1e-9))


def _made_again(record: Record, data: Dataset) -> Gallery | None:
    if record.model.name not in registry.names("generators"):  # a record's word never runs code
        return None
    try:
        model = find_model(record.model.name, data=data, device="cpu")
    except BenchError:
        return None
    if model.generator is None or model.card.key != record.model.key:
        return None

    def make(pair: Pair) -> Callable[[], Image]:
        return lambda: ask(model.generator, [pair], name=record.model.name, seed=record.seed, size=data.size)[0]

    return Gallery([GalleryPair(pair, make(pair), {}) for pair in (data[i] for i in range(record.data.pairs))])
