"""A small data set, protocol and models, made up for the tests of the harness. No network is needed."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from fhpt_bench.types import Pair, Photo, Pose

SIZE = (64, 48)
PROTOCOL = """
name = "mini-v1"
title = "Pixels only, for tests"
frozen = false
data = "mini"
size = [64, 48]
headline = ["ssim", "psnr"]
[[metrics]]
use = "ssim"
name = "ssim"
[[metrics]]
use = "psnr"
name = "psnr"
"""


class Mini:
    """6 people, 7 pairs each; every picture is a coloured box on noise."""

    name, synthetic, size = "mini", True, SIZE
    people, each = 6, 7

    def __init__(self, split: str = "test") -> None:
        self.split = split
        self.sha256 = hashlib.sha256(f"mini {split}".encode()).hexdigest()

    def __len__(self) -> int:
        return self.people * self.each

    def photo(self, person: int, view: int) -> Photo:
        def read():
            rng = np.random.default_rng([person, view])
            image = rng.integers(200, 256, (*SIZE, 3), dtype=np.uint8)
            image[10 + view : 50, 8 + view : 30 + view] = [40 * person, 90, 20 * view]
            return image

        points = np.full((18, 2), np.nan, np.float32)
        points[:4] = [[20 + view, 12], [20, 20], [15, 22], [28, 22]]
        return Photo(
            f"p{person}-v{view}",
            Pose(points, np.isfinite(points[:, 0]).astype(np.uint8) * 2),
            f"p{person}",
            read,
            {"gender": "women"},
        )

    def __getitem__(self, index: int) -> Pair:
        person, view = divmod(index, self.each)
        source, target = self.photo(person, view), self.photo(person, (view * 3 + 1) % self.each // 2)
        return Pair(f"p{person}-v{view}_2_{index}", source, target)

    def photos(self) -> list[Photo]:
        return [self.photo(p, v) for p in range(self.people) for v in range(self.each)]

    def regions(self, pair: Pair):
        image = pair.target.image
        body = (image < 200).any(2)
        return {"foreground": body, "background": ~body}


class Shift:
    """The source, moved two pixels: wrong, but not absurdly so. Slow on purpose."""

    def __init__(self) -> None:
        self.card = {"name": "shift", "paper": "none"}

    def generate(self, prompts):
        time.sleep(0.02 * len(prompts))
        return [np.roll(prompt.source.image, 2, axis=1) for prompt in prompts]


class Noise:
    """Uses the pair's own seed."""

    def generate(self, prompts):
        return [np.random.default_rng(p.seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8) for p in prompts]


class Bad:
    """Base of models that do something wrong from the third batch on."""

    def __init__(self) -> None:
        self.calls = 0

    def generate(self, prompts):
        self.calls += 1
        good = [p.source.image for p in prompts]
        return good if self.calls < 3 else self.wrong(good)


class RaisesLater(Bad):
    def wrong(self, good):
        raise RuntimeError("out of thread")


class TooFew(Bad):
    def wrong(self, good):
        return good[:-1]


class NotANumber(Bad):
    def wrong(self, good):
        return [np.full((*SIZE, 3), np.nan, np.float32) for _ in good]


class WrongShape(Bad):
    def wrong(self, good):
        return [image[:32] for image in good]


class Floats(Bad):
    def wrong(self, good):
        return [image.astype(np.float32) / 255 for image in good]


class CannotBuild:
    def __init__(self) -> None:
        raise ValueError("no weights here")


class NoGenerate:
    pass


def write_protocol(folder: Path) -> Path:
    path = folder / "mini.toml"
    path.write_text(PROTOCOL)
    return path
