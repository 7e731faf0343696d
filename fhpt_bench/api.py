"""The main job, top to bottom: resolve every name, generate, measure, summarise, write the record.

``from fhpt_bench import run, score, compare``; the command line calls exactly these.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fhpt_bench import protocol as protocols
from fhpt_bench.datasets.arrays import ArrayDataset
from fhpt_bench.errors import BenchError
from fhpt_bench.folders.pairs_csv import PairsCSV
from fhpt_bench.folders.scoring import score_folder
from fhpt_bench.harness import models
from fhpt_bench.harness.execute import disk_errors, execute
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.generate import generate, served
from fhpt_bench.harness.job import (
    Job,
    count_pairs,
    known_ids,
    open_data,
    pick_device,
    resolve,
    run_folder,
    run_folder_of,
)
from fhpt_bench.images import pixels_sha256
from fhpt_bench.record import ModelCard, Record, read_record
from fhpt_bench.types import Dataset, Image

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare", "make", "run", "run_folder", "score"]


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
    allow_missing: bool = False,
) -> Record:
    """Make every pair's image with ``model``, score them under ``protocol``, write and return the record.

    model: a baseline's or reference generator's name, a folder of images (see ``score``), an entry point,
    ``module:Class`` or ``file.py:Class``.
    data: a data set's name (default: the protocol's), a folder that `fhpt-bench data render` wrote, or a Dataset.
    out: the run folder (default ``runs/<protocol>/<model>``); a run that was killed goes on where it stopped.
    limit: only the first so many pairs; such a record is never ranked.
    allow_missing: pairs that the model refuses (see ``types.Generator``), or without an image in a folder, are left
    out; the record counts and names them and is never ranked. Otherwise such a pair is an error.
    device, batch_size, workers change no score beyond 1e-6 relative (CPU, fp32).
    Raises BenchError for anything the user can put right; then no record is written.
    """
    job = resolve(protocol, data, split, limit, device, seed, batch_size, workers, show)
    made_by = models.find_model(model, data=job.data, device=job.device)
    if made_by.folder is not None:
        return score_folder(job, made_by.folder, out=out, allow_missing=allow_missing)
    indices, without = served(
        made_by.generator, job.data, job.indices, name=made_by.card.name, allow_missing=allow_missing
    )
    if without:
        card = made_by.card.model_copy(update={"card": {**made_by.card.card, "refused": without}})
        job, made_by = replace(job, indices=indices, missing=len(without)), replace(made_by, card=card)
    return execute(job, made_by, run_folder_of(out, job, made_by.card.name))


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
    allow_missing: bool = False,
) -> int:
    """Only the images: ``out/<pair id>.png`` for every pair that has none; returns how many were made.

    allow_missing: as for ``run``.
    """
    dataset = open_data(data, split)
    made_by = models.find_model(model, data=dataset, device=pick_device(device))
    if made_by.generator is None:
        raise BenchError(f"{model!r} is a folder of images already", fix="score it: fhpt-bench score DIR")
    count, name = count_pairs(dataset, limit), made_by.card.name
    indices, _ = served(made_by.generator, dataset, range(count), name=name, allow_missing=allow_missing)
    folder = RunFolder(Path(out))
    owner = {
        "model": made_by.card.name,
        "model_key": made_by.card.key,
        "data": dataset.sha256,
        "split": split,
        "seed": seed,
        "job": "generate",
    }
    with folder.owned(owner), disk_errors():
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
    generated: str | Path | Mapping[str, Image] | Sequence[Image] | None = None,
    *,
    pairs: str | Path | None = None,
    layout: str = "auto",
    allow_missing: bool = False,
    target: Sequence[Image] | None = None,
    source: Sequence[Image] | None = None,
    people: Sequence[str] | None = None,
    name: str | None = None,
    protocol: str | Path | None = None,
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

    generated: a folder or zip with one image a pair, named by any layout of ``folders.layouts`` (``layout``: which;
    ``auto`` finds out); or arrays by pair id; or arrays in the order of the data set's pairs (or of ``target``, where
    true targets are given as arrays too). ``people`` (with ``target``) names each pair's person, for the intervals.
    pairs: instead of a folder and a data set, a CSV of paths: ``generated,target[,source][,person]``.
    protocol: default ``catwalk-v1``; with ``pairs`` the one of ``protocol.for_size``. allow_missing: pairs without an
    image are left out, the row says so and is never ranked. out: keeps rows and record there; without it arrays leave
    nothing behind.
    """
    if sum(given is not None for given in (generated, pairs)) != 1:
        raise BenchError("no images were named, or twice", fix="score a folder, arrays, or pairs=")
    data = _given(pairs, target, source, people, data)
    if protocol is None:
        protocol = protocols.for_size(data.size) if isinstance(data, PairsCSV) else "catwalk-v1"
    if limit is None and data is None and not isinstance(generated, (str, Path, Mapping)) and generated is not None:
        limit = len(generated)
    job = resolve(protocol, data, split, limit, device, seed, batch_size, workers, show)
    if pairs is not None or isinstance(generated, (str, Path)):
        folder = Path(pairs if pairs is not None else generated)  # type: ignore[arg-type]
        return score_folder(job, folder, name=name, out=out, layout=layout, allow_missing=allow_missing)
    assert generated is not None
    arrays = _by_id(generated, job)
    card = ModelCard(
        name=name or "arrays",
        source="arrays",
        key=hashlib.sha256("".join(pixels_sha256(i) for i in arrays.values()).encode()).hexdigest(),
    )
    with ExitStack() as stack:
        where = (
            Path(out)
            if out is not None
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhpt-bench-")))
        )
        return execute(job, models.Model(card=card), where, lambda i: (arrays[i], pixels_sha256(arrays[i])))


def _given(
    pairs: str | Path | None,
    target: Sequence[Image] | None,
    source: Sequence[Image] | None,
    people: Sequence[str] | None,
    data: str | Dataset | None,
) -> str | Dataset | None:
    """The data set that the arguments of ``score`` stand for."""
    if pairs is not None:
        if data is not None or target is not None:
            raise BenchError("a pairs CSV is a data set of its own", fix="leave out data= and target=")
        return PairsCSV(pairs)
    if target is not None:
        return ArrayDataset(target, source, people)
    if source is not None or people is not None:
        raise BenchError(
            "source= and people= belong to target=", fix="pass target= as well, or name a data set with data="
        )
    return data


def compare(a: str | Path | Record, b: str | Path | Record) -> pd.DataFrame:
    """Every score of two records side by side, with the 95 % interval of a - b over the same people, and a verdict.

    Columns: score, a, b, difference, low, high, verdict (``a`` | ``b`` | ``tie``; empty where either has no value or
    the score has no better direction). BenchError unless both were measured under the same protocol on the same data.
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
    if first.data.missing or second.data.missing:
        raise BenchError("a record without all its pairs compares with none", fix="score complete folders")
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


def _by_id(generated: Mapping[str, Image] | Sequence[Image], job: Job) -> dict[str, Image]:
    ids = [job.data[i].id for i in job.indices]
    if isinstance(generated, Mapping):
        missing = [i for i in ids if i not in generated]
        unmatched = sorted(set(generated) - known_ids(job, ids))
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
