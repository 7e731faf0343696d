"""The mask of a person as the Market-1501 papers draw it: from the target's body points, where no parsing exists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import draw

from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.regions import MIN_PIXELS
from fhpt_bench.types import Batch, Mask, Pair

RADIUS = 4
"""Pixels: of the disc round a point, and half the width of a limb. On 128x64 images; the papers mask no others."""
CLOSING = np.ones((5, 5), np.bool_)

_CHAINS = (
    ("r_wrist", "r_elbow", "r_shoulder", "neck", "l_shoulder", "l_elbow", "l_wrist"),
    ("r_ankle", "r_knee", "r_hip", "neck", "l_hip", "l_knee", "l_ankle"),
    ("r_ear", "r_eye", "nose", "l_eye", "l_ear", "neck", "r_ear", "l_ear"),
    ("nose", "neck"),
    ("r_shoulder", "r_hip", "l_hip", "l_shoulder"),
)
LIMBS = tuple((BODY18.index(one), BODY18.index(other)) for chain in _CHAINS for one, other in pairwise(chain))
"""23 pairs of points: arms, legs, head, spine, and the sides of the trunk."""


def pose_mask(keypoints: NDArray[np.floating], size: tuple[int, int]) -> Mask:
    """H x W: a rectangle along each limb, a disc round each point, then closed with a 5 x 5 square.

    keypoints: 18 x 2 (x, y), ``BODY18``, pixels; NaN where unknown: such a point has no disc and no limb. As pose-gan
    (DSC), PATN, GFLA and SPGNet compute it, the edges' pixels included: scikit-image's ``polygon`` and ``disk``.
    """
    mask: Mask = np.zeros(size, np.bool_)
    points = np.asarray(keypoints, np.float64)[:, ::-1]
    known = ~np.isnan(points.sum(axis=1))
    for one, other in LIMBS:
        along = points[one] - points[other]
        length = np.hypot(*along)
        if known[one] and known[other] and length > 0:
            across = RADIUS * np.array([-along[1], along[0]]) / length
            corners = np.stack([points[one] + across, points[one] - across, points[other] - across])
            corners = np.vstack([corners, points[other] + across])
            mask[draw.polygon(corners[:, 0], corners[:, 1], shape=size)] = True  # type: ignore[no-untyped-call]
    for point in points[known]:
        mask[draw.disk((point[0], point[1]), RADIUS, shape=size)] = True  # type: ignore[no-untyped-call]
    grown = ndimage.binary_dilation(mask, CLOSING)
    closed: Mask = ndimage.binary_erosion(grown, CLOSING, border_value=1)
    return closed


def pose_masks(pairs: Sequence[Pair], size: tuple[int, int]) -> NDArray[np.bool_]:
    """N x H x W: of the pairs' targets."""
    return np.stack([pose_mask(pair.target.pose.keypoints, size) for pair in pairs])


SOURCES = ("foreground", "pose")


def check_source(name: str, source: str) -> None:
    """BenchError for an unknown source of masks."""
    if source not in SOURCES:
        raise BenchError(f"mask = {source!r}", where=name, fix=f"one of {', '.join(SOURCES)}")


def masks_of(batch: Batch, source: str) -> NDArray[np.bool_] | None:
    """N x H x W over the target: the data set's foreground, or drawn from its points; None where it has neither."""
    if source == "foreground":
        return batch.regions.get("foreground")
    if not batch.pairs:
        return None
    height, width = batch.target.shape[1:3]
    masks = pose_masks(batch.pairs, (height, width))
    return masks if masks.any() else None


def least_pixels(source: str) -> int:
    """Pixels a mask needs for its pair to count; the papers, who draw from points, ask for none."""
    return MIN_PIXELS if source == "foreground" else 1


def why_none(source: str) -> str:
    """What a table says where no pair has a mask."""
    return "the data set has no foreground masks" if source == "foreground" else "the data set has no body points"
