"""A data set of coloured boxes on noise, and protocols of pixels alone. No network, no file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from fhpt_bench.types import Dataset, Image, Pair, Photo, Pose

SIZE = (64, 48)
PROTOCOL = """
name = "{name}"
title = "Pixels only, for tests"
frozen = false
data = "boxes"
size = [{height}, {width}]
headline = ["ssim", "psnr"]
[[metrics]]
use = "ssim"
name = "ssim"
regions = false
[[metrics]]
use = "psnr"
name = "psnr"
regions = false
"""


class Boxes:
    """6 people, 7 pairs each."""

    name, synthetic, size = "boxes", True, SIZE
    people, each = 6, 7

    def __init__(self, split: str = "test") -> None:
        self.split, self.sha256 = split, hashlib.sha256(f"boxes {split}".encode()).hexdigest()

    def __len__(self) -> int:
        return self.people * self.each

    def photo(self, person: int, view: int) -> Photo:
        def read() -> Image:
            image = np.random.default_rng([person, view]).integers(200, 256, (*SIZE, 3), dtype=np.uint8)
            image[10 + view : 50, 8 + view : 30 + view] = [40 * person, 90, 20 * view]
            return image

        pose = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))
        return Photo(f"p{person}-v{view}", pose, f"p{person}", read)

    def __getitem__(self, index: int) -> Pair:
        person, view = divmod(index, self.each)
        source, target = self.photo(person, view), self.photo(person, (view * 3 + 1) % self.each // 2)
        return Pair(f"p{person}-v{view}_2_{index}", source, target)

    def photos(self) -> list[Photo]:
        return [self.photo(p, v) for p in range(self.people) for v in range(self.each)]

    def regions(self, pair: Pair) -> dict[str, np.ndarray]:
        return {}


NAME = f"{__file__}:Boxes"
"""For ``--data``."""


def write_protocol(folder: Path, height: int = SIZE[0], width: int = SIZE[1], more: str = "", name: str = "") -> Path:
    """A protocol file; ``more``: further ``[[metrics]]``."""
    name = name or f"pixels-{height}x{width}"
    path = folder / f"{name}.toml"
    path.write_text(PROTOCOL.format(name=name, height=height, width=width) + more)
    return path


def moved(data: Dataset) -> dict[str, Image]:
    """One model's images, by pair id: the source photographs, moved two pixels."""
    return {pair.id: np.roll(pair.source.image, 2, axis=1) for pair in (data[i] for i in range(len(data)))}
