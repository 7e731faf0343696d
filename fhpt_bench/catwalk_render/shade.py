"""The colour of each sample: texture or cloth, light, relief, sheen."""

from __future__ import annotations

import numpy as np
from numba import njit

from fhpt_bench.catwalk_render.body import Array
from fhpt_bench.catwalk_render.fabric import noise, pattern


@njit(cache=True, nogil=True)
def _sample(texture: Array, u: float, v: float, out: Array) -> None:
    """Bilinear, wrapping; texture size x size x channels."""
    size = texture.shape[0]
    fx = u * size - 0.5
    fy = (1 - v) * size - 0.5
    ix = int(np.floor(fx))
    iy = int(np.floor(fy))
    ax = fx - ix
    ay = fy - iy
    for c in range(texture.shape[2]):
        top = texture[iy % size, ix % size, c] * (1 - ax) + texture[iy % size, (ix + 1) % size, c] * ax
        bottom = texture[(iy + 1) % size, ix % size, c] * (1 - ax) + texture[(iy + 1) % size, (ix + 1) % size, c] * ax
        out[c] = top * (1 - ay) + bottom * ay


@njit(cache=True, nogil=True)
def _at(values: Array, w0: float, w1: float, w2: float, k: int) -> float:
    value: float = w0 * values[0, k] + w1 * values[1, k] + w2 * values[2, k]
    return value


@njit(cache=True, nogil=True)
def _bend(normal: Array, slope: Array, along: Array, across: Array, strength: float, light: Array) -> float:
    """Tilt the normal by a normal map; returns how much brighter that makes the sample."""
    flat = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    up = normal[2]
    size = 0.0
    for c in range(3):
        normal[c] += strength * (slope[0] * along[c] + slope[1] * across[c])
        size += normal[c] * normal[c]
    for c in range(3):
        normal[c] /= np.sqrt(size) + 1e-9
    bent = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    gain = (0.75 + 0.6 * bent) / (0.75 + 0.6 * flat) if flat > -0.6 else 1.0
    brighter: float = min(max(gain * (1.0 + 0.25 * (normal[2] - up)), 0.45), 1.5)
    return brighter


@njit(cache=True, nogil=True)
def _folds(u: float, v: float, seed: int, strength: float) -> float:
    """Low-frequency creases across the cloth, as a factor of brightness."""
    wu = u + 0.03 * noise(u * 12 + 5, v * 9 + seed, 11)
    wv = v + 0.04 * noise(u * 7, v * 11 + 9, 12)
    height = 0.6 * noise(wu * 34 + wv * 16, wv * 15 - wu * 9, seed) + 0.4 * noise(
        wu * 60 - wv * 30, wv * 24 + wu * 18, seed + 1
    )
    return 1.0 + strength * (height - 0.5)


@njit(cache=True, nogil=True)
def _sheen(normal: Array, half: Array, amount: float, power: float) -> float:
    facing = normal[0] * half[0] + normal[1] * half[1] + normal[2] * half[2]
    return amount * facing**power if facing > 0 else 0.0


@njit(cache=True, nogil=True)
def shade(
    triangle: Array, first: Array, second: Array, faces: Array, uv: Array, cloth: Array, material: Array, layer: Array,
    texture: Array, relief: Array, along: Array, across: Array, normal: Array, rest: Array, light: Array,
    kind: Array, palette: Array, tint: Array, sheen: Array, bump: Array, key: Array, half: Array, out: Array,
) -> None:  # fmt: skip
    """Fill ``out`` (H x W x 3, linear light). Per face: uv (3 x 2), cloth (3 x 3: metres along, down, facing),
    material, layer of ``texture`` and ``relief``, tangents ``along`` and ``across``. Per vertex: normal, rest
    position, light. Per material: pattern ``kind`` (-1 none) and ``palette``, tint, sheen (amount, power), bump
    (normal map, folds, seed)."""
    colour = np.zeros(3)
    cloth_colour = np.zeros(3)
    slope = np.zeros(2)
    n = np.zeros(3)
    for y in range(triangle.shape[0]):
        for x in range(triangle.shape[1]):
            f = triangle[y, x]
            if f < 0:
                continue
            i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
            w0 = first[y, x]
            w1 = second[y, x]
            w2 = 1 - w0 - w1
            m = material[f]
            u = _at(uv[f], w0, w1, w2, 0)
            v = _at(uv[f], w0, w1, w2, 1)
            colour[:] = 1.0
            if layer[f] >= 0:
                _sample(texture[layer[f]], u, v, colour)
            size = 0.0
            for c in range(3):
                n[c] = w0 * normal[i0, c] + w1 * normal[i1, c] + w2 * normal[i2, c]
                size += n[c] * n[c]
            for c in range(3):
                n[c] /= np.sqrt(size) + 1e-9
            gain = 1.0
            if bump[m, 0] > 0 and layer[f] >= 0:
                _sample(relief[layer[f]], u, v, slope)
                gain = _bend(n, slope, along[f], across[f], bump[m, 0], key)
            if kind[m] >= 0 or bump[m, 1] > 0:
                cu = _at(cloth[f], w0, w1, w2, 0)
                cv = _at(cloth[f], w0, w1, w2, 1)
                gain *= _folds(cu, cv, int(bump[m, 2]), bump[m, 1])
                if kind[m] >= 0:
                    height = w0 * rest[i0, 2] + w1 * rest[i1, 2] + w2 * rest[i2, 2]
                    pattern(kind[m], cu, cv, palette[m], cloth_colour, _at(cloth[f], w0, w1, w2, 2), height)
                    for c in range(3):
                        colour[c] *= cloth_colour[c]
            shine = _sheen(n, half, sheen[m, 0], sheen[m, 1])
            shine *= w0 * light[i0, 1] + w1 * light[i1, 1] + w2 * light[i2, 1]
            for c in range(3):
                received = w0 * light[i0, c] + w1 * light[i1, c] + w2 * light[i2, c]
                out[y, x, c] = colour[c] * tint[m, c] * received * gain + shine
