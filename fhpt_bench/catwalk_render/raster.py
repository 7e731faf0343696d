"""The z-buffer: which triangle each sample shows, and where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fhpt_bench.catwalk_render.body import Array, Floats, Ints

_BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8).astype(np.int64)


@dataclass(frozen=True)
class Hits:
    """What the samples of an image show: H x W arrays."""

    triangle: NDArray[np.int32]
    """-1 where nothing is."""
    first: Floats
    second: Floats
    """Barycentric weights of the triangle's first two corners, perspective-correct."""
    nearness: Floats
    """1 / depth in 1/metres; 0 where nothing is."""


def rasterise(
    points: Floats,
    nearness: Floats,
    faces: Ints,
    uv: Floats,
    layer: Ints,
    alpha: NDArray[np.uint8],
    size: tuple[int, int],
    dither: bool,
) -> Hits:
    """Draw triangles into a z-buffer of ``size`` (height, width).

    points: V x 2, in samples, the corner of the first sample at 0; nearness: V, 1 / depth. layer: F, which layer of
    ``alpha`` (L x T x T) cuts holes into the triangle, -1 for none. ``dither``: thin out what is half transparent in a
    4 x 4 pattern, which averages to transparency under 4 x 4 samples a pixel; else cut at one half.
    """
    height, width = size
    triangle = np.full(size, -1, np.int32)
    first, second, near = (np.zeros(size, np.float32) for _ in range(3))
    _draw(points, nearness, faces, uv, layer, alpha, height, width, dither, triangle, first, second, near)
    return Hits(triangle, first, second, near)


@njit(cache=True, nogil=True)
def _opaque(uv: Array, p0: float, p1: float, p2: float, alpha: Array, x: int, y: int, f: int, dither: bool) -> bool:
    u = p0 * uv[0, 0] + p1 * uv[1, 0] + p2 * uv[2, 0]
    v = p0 * uv[0, 1] + p1 * uv[1, 1] + p2 * uv[2, 1]
    a = alpha[int((1.0 - v) * alpha.shape[0]) % alpha.shape[0], int(u * alpha.shape[1]) % alpha.shape[1]]
    if not dither:
        return bool(a > 127)
    # Triangles that overlap must not be thinned out in the same places.
    return bool(a > ((_BAYER[y & 3, x & 3] + ((f * 7) & 15) * 16) & 255))


@njit(cache=True, nogil=True)
def _draw(
    points: Array, nearness: Array, faces: Array, uv: Array, layer: Array, alpha: Array, height: int, width: int,
    dither: bool,
    triangle: Array, first: Array, second: Array, near: Array,
) -> None:  # fmt: skip
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, x1, y1, x2, y2 = (
            points[i0, 0],
            points[i0, 1],
            points[i1, 0],
            points[i1, 1],
            points[i2, 0],
            points[i2, 1],
        )
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        left = max(int(np.floor(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.ceil(max(x0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.floor(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.ceil(max(y0, y1, y2) - 0.5)), height - 1)
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) / area
                w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) / area
                w2 = 1.0 - w0 - w1
                if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                    continue
                z = w0 * nearness[i0] + w1 * nearness[i1] + w2 * nearness[i2]
                if z <= near[y, x]:
                    continue
                p0 = w0 * nearness[i0] / z
                p1 = w1 * nearness[i1] / z
                if layer[f] >= 0 and not _opaque(uv[f], p0, p1, 1.0 - p0 - p1, alpha[layer[f]], x, y, f, dither):
                    continue
                near[y, x] = z
                triangle[y, x] = f
                first[y, x] = p0
                second[y, x] = p1


@njit(cache=True, nogil=True)
def depth(points: Array, z: Array, faces: Array, size: int, out: Array) -> None:
    """Largest ``z`` of the triangles over each cell of a size x size grid; -1e9 where none is."""
    out[:] = -1e9
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, x1, y1, x2, y2 = (
            points[i0, 0],
            points[i0, 1],
            points[i1, 0],
            points[i1, 1],
            points[i2, 0],
            points[i2, 1],
        )
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        left = max(int(np.floor(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.ceil(max(x0, x1, x2) - 0.5)), size - 1)
        top = max(int(np.floor(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.ceil(max(y0, y1, y2) - 0.5)), size - 1)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px = x + 0.5
                py = y + 0.5
                w0 = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) / area
                w1 = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) / area
                w2 = 1.0 - w0 - w1
                if w0 >= 0.0 and w1 >= 0.0 and w2 >= 0.0:
                    d = w0 * z[i0] + w1 * z[i1] + w2 * z[i2]
                    out[y, x] = max(out[y, x], d)


def normals(vertices: Floats, faces: Ints) -> Floats:
    """Unit vertex normals, weighted by area."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.stack(
        [sum(np.bincount(faces[:, k], face[:, i], minlength=len(vertices)) for k in range(3)) for i in range(3)], 1
    )
    return np.asarray(out / np.maximum(np.sqrt((out * out).sum(1, keepdims=True)), 1e-12), np.float32)
