"""The images that every contender measures, and a data set large enough to see memory grow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fhpt_bench import registry
from fhpt_bench.images import write_png
from fhpt_bench.types import Dataset, Image, Mask, Pair, Photo


def catwalk() -> Dataset:
    """The embedded test set."""
    found: Dataset = registry.find("datasets", "catwalk")("test")
    return found


def generated(pair: Pair, number: int) -> Image:
    """Like the output of a model: right in the large, wrong in the small, and no two alike."""
    noise = np.random.default_rng(number).normal(0, 6, pair.target.image.shape)
    return np.clip(np.roll(pair.target.image, 2, axis=1) + noise, 0, 255).astype(np.uint8)


def write(data: Dataset, folder: Path, pairs: int, roles: Sequence[str] = ("generated", "target")) -> None:
    """``folder/<role>/<pair id>.png`` of the first so many pairs, for roles generated, target and source; those there
    already are kept."""
    for number in range(pairs):
        pair = data[number]
        for role in roles:
            path = folder / role / f"{pair.id}.png"
            if not path.exists():
                write_png(path, generated(pair, number) if role == "generated" else getattr(pair, role).image)
    (folder / "pairs.json").write_text(json.dumps([data[i].id for i in range(pairs)]))


def files(folder: Path) -> list[tuple[Path, Path]]:
    """(generated, target) of every pair that ``write`` wrote."""
    ids = json.loads((folder / "pairs.json").read_text())
    return [(folder / "generated" / f"{i}.png", folder / "target" / f"{i}.png") for i in ids]


class Repeated:
    """A data set many times over, each time moved by one more column, so that no two targets have the same content."""

    synthetic = True

    def __init__(self, data: Dataset, times: int) -> None:
        self._data, self._times = data, times
        self.name, self.split, self.size = f"{data.name} x {times}", data.split, data.size
        self.sha256 = hashlib.sha256(f"{data.sha256} {times}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._data) * self._times

    def __getitem__(self, index: int) -> Pair:
        times, at = divmod(index, len(self._data))
        pair = self._data[at]
        return Pair(f"{pair.id}-{times}", pair.source, _moved(pair.target, times))

    def photos(self) -> Sequence[Photo]:
        return [self[i].target for i in range(len(self))]

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        number = int(pair.id.rpartition("-")[2])
        mask = np.zeros(self.size, np.bool_)
        mask[20:-20, 40 + number : -40] = True
        return {"foreground": mask, "background": ~mask, "face": mask, "clothes": mask}


def _moved(photo: Photo, columns: int) -> Photo:
    return Photo(
        f"{photo.id}-{columns}",
        photo.pose,
        photo.person,
        lambda: np.roll(photo.read(), columns, axis=1),
        photo.labels,
    )
