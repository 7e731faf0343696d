"""Intr-Flow's ``.corr`` files: where each pixel of one photograph lies in another (Li et al., CVPR 2019).

Little-endian: int32 width, int32 height; height x width x 2 float32, x and y in pixels of the other photograph, row by
row; height x width uint8, 0 visible there, 1 not, 2 background. ``<b>_<a>.corr`` says where the pixels of b lie in a.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic

LARGEST = 8192
"""Pixels a side; anything above is no photograph's size."""
_STATES = 3


def read_corr(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Places H x W x 2 (x, y; whatever the file says where the state is background) and states H x W.

    Raises BenchError where the file is missing, or is not of exactly the size that its header says, or where a place of
    the person is no number, or a state is unknown.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(
            f"no flow file: {error.strerror}",
            where=path,
            fix="it is named <target>_<source>.corr; see baselines/intr_flow/README.md",
        ) from error
    width, height = np.frombuffer(content[:8], "<i4") if len(content) >= 8 else (0, 0)
    if not (0 < width <= LARGEST and 0 < height <= LARGEST) or len(content) != 8 + int(width) * int(height) * 9:
        raise BenchError(
            f"not a .corr file: {len(content)} bytes, and a header that says {width} x {height}",
            where=path, fix="int32 width, height; float32 x, y a pixel; uint8 state a pixel",
        )  # fmt: skip
    count = int(width) * int(height)
    places = np.frombuffer(content, "<f4", 2 * count, 8).reshape(height, width, 2).astype(np.float32)
    states = np.frombuffer(content, np.uint8, count, 8 + 8 * count).reshape(height, width).copy()
    if (states >= _STATES).any() or not np.isfinite(places[states < _STATES - 1]).all():
        raise BenchError(
            "a .corr file with unknown states, or places that are no numbers",
            where=path, fix="states are 0 visible, 1 invisible, 2 background",
        )  # fmt: skip
    return places, states


def write_corr(path: Path, places: NDArray[np.float32], states: NDArray[np.uint8]) -> None:
    """Write H x W x 2 places and H x W states, as ``read_corr`` gives them; whole or not at all."""
    height, width = states.shape
    if places.shape != (height, width, 2):
        raise ValueError(f"places {places.shape} for states {states.shape}")
    with atomic(path) as file:
        file.write(np.array([width, height], "<i4").tobytes())
        file.write(np.ascontiguousarray(places, "<f4").tobytes() + np.ascontiguousarray(states, np.uint8).tobytes())
