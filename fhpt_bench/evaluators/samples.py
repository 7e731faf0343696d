"""What an evaluator is trained on: photographs and changed copies of them, as the trunk gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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

Through = Callable[[NDArray[np.uint8]], NDArray[Any]]


class Samples(Protocol):
    """The inputs of a network: photograph ``i``, copy ``c`` (0: as it is)."""

    def __len__(self) -> int: ...

    def inputs(self, indices: Sequence[int], copy: int = 0) -> torch.Tensor:
        """N x C x h x w float32 on the CPU."""
        ...


@dataclass(frozen=True)
class Fresh:
    """Made whenever they are asked for: costs a pass through the trunk an epoch, and no disk."""

    photos: Sequence[Photo]
    through: Through

    def __len__(self) -> int:
        return len(self.photos)

    def inputs(self, indices: Sequence[int], copy: int = 0) -> torch.Tensor:
        """See ``Samples``."""
        return torch.from_numpy(self.through(_images(self.photos, indices, copy))).float()


@dataclass(frozen=True)
class Stored:
    """Memory-mapped: made once."""

    files: tuple[tuple[Path, ...], ...]
    """One a copy and chunk."""
    count: int

    def __len__(self) -> int:
        return self.count

    def inputs(self, indices: Sequence[int], copy: int = 0) -> torch.Tensor:
        """See ``Samples``."""
        rows = [np.load(self.files[copy][i // CHUNK], mmap_mode="r", allow_pickle=False)[i % CHUNK] for i in indices]
        return torch.from_numpy(np.stack(rows)).float()


def fresh(data: Dataset, trunk_name: str, device: str) -> Fresh:
    """Every photograph of ``data`` as the trunk gives it (``none``: its pixels), with any number of copies.

    Augmentation depends on the photograph's place in the split and the number of the copy, on nothing else.
    """
    return Fresh(data.photos(), _through(trunk_name, device))


def stored(data: Dataset, trunk_name: str, copies: int, device: str, show: bool | None = None) -> Stored:
    """The same, with ``copies`` changed ones of each, in ``paths.cache()/evaluators/samples``.

    Made once and shared by all evaluators that read the same trunk. Through VGG16 a photograph of 256 x 176 takes
    0.86 MB a copy.
    """
    photos = data.photos()
    version = f"{changes.VERSION} {cells.VERSION}"
    said = f"{data.sha256} {data.split} {trunk_name} {_digest(trunk_name)} {version}"
    root = paths.cache() / "evaluators" / "samples" / hashlib.sha256(said.encode()).hexdigest()[:24]
    starts = range(0, len(photos), CHUNK)
    files = tuple(tuple(root / f"{copy}-{start:06d}.npy" for start in starts) for copy in range(copies + 1))
    missing = [(copy, at) for copy in range(copies + 1) for at in range(len(starts)) if not files[copy][at].is_file()]
    if missing:
        through = _through(trunk_name, device)
        with progress(f"{data.split} photos: {trunk_name}", len(missing), unit="files", show=show) as advance:
            for copy, at in missing:
                indices = range(starts[at], min(starts[at] + CHUNK, len(photos)))
                with paths.atomic(files[copy][at]) as file:
                    np.save(file, through(_images(photos, indices, copy)))
                advance(1)
    return Stored(files, len(photos))


def _images(photos: Sequence[Photo], indices: Sequence[int], copy: int) -> NDArray[np.uint8]:
    found = [photos[i].read() for i in indices]
    if copy:
        found = [
            changes.augment(image, np.random.default_rng([i, copy])) for i, image in zip(indices, found, strict=True)
        ]
    return np.stack(found)


def _through(trunk_name: str, device: str) -> Through:
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
