"""Surface maps: for each pixel, which point of the dressed person it shows; and flow between two images by matching
them.

A surface point is named by its part and by where it lies in the rest pose, in metres. On disk a map is a lossless RGBA
image: alpha is the part; red, green and blue are x, y, z in steps of 5 mm from the part's lowest corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from fhpt_bench.types import Mask

Floats = NDArray[np.float32]

PARTS = (
    "background", "head", "torso", "left_arm", "right_arm", "left_hand", "right_hand", "left_leg", "right_leg",
    "hair", "top",
    "left_sleeve", "right_sleeve", "left_trouser", "right_trouser", "skirt", "left_shoe", "right_shoe",
)  # fmt: skip
"""Parts of a dressed person, by index in a surface map."""

_LAYERS = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 4, 4, 4, 5, 5])
"""Skin, hair, top, bottom, shoes: points of different layers are never the same, however near."""
_APART = np.float32(10.0)
"""Metres put between layers so that one search tree serves them all."""
STEP = 0.005
"""Metres between neighbouring codes: a pixel is 3.5 to 7 mm."""


def encode(points: Floats, parts: NDArray[np.uint8], corners: Floats) -> NDArray[np.uint8]:
    """H x W x 3 metres and H x W parts -> H x W x 4 for the file. corners: parts x 3, lowest x, y, z of each part."""
    code = np.rint((points - corners[parts]) / np.float32(STEP))
    rgb = np.where(parts[..., None] > 0, np.clip(code, 0, 255), 0).astype(np.uint8)
    return np.concatenate([rgb, parts[..., None]], -1)


def decode(rgba: NDArray[np.uint8], corners: Floats) -> tuple[Floats, NDArray[np.uint8]]:
    """The inverse of ``encode``, to half a step."""
    parts = np.ascontiguousarray(rgba[..., 3])
    points = corners[parts] + rgba[..., :3].astype(np.float32) * np.float32(STEP)
    return np.where(parts[..., None] > 0, points, np.float32(0)).astype(np.float32), parts


@dataclass(frozen=True, eq=False)
class Surface:
    """What each pixel of one image shows, every ``step``-th pixel of an image of ``size``."""

    points: Floats
    """h x w x 3, metres in the rest pose."""
    parts: NDArray[np.uint8]
    """h x w, index in PARTS; 0 is background."""
    step: int
    """1: full resolution; 2: pixels (0, 0), (2, 0), ..."""
    size: tuple[int, int]

    @cached_property
    def planes(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Over the person's samples (n of them, row by row): sample's pixel (n x 2), and of the plane fitted to the 3
        x 3 samples round it: value (n x 3) and slopes along x and y (n x 3 each), in metres per pixel.

        The fit takes the quantisation noise out and gives the positions between samples.
        """
        layer = _LAYERS[self.parts]
        ys, xs = np.nonzero(layer)
        value, along, down = _fit(self.points, layer, ys, xs)
        at = np.stack([xs, ys], 1).astype(np.float32) * self.step
        step = np.float32(self.step)
        return at, value, (along / step).astype(np.float32), (down / step).astype(np.float32)

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree over the samples' points, layers held apart."""
        _, value, _, _ = self.planes
        return cKDTree(_apart(value, self.parts[self.parts > 0]), balanced_tree=False, compact_nodes=False)

    def at_pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Floats, NDArray[np.uint8]]:
        """Points (n x 3) and parts (n) at full-resolution pixels; part 0 where the nearest sample is background."""
        h, w = self.parts.shape
        r, c = (
            np.minimum((rows + self.step // 2) // self.step, h - 1),
            np.minimum((columns + self.step // 2) // self.step, w - 1),
        )
        parts = self.parts[r, c]
        order = np.cumsum(self.parts.ravel() > 0).reshape(h, w) - 1
        at, value, along, down = self.planes
        k = np.maximum(order[r, c], 0)
        dx, dy = columns[:, None] - at[k, :1], rows[:, None] - at[k, 1:]
        return (value[k] + along[k] * dx + down[k] * dy).astype(np.float32), parts


def _apart(points: Floats, parts: NDArray[np.uint8]) -> Floats:
    out = points.copy()
    out[:, 0] += _LAYERS[parts].astype(np.float32) * _APART
    return out


def _fit(
    points: Floats, layer: NDArray[np.int64], ys: NDArray[np.intp], xs: NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Least-squares plane through those of the 3 x 3 neighbours that lie on the same sheet (same layer, under 4 cm
    away)."""
    padded = np.pad(layer, 1)
    cloud = np.pad(points, ((1, 1), (1, 1), (0, 0)))
    here, mine = points[ys, xs], layer[ys, xs]
    s = np.zeros((6, len(ys)), np.float32)  # sums of 1, dx, dy, dx^2, dx dy, dy^2
    m = np.zeros((3, len(ys), 3), np.float32)  # sums of value, dx value, dy value, relative to the sample itself
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = ys + dy + 1, xs + dx + 1
            away = cloud[r, c] - here
            near = ((padded[r, c] == mine) & ((away * away).sum(1) < 0.04**2)).astype(np.float32)
            s += np.array([[1], [dx], [dy], [dx * dx], [dx * dy], [dy * dy]], np.float32) * near
            m[0] += near[:, None] * away
            m[1] += (near * dx)[:, None] * away
            m[2] += (near * dy)[:, None] * away
    return _solve(s, m, here)


def _solve(s: Floats, m: Floats, here: Floats) -> tuple[Floats, Floats, Floats]:
    """The normal equations, 3 x 3 a sample; a small ridge leaves slopes 0 where neighbours do not determine them."""
    normal = np.empty((s.shape[1], 3, 3), np.float32)
    for i, row in enumerate(((0, 1, 2), (1, 3, 4), (2, 4, 5))):
        for j, k in enumerate(row):
            normal[:, i, j] = s[k]
    normal[:, 1, 1] += 1e-3
    normal[:, 2, 2] += 1e-3
    fitted = np.linalg.solve(normal, m.transpose(1, 0, 2))
    return (here + fitted[:, 0]).astype(np.float32), fitted[:, 1].astype(np.float32), fitted[:, 2].astype(np.float32)


def match(source: Surface, target: Surface, person: Mask) -> tuple[Floats, NDArray[np.uint8]]:
    """For each pixel of the target, where the source shows the same surface point.

    person: H x W, the target's person pixels. Returns H x W x 2 (x, y) pixels in the source, -1 where there is none,
    and H x W state: 0 visible in the source, 1 not, 2 background (Intr-Flow's convention).
    """
    height, width = target.size
    flow, state = np.full((height, width, 2), -1, np.float32), np.full((height, width), 2, np.uint8)
    rows, columns = np.nonzero(person)
    state[rows, columns] = 1
    if not len(rows) or not (source.parts > 0).any():
        return flow, state
    points, parts = target.at_pixels(rows, columns)
    _, nearest = source.tree.query(_apart(points, parts))
    at, value, along, down = source.planes
    off = points - value[nearest]
    step, rest = _refine(off, along[nearest], down[nearest], 0.75 * source.step)
    same = _LAYERS[parts] == _LAYERS[source.parts[source.parts > 0]][nearest]
    pixel = np.sqrt(np.maximum((along[nearest] ** 2).sum(1), (down[nearest] ** 2).sum(1)))
    # Seen where the point is within half a sample of one that shows; more would count points just behind an edge.
    seen = same & (parts > 0) & (rest < np.clip(0.5 * pixel * source.step, 0.005, 0.03))
    xy = at[nearest] + step
    flow[rows[same], columns[same]] = xy[same]
    state[rows[seen], columns[seen]] = 0
    return flow, state


def _refine(off: Floats, along: Floats, down: Floats, limit: float) -> tuple[Floats, Floats]:
    """Step (dx, dy) in pixels from the sample towards the point, at most ``limit`` each way, and metres left over."""
    a, b, c = (along * along).sum(1), (along * down).sum(1), (down * down).sum(1)
    p, q = (along * off).sum(1), (down * off).sum(1)
    ridge = np.float32(1e-8)
    det = (a + ridge) * (c + ridge) - b * b
    x = np.clip(((c + ridge) * p - b * q) / np.maximum(det, 1e-16), -limit, limit)
    y = np.clip(((a + ridge) * q - b * p) / np.maximum(det, 1e-16), -limit, limit)
    left = off - along * x[:, None] - down * y[:, None]
    return np.stack([x, y], 1).astype(np.float32), np.sqrt((left * left).sum(1))
