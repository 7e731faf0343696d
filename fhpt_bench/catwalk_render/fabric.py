"""Procedural cloth: a colour at each point of a garment, from where the point lies on the cloth in metres."""

from __future__ import annotations

import numpy as np
from numba import njit

from fhpt_bench.catwalk_render.body import Array


@njit(cache=True, nogil=True)
def lattice(x: int, y: int, seed: int) -> float:
    """A pseudo-random value 0..1 of an integer point."""
    a = (x * 374761393 + y * 668265263 + seed * 1274126177) & 0xFFFFFFFF
    a = ((a ^ (a >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((a ^ (a >> 16)) & 0xFFFF) / 65535.0


@njit(cache=True, nogil=True)
def noise(x: float, y: float, seed: int) -> float:
    """Smooth value noise 0..1 with unit lattice."""
    ix = int(np.floor(x))
    iy = int(np.floor(y))
    fx = x - ix
    fy = y - iy
    fx = fx * fx * (3 - 2 * fx)
    fy = fy * fy * (3 - 2 * fy)
    top = lattice(ix, iy, seed) * (1 - fx) + lattice(ix + 1, iy, seed) * fx
    bottom = lattice(ix, iy + 1, seed) * (1 - fx) + lattice(ix + 1, iy + 1, seed) * fx
    return top * (1 - fy) + bottom * fy


@njit(cache=True, nogil=True)
def _flower(u: float, v: float, seed: int) -> int:
    """Which of four colours: ground, two petal colours, heart."""
    cu = int(np.floor(u))
    cv = int(np.floor(v))
    which = 0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            x = cu + dx
            y = cv + dy
            du = u - (x + 0.15 + 0.7 * lattice(x, y, seed))
            dv = v - (y + 0.15 + 0.7 * lattice(x, y, seed + 1))
            radius = np.sqrt(du * du + dv * dv)
            angle = np.arctan2(dv, du) + 6.28 * lattice(x, y, seed + 2)
            petal = 0.42 * (0.6 + 0.4 * np.cos(5 * angle)) * (0.6 + 0.4 * lattice(x, y, seed + 3))
            if radius < 0.1:
                which = 3
            elif radius < petal and which != 3:
                which = 1 if lattice(x, y, seed + 4) < 0.6 else 2
    return which


@njit(cache=True, nogil=True)
def _camouflage(u: float, v: float, seed: int) -> int:
    n = noise(u, v, seed) + 0.5 * noise(2 * u, 2 * v, seed + 1)
    if n > 1.0:
        return 3
    if n > 0.78:
        return 2
    return 1 if n > 0.55 else 0


@njit(cache=True, nogil=True)
def _logo(u: float, height: float, front: float, threshold: float, seed: int) -> float:
    """How much of the second colour: a round badge on the chest, only where the cloth faces forwards."""
    if front <= 0.3:
        return 0.0
    du = u / 0.09
    dv = (height - threshold) / 0.07
    radius = du * du + dv * dv
    if radius >= 1.0:
        return 0.0
    if radius > 0.75 or lattice(int(np.floor((du + 2) * 3)), int(np.floor((dv + 2) * 3)), seed) > 0.45:
        return 1.0
    return 0.0


@njit(cache=True, nogil=True)
def _mix(
    kind: int, u: float, v: float, front: float, height: float, scale: float, threshold: float, seed: int
) -> float:
    """Share of the second colour in two-coloured patterns."""
    fu = u / scale - np.floor(u / scale)
    fv = v / scale - np.floor(v / scale)
    share = 0.0
    if kind == 1:
        share = 1.0 if fv < threshold else 0.0
    elif kind == 2:
        share = 1.0 if fu < threshold else 0.0
    elif kind == 3:
        share = 0.5 * ((1.0 if fu < 0.5 else 0.0) + (1.0 if fv < 0.5 else 0.0))
    elif kind == 4:
        row = np.floor(v / scale)
        shifted = u / scale + 0.5 * (int(row) & 1)
        du = shifted - np.floor(shifted) - 0.5
        dv = fv - 0.5
        share = 1.0 if du * du + dv * dv < threshold * threshold else 0.0
    elif kind == 7:
        share = 1.0 if height > threshold else 0.0
    elif kind == 8:
        share = _logo(u, height, front, threshold, seed)
    elif kind == 9:
        share = 0.75 * lattice(int(u * 700), int(v * 350), seed) + 0.12 * noise(u * 90, v * 20, seed)
    return share


@njit(cache=True, nogil=True)
def pattern(kind: int, u: float, v: float, palette: Array, out: Array, front: float, height: float) -> None:
    """Write the linear colour of the cloth into ``out``.

    kind: index in ``wardrobe.PATTERNS``; u, v: metres along the cloth; palette: 5 x 3, four colours and (scale, seed,
    threshold); front: 1 where the cloth faces forwards, -1 backwards; height: metres above the pelvis in the rest pose.
    """
    scale = palette[4, 0]
    seed = int(palette[4, 1])
    if kind in (5, 10):
        which = _flower(u / scale, v / scale, seed) if kind == 5 else _camouflage(u / scale, v / scale, seed)
        for c in range(3):
            out[c] = palette[which, c]
        return
    if kind == 6:
        weave = 0.75 + 0.35 * noise(u * 90, v * 30, seed) + 0.18 * (lattice(int(u * 1500), int(v * 1500), seed) - 0.5)
        fade = 0.25 * np.exp(-((height - palette[4, 2]) ** 2) / 0.03)
        for c in range(3):
            out[c] = min(1.0, palette[0, c] * (weave + fade))
        return
    share = _mix(kind, u, v, front, height, scale, palette[4, 2], seed)
    for c in range(3):
        out[c] = palette[0, c] * (1 - share) + palette[1, c] * share
