"""Features of all training or validation photographs, for protocols that read them (FID of SPGNet, GFLA and their
successors; thresholds calibrated on people apart from test)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.images import pixels_sha256
from fhpt_bench.paths import atomic
from fhpt_bench.progress import progress
from fhpt_bench.types import Dataset, PhotoRows, Rows

AT_ONCE = 32


def training_rows(data: Dataset, networks: Networks, show: bool | None = None) -> Callable[[str], Rows]:
    """``rows(feature)``: N x D float32 over the training photographs of ``data`` in their order, memory-mapped.

    Measured once, then kept under the hash of the training data and the feature's key, never under a file name.
    The returned function raises BenchError where the data set cannot say what its training photographs are.
    """

    def rows(feature: str) -> Rows:
        training = getattr(data, "training", None)
        if training is None:
            raise BenchError(
                f"{data.name} cannot say which its training photographs are", fix="use reference = 'targets'"
            )
        return _kept(training(), feature, networks, show)

    return rows


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
    said = f"{data.sha256} {data.split} {networks.features[feature].key}"
    path = paths.cache() / "references" / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.npy"
    if not path.is_file():
        _measure(data, feature, networks, path, show)
    mapped: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


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
