"""Constructed photographs of any size: a few people with body points, and what a model made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from network_batches import pictures
from numpy.typing import NDArray

from fhpt_bench.types import VISIBLE, Pair, Photo, Pose

Images = NDArray[np.uint8]


class Constructed:
    """``pairs`` pairs of three people; its training photographs are others, five of them."""

    name, synthetic = "constructed", True

    def __init__(self, size: tuple[int, int], pairs: int = 6, split: str = "test", seed: int = 1) -> None:
        self.size, self.split, self._seed = size, split, seed
        self.targets = pictures(pairs, *size, seed=seed)
        self.targets[:, :, : size[1] // 6] = 255  # photographs of this field have a white ground
        self.points = body_points(pairs, size, seed)
        self.sha256 = hashlib.sha256(self.targets.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.targets)

    def photo(self, index: int) -> Photo:
        points = self.points[index]
        inside = ((points > -0.5) & (points < np.array(self.size[::-1]) - 0.5)).all(axis=1)  # NaN is not
        visible = np.where(inside, VISIBLE, 0).astype(np.uint8)
        return Photo(f"t{index:02d}", Pose(points, visible), f"p{index % 3}", lambda: self.targets[index])

    def __getitem__(self, index: int) -> Pair:
        return Pair(f"pair{index:02d}", self.photo((index + 3) % len(self)), self.photo(index))

    def photos(self) -> list[Photo]:
        return [self.photo(i) for i in range(len(self))]

    def regions(self, pair: Pair) -> Mapping[str, NDArray[np.bool_]]:
        return {}

    def training(self) -> Constructed:
        return Constructed(self.size, 5, "train", self._seed + 100)


@dataclass(frozen=True)
class Case:
    """What a protocol is asked to measure."""

    data: Constructed
    generated: Images
    """In the order of the data set's pairs."""

    @property
    def target(self) -> Images:
        return self.data.targets

    @property
    def by_id(self) -> dict[str, Images]:
        return {self.data[i].id: image for i, image in enumerate(self.generated)}


def case(size: tuple[int, int], pairs: int = 6) -> Case:
    """Images of less contrast than the truth, moved and noisy, so that each variant of SSIM has its own value."""
    data = Constructed(size, pairs)
    noise = np.random.default_rng(2).normal(0, 9, data.targets.shape)
    made = np.roll(data.targets, 2, axis=2) * 0.8 + 20 + noise
    return Case(data, np.clip(made, 0, 240).astype(np.uint8))


def body_points(count: int, size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Whole pixels, as annotations have them; of each person two points are not known, one lies outside the frame."""
    rng = np.random.default_rng(seed + 50)
    height, width = size
    points = np.stack([rng.integers(0, width, (count, 18)), rng.integers(0, height, (count, 18))], axis=2)
    points = points.astype(np.float32)
    points[:, (4, 16)] = np.nan
    points[:, 10, 0] = width + 5
    return points
