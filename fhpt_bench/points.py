"""The points of a person as one row of numbers: what every keypoint detector gives, and what a data set knows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fhpt_bench.datasets.skeletons import BODY18, FACE_POINTS, HAND21
from fhpt_bench.types import OUTSIDE, Pose

Floats = NDArray[np.float32]

_BODY, _HAND, _FACE = len(BODY18), len(HAND21), len(FACE_POINTS)
POINTS = _BODY + 2 * _HAND + _FACE
"""18 body points, 21 of the right hand, 21 of the left, 30 of the face: 90."""
WIDTH = 3 * POINTS
"""Numbers a row: x, y, confidence of each point."""

PARTS: Mapping[str, slice] = {
    "body": slice(0, _BODY),
    "right_hand": slice(_BODY, _BODY + _HAND),
    "left_hand": slice(_BODY + _HAND, _BODY + 2 * _HAND),
    "hands": slice(_BODY, _BODY + 2 * _HAND),
    "face": slice(_BODY + 2 * _HAND, POINTS),
}
"""Where each part stands among the points. Left and right are the person's own."""


def pack(
    body: ArrayLike | None = None,
    right_hand: ArrayLike | None = None,
    left_hand: ArrayLike | None = None,
    face: ArrayLike | None = None,
) -> Floats:
    """What a detector found in one image -> a row of ``WIDTH`` float32.

    Each part: P x 3 (x, y in pixels, confidence 0..1) in the order of ``skeletons``, NaN x and y for a point that was
    not found; None: the part was not found. A point that was not found has confidence 0.
    """
    row: Floats = np.full((POINTS, 3), np.nan, np.float32)
    row[:, 2] = 0
    found = {"body": body, "right_hand": right_hand, "left_hand": left_hand, "face": face}
    for part, points in found.items():
        if points is not None:
            row[PARTS[part]] = np.asarray(points, np.float32)
    row[np.isnan(row[:, :2]).any(axis=1)] = (np.nan, np.nan, 0)
    return row.reshape(WIDTH)


def unpack(rows: ArrayLike) -> tuple[Floats, Floats]:
    """N x ``WIDTH`` -> points N x 90 x 2 in pixels (NaN: not found) and confidence N x 90."""
    points: Floats = np.asarray(rows, np.float32).reshape(-1, POINTS, 3)
    return points[:, :, :2], points[:, :, 2]


def truth(pose: Pose) -> tuple[Floats, NDArray[np.uint8]]:
    """A data set's own annotation: points 90 x 2 in pixels (NaN: unknown), and OUTSIDE / OCCLUDED / VISIBLE, 90."""
    points: Floats = np.full((POINTS, 2), np.nan, np.float32)
    visible: NDArray[np.uint8] = np.full(POINTS, OUTSIDE, np.uint8)
    points[PARTS["body"]], visible[PARTS["body"]] = pose.keypoints, pose.visible
    if pose.hands is not None and pose.hands_visible is not None:
        points[PARTS["hands"]] = pose.hands.reshape(-1, 2)
        visible[PARTS["hands"]] = pose.hands_visible.reshape(-1)
    if pose.face is not None:
        points[PARTS["face"]], visible[PARTS["face"]] = pose.face.points, pose.face.visible
    visible[np.isnan(points).any(axis=1)] = OUTSIDE
    return points, visible
