"""Stick figures with all that a baseline may read in training: parsing, flow, face points, exact by construction.

Everything is derived from body points as ``stick_figures.draw`` paints them, so ``Annotated`` can lend it to the
photographs of any data set with body points (of Market-1501, say); there it is made up, and good for tests only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray
from stick_figures import TORSO, Sticks

from fhpt_bench.datasets.skeletons import CIHP20, FACE_POINTS
from fhpt_bench.types import VISIBLE, Face, Pair, Photo, Pose

# Bones in the order they are painted, each with its parsing class; the torso and the head come last.
BONES = {
    (8, 9): "pants", (9, 10): "right_leg", (11, 12): "pants", (12, 13): "left_leg",
    (2, 3): "right_arm", (3, 4): "right_arm", (5, 6): "left_arm", (6, 7): "left_arm",
}  # fmt: skip
TRUNK, HEAD = len(BONES) + 1, len(BONES) + 2
"""Part numbers after those of the bones, which count from 1; 0 is background."""


def parts(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """H x W: which part of the figure each pixel shows; bones with an unknown end are not painted."""
    sheet = PIL.Image.new("L", (size[1], size[0]))
    pen, thick = PIL.ImageDraw.Draw(sheet), max(2, size[0] // 18)
    at = [tuple(p) if np.isfinite(p).all() else None for p in points.astype(float)]
    for number, (a, b) in enumerate(BONES, 1):
        if at[a] and at[b]:
            pen.line([at[a], at[b]], fill=number, width=thick)
    if all(at[i] for i in TORSO):
        pen.polygon([at[i] for i in TORSO], fill=TRUNK)
    if at[0]:
        (x, y), r = at[0], size[0] * 0.07
        pen.ellipse([x - r, y - r, x + r, y + r], fill=HEAD)
    return np.asarray(sheet)


def parsing(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """H x W, CIHP20; of the head, what lies above the nose is hair."""
    names = ["background", *BONES.values(), "upper_clothes", "face"]
    found = parts(points, size)
    classes = np.array([CIHP20.index(name) for name in names], np.uint8)[found]
    above = np.arange(size[0])[:, None] < points[0, 1]
    return np.where((found == HEAD) & above, CIHP20.index("hair"), classes).astype(np.uint8)


def flow(
    source: NDArray[np.float32], target: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """As ``Catwalk.flow``: each target pixel's place in the source, -1 where unknown, and its state.

    A bone's pixels keep their place along and across the bone; the trunk moves as the affine map of its corners says,
    the head with the nose.
    """
    here, there = parts(target, size), parts(source, size)
    where = np.full((*size, 2), -1, np.float32)
    state = np.where(here > 0, 1, 2).astype(np.uint8)
    for number in np.unique(here[here > 0]):
        rows, columns = np.nonzero(here == number)
        xy = _moved(number, np.stack([columns, rows], 1), source, target)
        if not np.isfinite(xy).all():
            continue
        inside = (xy > -0.5).all(1) & (xy < np.array(size)[::-1] - 0.5).all(1)
        rows, columns, xy = rows[inside], columns[inside], np.maximum(xy[inside], 0)
        where[rows, columns] = xy
        x, y = np.rint(xy).astype(int).T
        state[rows, columns] = np.where(there[y, x] == number, 0, 1)
    return where, state


def _moved(number: int, xy: NDArray[Any], source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    if number == HEAD:
        return xy + (source[0] - target[0])
    if number == TRUNK:
        corners = [np.c_[points[list(TORSO)].astype(float), np.ones(4)] for points in (target, source)]
        if not np.isfinite(corners[1]).all():
            return np.full(xy.shape, np.nan)
        return np.c_[xy, np.ones(len(xy))] @ np.linalg.lstsq(corners[0], corners[1][:, :2], rcond=None)[0]
    a, b = list(BONES)[number - 1]
    frames = []
    for points in (target, source):
        along = (points[b] - points[a]).astype(float)
        unit = along / max(np.hypot(*along), 1e-6)
        frames.append((points[a], along, np.array([-unit[1], unit[0]])))
    (start, along, across), (there, there_along, there_across) = frames
    off = xy - start
    share = off @ along / max(along @ along, 1e-6)
    return there + share[:, None] * there_along + (off @ across)[:, None] * there_across


def face(points: NDArray[np.float32], size: tuple[int, int], *, frontal: bool) -> Face:
    """30 points round the nose, mirror-symmetric, and a box that holds them."""
    x, y, r = *points[0].astype(float), size[0] * 0.07
    heights = {"brow": -0.6, "eye": -0.3, "nose": 0.1, "nostril": 0.2, "mouth": 0.5, "jaw": 0.6, "chin": 0.9}
    apart = {"brow": 0.5, "eye": 0.4, "nostril": 0.15, "mouth": 0.3, "jaw": 0.7}
    placed = []
    for name in FACE_POINTS:
        kind = next(part for part in ("nostril", "brow", "eye", "nose", "mouth", "jaw", "chin") if part in name)
        # The person's right is on the left of the image.
        side = -1 if name.startswith("r_") or "right" in name else 1 if name.startswith("l_") or "left" in name else 0
        placed.append((x + side * r * apart.get(kind, 0.0), y + r * heights[kind]))
    box = (x - r, y - r, x + r, y + r)
    return Face(np.array(placed, np.float32), np.full(len(placed), VISIBLE, np.uint8), box, frontal)


def _with_face(photo: Photo, size: tuple[int, int], *, frontal: bool) -> Photo:
    pose = photo.pose
    if not np.isfinite(pose.keypoints[0]).all():
        return photo
    return replace(photo, pose=Pose(pose.keypoints, pose.visible, face=face(pose.keypoints, size, frontal=frontal)))


class AnnotatedSticks(Sticks):
    """``Sticks`` with faces, parsings and flow; the last photo of each person does not look into the camera."""

    name = "annotated-sticks"
    people: ClassVar = {"train": 3, "val": 1, "test": 2}

    def __init__(self, split: str = "test") -> None:
        super().__init__(split)
        self._photos = [
            _with_face(photo, self.size, frontal=number % self.poses < self.poses - 1)
            for number, photo in enumerate(self._photos)
        ]

    def parsing(self, photo: Photo) -> NDArray[np.uint8]:
        return parsing(photo.pose.keypoints, self.size)

    def flow(self, source: Photo, target: Photo) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return flow(source.pose.keypoints, target.pose.keypoints, self.size)


class Annotated:
    """Any data set, with the annotations of stick figures in its people's poses."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.size = inner, inner.size
        self.name, self.split, self.sha256, self.synthetic = inner.name, inner.split, inner.sha256, True

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, index: int) -> Pair:
        pair = self.inner[index]
        source, target = (_with_face(photo, self.size, frontal=True) for photo in (pair.source, pair.target))
        return Pair(pair.id, source, target)

    def photos(self) -> Sequence[Photo]:
        return [_with_face(photo, self.size, frontal=True) for photo in self.inner.photos()]

    def parsing(self, photo: Photo) -> NDArray[np.uint8]:
        return parsing(photo.pose.keypoints, self.size)

    def flow(self, source: Photo, target: Photo) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return flow(source.pose.keypoints, target.pose.keypoints, self.size)
