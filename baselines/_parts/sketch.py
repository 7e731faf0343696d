"""Face points -> a line drawing of the face: the pose that DRN's face module reads (FHPT paper)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fhpt_bench.datasets.skeletons import FACE_POINTS

_LINES = (
    ("jaw_right_upper", "jaw_right", "jaw_right_lower", "chin", "jaw_left_lower", "jaw_left", "jaw_left_upper"),
    ("r_brow_outer", "r_brow_middle", "r_brow_inner"),
    ("l_brow_inner", "l_brow_middle", "l_brow_outer"),
    ("r_eye_outer", "r_eye_top", "r_eye_inner", "r_eye_bottom", "r_eye_outer"),
    ("l_eye_inner", "l_eye_top", "l_eye_outer", "l_eye_bottom", "l_eye_inner"),
    ("nose_bridge", "nose_tip", "nose_base"),
    ("r_nostril", "nose_base", "l_nostril"),
    ("mouth_right", "mouth_top", "mouth_left", "mouth_bottom", "mouth_right"),
)
"""Lines from point to point; eyes and mouth are closed."""

STROKES = tuple((FACE_POINTS.index(a), FACE_POINTS.index(b)) for line in _LINES for a, b in pairwise(line))
"""Pairs of places in ``skeletons.FACE_POINTS`` that are joined by a straight stroke."""


def sketch(points: Tensor, size: tuple[int, int], softness: float) -> Tensor:
    """Face points (N x 30 x 2, x and y in pixels, NaN where unknown) -> N x 1 x H x W, float32 in 0..1.

    exp(-d^2 / (2 softness^2)), d being the distance from the nearest stroke in pixels: 1 on a line. A stroke with an
    unknown end is not drawn. Raises ValueError for another number of points.
    """
    if points.shape[1] != len(FACE_POINTS):
        raise ValueError(f"{points.shape[1]} points are no face of {len(FACE_POINTS)}")
    start, end = points[:, [a for a, _ in STROKES]], points[:, [b for _, b in STROKES]]  # N x strokes x 2
    known = torch.isfinite(start).all(2) & torch.isfinite(end).all(2)
    start, along = torch.nan_to_num(start), torch.nan_to_num(end - start)
    rows, columns = (torch.arange(n, device=points.device, dtype=torch.float32) for n in size)
    dx, dy = columns - start[..., :1], rows - start[..., 1:]  # N x strokes x W, N x strokes x H
    ax, ay = along[..., 0, None, None], along[..., 1, None, None]
    dx, dy = dx[:, :, None, :], dy[:, :, :, None]
    # How far along the stroke its point nearest to the pixel lies, 0 at its start, 1 at its end.
    share = ((dx * ax + dy * ay) / (ax.square() + ay.square()).clamp(min=1e-12)).clamp(0, 1)
    distance = (dx - share * ax).square() + (dy - share * ay).square()
    distance = torch.where(known[:, :, None, None], distance, torch.inf).amin(1, keepdim=True)
    return torch.exp(-distance / (2 * softness * softness))
