"""Features of all training or validation photographs, for protocols that read them (FID of SPGNet, GFLA and their
successors; thresholds calibrated on people apart from test)."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.frechet import Moments
from fhpt_bench.harness.features import Networks
from fhpt_bench.images import pixels_sha256
from fhpt_bench.metrics.batches import full
from fhpt_bench.paths import atomic
from fhpt_bench.progress import progress
from fhpt_bench.types import Dataset, PhotoRows, Rows

AT_ONCE = 32
KEEP_EVERY = 64
"""Batches after which unfinished moments are written: 2,048 photos are minutes of work, and 33 MB."""

Floats = NDArray[np.float64]


def training_rows(data: Dataset, networks: Networks, show: bool | None = None) -> Callable[[str], Rows]:
    """``rows(feature)``: N x D float32 over the training photographs of ``data`` in their order, memory-mapped.

    Measured once, then kept under the hash of the training data and the feature's key, never under a file name.
    The returned function raises BenchError where the data set cannot say what its training photographs are.
    """

    return lambda feature: _kept(_training(data), feature, networks, show)


def training_moments(
    data: Dataset, networks: Networks, show: bool | None = None
) -> Callable[[str, int], tuple[Floats, Floats]]:
    """``moments(feature, batch)``: mean (D) and covariance (D x D) over the training photographs of ``data``.

    In their order; where ``batch`` is not 0, over those in full batches of so many. Streamed: features are not kept,
    so memory and disk (34 MB) do not grow with the number of photographs. Kept as the rows are, under hashes of
    content; a run that is killed goes on where it last wrote. BenchError as ``training_rows``'.
    """

    def moments(feature: str, batch: int) -> tuple[Floats, Floats]:
        training = _training(data)
        count = full(len(training.photos()), batch)
        path = _path(training, networks.features[feature].key, f" first {count}", "npz")
        if not path.is_file():
            _stream(training, feature, networks, path, count, show)
        with np.load(path, allow_pickle=False) as found:
            return found["mean"], found["covariance"]

    return moments


def _training(data: Dataset) -> Dataset:
    training = getattr(data, "training", None)
    if training is None:
        raise BenchError(f"{data.name} cannot say which its training photographs are", fix="use reference = 'targets'")
    split: Dataset = training()
    return split


def validation_rows(data: Dataset, networks: Networks, show: bool | None = None) -> Callable[[str], PhotoRows]:
    """``rows(feature)``: that feature over the validation photographs of ``data``, kept as those of training are.

    The returned function raises BenchError where the data set has no validation photographs.
    """

    def rows(feature: str) -> PhotoRows:
        validation = getattr(data, "validation", None)
        if validation is None:
            raise BenchError(f"{data.name} has no validation photographs", fix="use a fixed threshold")
        split: Dataset = validation()
        photos = split.photos()
        return PhotoRows(
            rows=_kept(split, feature, networks, show),
            ids=[photo.id for photo in photos],
            people=[photo.person for photo in photos],
            labels=[photo.labels for photo in photos],
        )

    return rows


def _kept(data: Dataset, feature: str, networks: Networks, show: bool | None) -> Rows:
    path = _path(data, networks.features[feature].key, "", "npy")
    if not path.is_file():
        _measure(data, feature, networks, path, show)
    mapped: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def _path(data: Dataset, key: str, which: str, suffix: str) -> Path:
    said = f"{data.sha256} {data.split} {key}{which}"
    return paths.cache() / "references" / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.{suffix}"


def _stream(data: Dataset, feature: str, networks: Networks, path: Path, count: int, show: bool | None) -> None:
    unfinished = path.with_suffix(".part.npz")
    photos, moments = data.photos(), _read(unfinished)
    with progress(f"{data.split} photos: {feature}", count, unit="photos", show=show) as advance:
        advance(moments.count)
        for start in range(moments.count, count, AT_ONCE):
            images = np.stack([photo.read() for photo in photos[start : min(start + AT_ONCE, count)]])
            moments.add(networks.features[feature].extract(images))
            advance(len(images))
            if start // AT_ONCE % KEEP_EVERY == KEEP_EVERY - 1:
                _write(unfinished, count=np.array(moments.count), mean=moments.mean, scatter=moments.scatter)
    found = moments.gaussian()
    _write(path, mean=found.mean, covariance=found.covariance)
    unfinished.unlink(missing_ok=True)


def _read(unfinished: Path) -> Moments:
    try:
        with unfinished.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return Moments(int(found["count"]), found["mean"], found["scatter"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # absent, or cut short by a power loss: from the start
        return Moments()


def _write(path: Path, **arrays: NDArray[np.generic] | None) -> None:
    with atomic(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _measure(data: Dataset, feature: str, networks: Networks, path: Path, show: bool | None) -> None:
    photos = data.photos()
    parts: list[Rows] = []
    with progress(f"{data.split} photos: {feature}", len(photos), unit="photos", show=show) as advance:
        for start in range(0, len(photos), AT_ONCE):
            images = [photo.read() for photo in photos[start : start + AT_ONCE]]
            parts.append(networks.true_rows(feature, images, [pixels_sha256(image) for image in images]))
            advance(len(images))
    with atomic(path) as file:
        np.save(file, np.concatenate(parts))
