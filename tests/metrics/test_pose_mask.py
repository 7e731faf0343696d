"""The pose mask: against a drawing by its definition, at single points, and in the masked metrics."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.lpips import MaskLPIPS
from fhpt_bench.metrics.pose_mask import LIMBS, pose_mask
from fhpt_bench.metrics.ssim import MaskSSIM
from fhpt_bench.types import Batch, Context, Pair, Photo, Pose

SIZE = (128, 64)


def points(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    found = rng.uniform([-6, -6], [70, 134], (18, 2)).astype(np.float32)
    found[rng.integers(0, 18, 3)] = np.nan
    return found


def by_definition(keypoints: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Every pixel asked: is it nearer than 4 to a joint, or beside a limb by 4 at most? Then closed by shifting."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    drawn = np.zeros(size, bool)
    for px, py in keypoints[~np.isnan(keypoints[:, 0])].astype(np.float64):
        drawn |= (x - px) ** 2 + (y - py) ** 2 < 16
    for one, other in LIMBS:
        a, b = keypoints[one].astype(np.float64), keypoints[other].astype(np.float64)
        if np.isnan([a, b]).any():
            continue
        length = np.hypot(*(b - a))
        along = ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / length
        beside = ((x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0])) / length
        drawn |= (along >= 0) & (along <= length) & (np.abs(beside) <= 4)
    around = np.pad(drawn, 2)
    shifts = [(i, j) for i in range(5) for j in range(5)]
    grown = np.any([around[i : i + size[0], j : j + size[1]] for i, j in shifts], axis=0)
    around = np.pad(grown, 2, constant_values=True)
    return np.all([around[i : i + size[0], j : j + size[1]] for i, j in shifts], axis=0)


@pytest.mark.parametrize("seed", range(12))
def test_equals_a_drawing_by_its_definition(seed: int) -> None:
    """Points between pixels, so that no pixel lies on an edge."""
    found = pose_mask(points(seed), SIZE)
    np.testing.assert_array_equal(found, by_definition(points(seed), SIZE))
    assert 0.05 < found.mean() < 0.9


def test_limbs() -> None:
    assert len({frozenset(limb) for limb in LIMBS}) == len(LIMBS) == 23


def test_one_joint_is_a_disc_and_two_in_one_place_do_no_harm() -> None:
    alone = np.full((18, 2), np.nan, np.float32)
    alone[0] = (30, 50)
    mask = pose_mask(alone, SIZE)
    assert mask[50, 33]
    assert not mask[50, 35]
    alone[1] = (30, 50)
    np.testing.assert_array_equal(pose_mask(alone, SIZE), mask)
    assert not pose_mask(np.full((18, 2), np.nan, np.float32), SIZE).any()


def batch(*poses: NDArray[np.float32]) -> Batch:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, len(poses), *SIZE, 3), dtype=np.uint8)
    photos = [Photo(str(i), Pose(p, np.zeros(18, np.uint8)), "p", lambda: images[1, 0]) for i, p in enumerate(poses)]
    pairs = [Pair(photo.id, photo, photo) for photo in photos]
    return Batch([p.id for p in pairs], images[0], images[1], images[1], {}, pairs=pairs)


def test_masked_ssim_excludes_who_has_no_points() -> None:
    metric = MaskSSIM("mask-ssim", mask="pose")
    rows = metric.measure(batch(points(0), np.full((18, 2), np.nan, np.float32)))
    assert np.isfinite(rows[0, 0])
    assert np.isnan(rows[1, 0])
    ids = ["0", "1"]
    [score] = metric.summarise(rows, Context(ids, ids, ids, ids))
    assert (score.pairs, score.excluded) == (1, 1)


def test_a_data_set_without_points_is_unavailable() -> None:
    nobody = np.full((18, 2), np.nan, np.float32)
    for metric in (MaskSSIM("mask-ssim", mask="pose"), MaskLPIPS("mask-lpips", mask="pose")):
        rows = metric.measure(batch(nobody))
        [score] = metric.summarise(rows, Context(["0"], ["p"], ["0"], ["0"]))
        assert score.value is None
        assert score.unavailable == "the data set has no body points"


@pytest.mark.parametrize("cls", [MaskSSIM, MaskLPIPS])
def test_unknown_masks_are_refused(cls: type) -> None:
    with pytest.raises(BenchError, match="foreground, pose"):
        cls("masked", mask="parsing")
