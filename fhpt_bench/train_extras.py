"""What some baselines read beside images and body points: exact flow, parsings, face points.

Everything is given at the scale of the images, and mirrored with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fhpt_bench.datasets.skeletons import CIHP20, FACE_POINTS
from fhpt_bench.errors import BenchError
from fhpt_bench.types import OUTSIDE, Dataset, Pair, Photo

READS = ("flow", "parsing", "face")


def _swapped(names: Sequence[str], left: str, right: str) -> list[int]:
    """For each name the place of its mirror image's name."""
    other = {name: name.replace(left, "\0").replace(right, left).replace("\0", right) for name in names}
    return [list(names).index(other[name]) for name in names]


PARSING_FLIP = _swapped(CIHP20, "left_", "right_")
"""The class that each CIHP20 class becomes in a mirror."""
FACE_FLIP = [
    list(FACE_POINTS).index(
        name.replace("l_", "\0", 1).replace("r_", "l_", 1).replace("\0", "r_", 1)
        if name[:2] in ("l_", "r_")
        else name.replace("left", "\0").replace("right", "left").replace("\0", "right")
    )
    for name in FACE_POINTS
]
"""The face point that takes each one's place in a mirror."""


def check_reads(reads: Sequence[str], dataset: Dataset) -> None:
    """BenchError where a baseline asks for what nobody offers, or this data set does not."""
    if unknown := [name for name in reads if name not in READS]:
        raise BenchError(f"training cannot read {unknown[0]!r}", fix=f"one of {', '.join(READS)}")
    for name, method in (("flow", "flow"), ("parsing", "parsing")):
        if name in reads and not hasattr(dataset, method):
            raise BenchError(
                f"this baseline trains on the {name} of photographs, which the data set does not have",
                where=f"{dataset.name}/{dataset.split}",
                fix="train on catwalk, or see docs/training.md on how to bring your own",
            )


def extras(
    dataset: Any, reads: Sequence[str], pairs: Sequence[Pair], scale: float, flips: Tensor | None
) -> dict[str, Tensor]:
    """``reads`` of ``pairs``, ready for a batch (shapes: ``train_data.TrainingPairs.batch``)."""
    result: dict[str, Tensor] = {}
    mirrored = np.zeros(len(pairs), bool) if flips is None else flips.numpy()
    for role in ("source", "target"):
        photos = [getattr(pair, role) for pair in pairs]
        if "parsing" in reads:
            maps = [_parsing(dataset, photo, scale, flip) for photo, flip in zip(photos, mirrored, strict=True)]
            result[f"{role}_parsing"] = torch.from_numpy(np.stack(maps))
        if "face" in reads:
            faces = [_face(photo, dataset.size[1], scale, flip) for photo, flip in zip(photos, mirrored, strict=True)]
            result[f"{role}_face"] = torch.from_numpy(np.stack([points for points, _ in faces]))
            result[f"{role}_face_box"] = torch.from_numpy(np.stack([box for _, box in faces]))
    if "flow" in reads:
        flows = [_flow(dataset, pair, scale, flip) for pair, flip in zip(pairs, mirrored, strict=True)]
        result["flow"] = torch.from_numpy(np.stack([flow for flow, _ in flows]))
        result["visibility"] = torch.from_numpy(np.stack([state for _, state in flows]))
    return result


def _thinned(values: NDArray[Any], scale: float) -> NDArray[Any]:
    """Every (1 / scale)-th row and column of an H x W (x C) array: classes and flows must not be averaged."""
    if scale == 1.0:
        return values
    rows, columns = (
        np.minimum(((np.arange(round(n * scale)) + 0.5) / scale).astype(int), n - 1) for n in values.shape[:2]
    )
    thinned: NDArray[Any] = values[rows][:, columns]
    return thinned


def _parsing(dataset: Any, photo: Photo, scale: float, flip: bool) -> NDArray[np.int64]:
    found = dataset.parsing(photo)
    if found is None:
        raise BenchError("this photograph has no parsing", where=photo.id, fix="prepare the data set with parsings")
    classes = _thinned(np.asarray(found), scale).astype(np.int64)
    return np.ascontiguousarray(np.array(PARSING_FLIP)[classes[:, ::-1]]) if flip else classes


def _flow(dataset: Any, pair: Pair, scale: float, flip: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    flow, state = dataset.flow(pair.source, pair.target)
    flow, state = _thinned(flow, scale).astype(np.float32), _thinned(state, scale).astype(np.int64)
    known = np.min(flow, 2, keepdims=True) >= 0
    if flip:
        flow, state, known = flow[:, ::-1].copy(), state[:, ::-1].copy(), known[:, ::-1]
        flow[..., 0] = dataset.size[1] - 1 - flow[..., 0]
    flow = np.where(known, (flow + 0.5) * scale - 0.5, -1).astype(np.float32)
    return np.ascontiguousarray(flow.transpose(2, 0, 1)), state


def _face(photo: Photo, width: int, scale: float, flip: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.full((len(FACE_POINTS), 2), np.nan, np.float32)
    box = np.full(4, np.nan, np.float32)
    face = photo.pose.face
    if face is not None:
        points[:] = face.points
        points[face.visible == OUTSIDE] = np.nan
        if face.box is not None:
            box[:] = face.box
    if flip:
        points = points[FACE_FLIP] * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
        box = np.array([width - 1 - box[2], box[1], width - 1 - box[0], box[3]], np.float32)
    return (points + 0.5) * np.float32(scale) - 0.5, (box + 0.5) * np.float32(scale) - 0.5
