"""A photographer's soft boxes: many directional lights with shadow maps, summed at each vertex."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fhpt_bench.catwalk_render.body import Array, Floats, Ints
from fhpt_bench.catwalk_render.raster import depth

COUNT = 48
RESOLUTION = 144
"""Cells across a light's depth map: about 13 mm for a standing person."""
BIAS = 0.012
"""Metres a point may lie behind the map before it is in shadow."""


def _unit(*v: float) -> NDArray[np.float64]:
    a = np.array(v, np.float64)
    return a / np.linalg.norm(a)


KEY = _unit(-0.55, -0.72, 0.55)
"""Towards the strongest light."""
_FILL = _unit(0.75, -0.6, 0.2)


def _lights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions spread evenly over the sphere, brighter near key and fill; a plane that faces the camera gets about
    1."""
    i = np.arange(COUNT) + 0.5
    polar, turn = np.arccos(1 - 2 * i / COUNT), np.pi * (1 + 5**0.5) * i
    towards = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    power = 0.30 + 1.6 * np.exp(5 * (towards @ KEY - 1)) + 0.55 * np.exp(4 * (towards @ _FILL - 1))
    power *= np.where(towards[:, 2] < -0.2, 0.45, 1.0)
    power /= (power * np.clip(-towards[:, 1], 0, None)).sum()
    return towards, power[:, None] * np.array([1.0, 0.985, 0.965])


TOWARDS, POWER = _lights()


def irradiance(vertices: Floats, normal: Floats, casters: Ints, wrap: Floats, thin: NDArray[np.int64]) -> Floats:
    """V x 3 light received. wrap: V x 3, how far light creeps round the edge by channel (skin); thin: 1 for two-sided
    sheets (hair)."""
    out = np.zeros((len(vertices), 3), np.float32)
    grid = np.empty((RESOLUTION, RESOLUTION), np.float32)
    for towards, power in zip(TOWARDS, POWER, strict=True):
        across = np.cross([0.0, 0, 1] if abs(towards[2]) < 0.9 else [1.0, 0, 0], towards)
        across /= np.sqrt((across * across).sum())
        frame = np.stack([across, np.cross(towards, across), towards]).astype(np.float32)
        # Written out instead of a matrix product: BLAS may sum in another order with other thread counts.
        x, y, z = (vertices[:, 0] * a[0] + vertices[:, 1] * a[1] + vertices[:, 2] * a[2] for a in frame)
        span = max(x.max() - x.min(), y.max() - y.min()) * np.float32(1.02)
        points = np.stack([(x - x.min()) / span * RESOLUTION, (y - y.min()) / span * RESOLUTION], 1)
        depth(points, z, casters, RESOLUTION, grid)
        _gather(points, z, normal, grid, towards.astype(np.float32), power.astype(np.float32), wrap, BIAS, out, thin)
    return out


@njit(cache=True, nogil=True)
def _gather(
    points: Array, z: Array, normal: Array, grid: Array, towards: Array, power: Array, wrap: Array, bias: float,
    out: Array, thin: Array,
) -> None:  # fmt: skip
    size = grid.shape[0]
    for i in range(points.shape[0]):
        facing = normal[i, 0] * towards[0] + normal[i, 1] * towards[1] + normal[i, 2] * towards[2]
        if thin[i] == 1:
            facing = 0.35 + 0.65 * abs(facing)
        fx = points[i, 0] - 0.5
        fy = points[i, 1] - 0.5
        ix = int(np.floor(fx))
        iy = int(np.floor(fy))
        lit = 0.0
        for dy in range(2):
            for dx in range(2):
                x = min(max(ix + dx, 0), size - 1)
                y = min(max(iy + dy, 0), size - 1)
                if grid[y, x] <= z[i] + bias:
                    lit += (fx - ix if dx else 1 - fx + ix) * (fy - iy if dy else 1 - fy + iy)
        if lit <= 0:
            continue
        for c in range(3):
            share = (facing + wrap[i, c]) / (1 + wrap[i, c])
            if share > 0:
                out[i, c] += lit * share * power[c]
