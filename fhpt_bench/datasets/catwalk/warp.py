"""The oracle's picture: the source's pixels carried along the exact flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from fhpt_bench.types import Image, Mask


def exact_warp(source: Image, person: Mask, flow: NDArray[np.float32], state: NDArray[np.uint8]) -> Image:
    """The source warped by ``flow`` (bilinear); person pixels it does not show take the nearest visible pixel's colour.

    person: the source's person pixels. flow, state: as ``Catwalk.flow`` gives them. The background is white. Where
    nothing of the person is visible, the person gets the source person's mean colour. H x W x 3.
    """
    out = np.full((*state.shape, 3), 255, np.uint8)
    seen, holes = state == 0, state == 1
    if not seen.any():
        out[holes] = source[person].mean(0).round().astype(np.uint8) if person.any() else 255
        return out
    out[seen] = _bilinear(source, person, flow[seen])
    rows, columns = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    out[holes] = out[rows[holes], columns[holes]]
    return out


def _bilinear(image: Image, person: Mask, at: NDArray[np.float32]) -> NDArray[np.uint8]:
    """n x 3 colours at n x 2 (x, y), from those of the four neighbours that are the person's: no white bleeds in at
    the outline.

    Where none of the four is, the nearest pixel as it is; positions beyond the border take the border's.
    """
    height, width = image.shape[:2]
    x, y = np.clip(at[:, 0], 0, width - 1), np.clip(at[:, 1], 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    total, weight = np.zeros((len(at), 3)), np.zeros((len(at), 1))
    for dy in (0, 1):
        for dx in (0, 1):
            column, row = np.minimum(x0 + dx, width - 1), np.minimum(y0 + dy, height - 1)
            share = np.abs(1 - dx - (x - x0)) * np.abs(1 - dy - (y - y0)) * person[row, column]
            total += share[:, None] * image[row, column]
            weight += share[:, None]
    nearest = image[np.rint(y).astype(int), np.rint(x).astype(int)]
    return np.where(weight > 1e-3, np.rint(total / np.maximum(weight, 1e-3)), nearest).astype(np.uint8)
