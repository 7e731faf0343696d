"""A data set for tests of training: coloured stick figures. People differ by colours, photos of a person by pose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import PIL.Image
import PIL.ImageDraw

from fhpt_bench.types import OUTSIDE, VISIBLE, Image, Mask, Pair, Photo, Pose

# Points in units of the body's height, by BODY18; the arms (3, 4, 6, 7) are moved from photo to photo.
BODY = np.array(
    [[0, .1], [0, .22], [-.1, .22], [-.14, .36], [-.14, .5], [.1, .22], [.14, .36], [.14, .5], [-.06, .52], [-.06, .74],
     [-.06, .95], [.06, .52], [.06, .74], [.06, .95], [-.02, .08], [.02, .08], [-.04, .09], [.04, .09]],
    dtype=np.float32,
)  # fmt: skip
TORSO, ARMS, LEGS = (2, 5, 11, 8), ((2, 3), (3, 4), (5, 6), (6, 7)), ((8, 9), (9, 10), (11, 12), (12, 13))


class Sticks:
    """``people`` figures of ``poses`` photos each; every ordered pair of a person's photos."""

    name = "sticks"
    synthetic = True
    size = (64, 44)
    people: ClassVar = {"train": 3, "val": 2, "test": 2}
    poses = 3

    def __init__(self, split: str = "test") -> None:
        self.split = split
        self.sha256 = hashlib.sha256(f"sticks {split} {self.size}".encode()).hexdigest()
        first = {"train": 0, "val": 1000, "test": 2000}[split]
        self._photos = [self._photo(first + p, v) for p in range(self.people[split]) for v in range(self.poses)]

    def _photo(self, person: int, view: int) -> Photo:
        rng = np.random.default_rng((person, view))
        points = BODY.copy()
        for elbow, wrist, shoulder, side in ((3, 4, 2, -1), (6, 7, 5, 1)):
            for joint, above in ((elbow, shoulder), (wrist, elbow)):
                angle = rng.uniform(0, 2.0)
                points[joint] = points[above] + 0.14 * np.array([side * np.sin(angle), np.cos(angle)])
        height, width = self.size
        keypoints = (points * height + [width / 2, 0]).astype(np.float32)
        visible = np.full(18, VISIBLE, np.uint8)
        visible[17] = OUTSIDE
        keypoints[17] = np.nan
        colours = [tuple(c) for c in np.random.default_rng(person).integers(20, 220, (3, 3)).tolist()]
        return Photo(
            f"p{person}-{view}", Pose(keypoints, visible), f"p{person}", partial(draw, keypoints, colours, self.size)
        )

    def __len__(self) -> int:
        return len(self._photos) * (self.poses - 1)

    def __getitem__(self, index: int) -> Pair:
        source, step = divmod(index, self.poses - 1)
        person, view = divmod(source, self.poses)
        target = person * self.poses + (view + 1 + step) % self.poses
        a, b = self._photos[source], self._photos[target]
        return Pair(f"{a.id}_2_{b.id}", a, b)

    def photos(self) -> Sequence[Photo]:
        return self._photos

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        return {}


class LargeSticks(Sticks):
    """At Catwalk's size."""

    size = (256, 176)


def draw(points: np.ndarray, colours: Sequence[tuple[int, ...]], size: tuple[int, int]) -> Image:
    """The figure on white: torso and arms, legs, head."""
    sheet = PIL.Image.new("RGB", (size[1], size[0]), "white")
    pen, thick = PIL.ImageDraw.Draw(sheet), max(2, size[0] // 18)
    at = [tuple(p) for p in np.nan_to_num(points).tolist()]
    for bones, colour in ((LEGS, colours[1]), (ARMS, colours[0])):
        for a, b in bones:
            pen.line([at[a], at[b]], fill=colour, width=thick)
    pen.polygon([at[i] for i in TORSO], fill=colours[0])
    (x, y), r = at[0], size[0] * 0.07
    pen.ellipse([x - r, y - r, x + r, y + r], fill=colours[2])
    return np.asarray(sheet)
