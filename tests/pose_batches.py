"""Batches of poses without pixels: what a data set knows, and what a detector would find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fhpt_bench import points
from fhpt_bench.types import OUTSIDE, VISIBLE, Batch, Face, Pair, Photo, Pose


def some_points(count: int, seed: int = 0, *, size: tuple[int, int] = (256, 176)) -> np.ndarray:
    """N x 90 x 2 whole pixels, so that shifts by whole pixels are exact in float32."""
    return (
        np.random.default_rng(seed).integers((20, 20), (size[1] - 20, size[0] - 20), (count, 90, 2)).astype(np.float32)
    )


def pose(xy: np.ndarray, visible: np.ndarray | int = VISIBLE) -> Pose:
    """A data set's pose of 90 points (NaN: unknown) in the order of ``points.PARTS``."""
    seen = np.broadcast_to(np.asarray(visible, np.uint8), 90).copy()
    seen[np.isnan(xy).any(1)] = OUTSIDE
    body, hands, face = (points.PARTS[part] for part in ("body", "hands", "face"))
    return Pose(
        xy[body],
        seen[body],
        xy[hands].reshape(2, 21, 2),
        seen[hands].reshape(2, 21),
        Face(xy[face], seen[face], None, False),
    )


def bare(xy: np.ndarray) -> Pose:
    """As DeepFashion's lists: a body, no hands, no face."""
    return Pose(xy[:18], np.full(18, VISIBLE, np.uint8))


def detected(xy: np.ndarray) -> np.ndarray:
    """N x 90 x 2 (NaN: not found) -> rows of a detector, N x 270."""
    confidence = np.where(np.isnan(xy).any(2), 0, 0.9)
    return np.concatenate([xy, confidence[..., None]], axis=2).reshape(len(xy), -1).astype(np.float32)


def batch(
    poses: Sequence[Pose],
    generated: np.ndarray,
    target: np.ndarray | None = None,
    *,
    feature: str = "pose[mediapipe]",
    size: tuple[int, int] = (256, 176),
) -> Batch:
    """generated, target: N x 90 x 2, what the detector finds in either image; target: by default the truth."""
    photos = [Photo(f"t{i}", pose, f"p{i}", lambda: np.zeros((*size, 3), np.uint8)) for i, pose in enumerate(poses)]
    truth = np.stack([points.truth(pose)[0] for pose in poses])
    features = {
        (feature, "generated"): detected(generated),
        (feature, "target"): detected(truth if target is None else target),
    }
    pixels = np.zeros((len(poses), *size, 3), np.uint8)
    ids = [photo.id for photo in photos]
    return Batch(ids, pixels, pixels, pixels, {}, features, [Pair(p.id, p, p) for p in photos])


def take(whole: Batch, rows: slice) -> Batch:
    """Some pairs of a batch."""
    return Batch(
        whole.ids[rows], whole.generated[rows], whole.target[rows], whole.source[rows], {},
        {key: value[rows] for key, value in whole.features.items()}, whole.pairs[rows],
    )  # fmt: skip
