"""What an evaluator is trained on: photographs and their augmented copies, through the trunk once, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fhpt_bench import paths, weights
from fhpt_bench.evaluators import augment as changes
from fhpt_bench.evaluators import cells
from fhpt_bench.evaluators.trunks import trunk
from fhpt_bench.progress import progress
from fhpt_bench.types import Dataset, Photo

CHUNK = 32
"""Photographs a file: a run that was stopped goes on at the file it had not finished."""


@dataclass(frozen=True)
class Samples:
    """The inputs of a network: photograph ``i``, copy ``c`` (0: as it is), memory-mapped."""

    files: tuple[tuple[Path, ...], ...]
    """One a copy and chunk."""
    count: int

    def __len__(self) -> int:
        return self.count

    def inputs(self, indices: Sequence[int], copy: int = 0) -> torch.Tensor:
        """N x C x h x w float32 on the CPU."""
        rows = [np.load(self.files[copy][i // CHUNK], mmap_mode="r", allow_pickle=False)[i % CHUNK] for i in indices]
        return torch.from_numpy(np.stack(rows)).float()


def samples(data: Dataset, trunk_name: str, copies: int, device: str, show: bool | None = None) -> Samples:
    """Every photograph of ``data`` and ``copies`` changed ones of each, as the trunk gives them (``none``: pixels).

    Made once and shared by all evaluators that read the same trunk: ``paths.cache()/evaluators/samples``. Augmentation
    depends on the photograph's place in the split and the number of the copy, on nothing else.
    """
    photos = data.photos()
    version = f"{changes.VERSION} {cells.VERSION}"
    said = f"{data.sha256} {data.split} {trunk_name} {_digest(trunk_name)} {version}"
    root = paths.cache() / "evaluators" / "samples" / hashlib.sha256(said.encode()).hexdigest()[:24]
    starts = range(0, len(photos), CHUNK)
    files = tuple(tuple(root / f"{copy}-{start:06d}.npy" for start in starts) for copy in range(copies + 1))
    missing = [(copy, at) for copy in range(copies + 1) for at in range(len(starts)) if not files[copy][at].is_file()]
    through = _through(trunk_name, device) if missing else None
    with progress(f"{data.split} photos: {trunk_name}", len(missing), unit="files", show=show) as advance:
        for copy, at in missing:
            assert through is not None
            found = through(_images(photos, starts[at], copy))
            with paths.atomic(files[copy][at]) as file:
                np.save(file, found)
            advance(1)
    return Samples(files, len(photos))


def _images(photos: Sequence[Photo], start: int, copy: int) -> NDArray[np.uint8]:
    found = [photo.read() for photo in photos[start : start + CHUNK]]
    if copy:
        found = [changes.augment(image, np.random.default_rng([start + i, copy])) for i, image in enumerate(found)]
    return np.stack(found)


def _through(trunk_name: str, device: str) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    if trunk_name == "none":
        return lambda images: images.transpose(0, 3, 1, 2)
    network = trunk(trunk_name, device)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        # Four at a time: a trunk's finest layers are large.
        parts = [network.cells(images[i : i + 4]).half().cpu().numpy() for i in range(0, len(images), 4)]
        return np.concatenate(parts)

    return run


def _digest(trunk_name: str) -> str:
    return "" if trunk_name == "none" else weights.digest(trunk_name)
