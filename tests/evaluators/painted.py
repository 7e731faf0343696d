"""A data set for trainings that take seconds: people painted as boxes, what they are plain to see."""

from __future__ import annotations

import hashlib

import numpy as np

from fhpt_bench.types import Pair, Photo, Pose

SIZE = (64, 48)
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (40, 50, 210)}
POSE = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))


class Painted:
    """Nine people for training, six otherwise; two items each, three photographs an item.

    A third are men: painted broad, women narrow.
    """

    name, size, synthetic = "painted", SIZE, True

    def __init__(self, split: str = "test") -> None:
        self.split = split
        self.sha256 = hashlib.sha256(f"painted-1 {split}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.photos()) - 1

    def __getitem__(self, index: int) -> Pair:
        first, second = self.photos()[index : index + 2]
        return Pair(f"{first.id}_{second.id}", first, second)

    def photos(self) -> list[Photo]:
        return [
            self._photo(p, item, view)
            for p in range(9 if self.split == "train" else 6)
            for item in (0, 1)
            for view in range(3)
        ]

    def regions(self, pair: Pair) -> dict[str, np.ndarray]:
        return {}

    def _photo(self, person: int, item: int, view: int) -> Photo:
        seed = {"train": 0, "val": 1, "test": 2}[self.split]
        colour = list(COLOURS)[(person + item + seed) % 3]
        labels = {
            "gender": "men" if person % 3 == 0 else "women", "item": f"{self.split}-{person}-{item}",
            "top": "stripes" if item else "plain", "bottom": "shorts", "top_colour": colour,
        }  # fmt: skip

        def read() -> np.ndarray:
            rng = np.random.default_rng([seed, person, item, view])
            half = (16 if labels["gender"] == "men" else 5) + int(rng.integers(2))
            x, y = 23 + int(rng.integers(-3, 4)), 8 + int(rng.integers(6))
            image = rng.integers(235, 256, (*SIZE, 3), dtype=np.uint8)
            image[y : y + 44, x - half : x + half] = COLOURS[colour]
            if item:
                image[y : y + 44 : 6, x - half : x + half] = 255
            return image

        return Photo(f"{self.split}{person}-{item}-{view}", POSE, f"{self.split}{person}", read, labels)
