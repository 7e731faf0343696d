"""DSC's deformation against a slow one written from the facts: regions, masks, fits, missing joints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fhpt_bench.baselines.dsc.warp import REGIONS, find, fit, warp

SIZE = (64, 48)
R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST, R_HIP, R_KNEE, R_ANKLE, L_HIP, L_KNEE, L_ANKLE = range(
    2, 14
)
NOSE, EYES_AND_EARS = 0, (14, 15, 16, 17)


# A figure of about 64 x 48 that no rule treats specially, and the same in another pose.


def person(seed: int = 0, spread: float = 2.0) -> NDArray[np.float64]:
    """18 x 2."""
    x = [24, 24, 16, 12, 9, 32, 36, 39, 18, 17, 16, 30, 31, 32, 22, 26, 20, 28]
    y = [8, 14, 15, 24, 33, 15, 24, 33, 34, 46, 57, 34, 46, 57, 6, 6, 7, 7]
    return np.stack([x, y], 1) + np.random.default_rng(seed).normal(0, spread, (18, 2))


# The slow deformation: one image, one region, one pixel at a time, from the sheet of facts.


def slow_size(points: NDArray[np.float64]) -> float:
    right, left = points[R_SHOULDER] - points[R_HIP], points[L_SHOULDER] - points[L_HIP]
    return float(np.sqrt((right @ right + left @ left) / 2))


LIMBS = {
    "r_thigh": (R_HIP, R_KNEE), "l_thigh": (L_HIP, L_KNEE), "r_shin": (R_KNEE, R_ANKLE), "l_shin": (L_KNEE, L_ANKLE),
    "r_upper_arm": (R_SHOULDER, R_ELBOW), "l_upper_arm": (L_SHOULDER, L_ELBOW),
    "r_forearm": (R_ELBOW, R_WRIST), "l_forearm": (L_ELBOW, L_WRIST),
}  # fmt: skip


def slow_corners(points: NDArray[np.float64], limb: str, more: float) -> NDArray[np.float64] | None:
    start, end = (points[joint] for joint in LIMBS[limb])
    if np.isnan(start).any() or np.isnan(end).any():
        return None
    length = np.hypot(*(end - start))
    ahead = (end - start) / length
    aside = np.array([-ahead[1], ahead[0]]) * 0.2 * slow_size(points)
    first, last = start - 0.1 * length * ahead, end + more * length * ahead
    return np.array([first - aside, first + aside, last + aside, last - aside])


def inside(corners: NDArray[np.float64], place: NDArray[np.float64]) -> bool:
    """Whether a place is on the same side of all four edges of a convex quadrilateral."""
    sides = []
    for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
        sides.append((b - a)[0] * (place - a)[1] - (b - a)[1] * (place - a)[0])
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def slow_mask(points: NDArray[np.float64], region: str, size: tuple[int, int], mode: str) -> NDArray[np.bool_]:
    mask = np.zeros(size, bool)
    if region == "torso":
        return ~mask
    if region == "head":
        seen = [points[j] for j in (NOSE, *EYES_AND_EARS) if not np.isnan(points[j]).any()]
        if not seen:
            return mask
        middle, st = np.mean(seen, 0), slow_size(points)
        half = int(0.40 * st**2) if mode == "released" else 0.40 * st
        for y in range(size[0]):
            for x in range(size[1]):
                mask[y, x] = abs(x - middle[0]) <= half and abs(y - middle[1]) <= half
        return mask
    lower = region.endswith(("shin", "forearm"))
    corners = slow_corners(points, region, 0.5 if lower else 0.1)
    if corners is not None:
        for y in range(size[0]):
            for x in range(size[1]):
                mask[y, x] = inside(corners, np.array([x, y], float))
    return mask


def slow_fit(source: NDArray[np.float64], target: NDArray[np.float64], region: str) -> NDArray[np.float64] | None:
    """3 x 2: (x, y, 1) of the target @ it = (x, y) of the source."""
    if region in ("torso", "head"):
        joints = [R_SHOULDER, L_SHOULDER] + ([R_HIP, L_HIP] if region == "torso" else [NOSE, *EYES_AND_EARS])
        there = [j for j in joints if not (np.isnan(source[j]).any() or np.isnan(target[j]).any())]
        before, after = target[there], source[there]
    else:
        other = ("l" if region[0] == "r" else "r") + region[1:]
        more = 0.3 if region.endswith(("shin", "forearm")) else 0.1
        found = [slow_corners(target, region, more), slow_corners(source, region, more)]
        if found[1] is None:
            found[1] = slow_corners(source, other, more)
        if found[0] is None or found[1] is None:
            return None
        # The same corner of both: at the same end and on the same side of the limb.
        before, after = found
    design = np.column_stack([before, np.ones(len(before))])
    if np.linalg.matrix_rank(design, tol=1e-6) < 3:
        return None
    return np.linalg.lstsq(design, after, rcond=None)[0]


def slow_warp(
    features: NDArray[np.float32],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    masks: list[NDArray[np.bool_]],
    level: int,
) -> NDArray[np.float32]:
    """features C x h x w at 1 / 2^level of SIZE; masks of the target."""
    _, height, width = features.shape
    scale = 2**level
    warps = np.zeros((len(REGIONS), *features.shape), np.float32)
    for number, region in enumerate(REGIONS):
        mask, affine = masks[number], slow_fit(source, target, region)
        if affine is None:
            continue
        for y in range(height):
            for x in range(width):
                place = np.array([x, y]) @ affine[:2] + affine[2] / scale
                column, row = np.floor(place + 0.5).astype(int)
                if mask[y * scale, x * scale] and 0 <= column < width and 0 <= row < height:
                    warps[number, :, y, x] = features[:, row, column]
    return warps.max(0)


def regions_of(source: NDArray[np.float64], target: NDArray[np.float64], **options: Any) -> Any:
    return find(torch.from_numpy(source)[None], torch.from_numpy(target)[None], SIZE, **options)


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_the_warp_is_the_slow_one(mode: Any) -> None:
    people = [(person(1), person(2)), (person(3, 4.0), person(4, 4.0)), (person(5), person(6))]
    # Legs out of the frame, an arm that only the source lacks, and a head seen from behind.
    people[2][1][[R_KNEE, R_ANKLE, NOSE, 14, 15]] = np.nan
    people[2][0][[L_WRIST, R_ELBOW]] = np.nan
    source, target = (torch.from_numpy(np.stack(poses)) for poses in zip(*people, strict=True))
    regions = find(source, target, SIZE, mode=mode)
    masks = [[slow_mask(after, region, SIZE, mode) for region in REGIONS] for _, after in people]
    torch.manual_seed(0)
    for level in range(3):
        features = torch.randn(3, 4, SIZE[0] >> level, SIZE[1] >> level)
        fast = warp(features, regions.places(level)).numpy()
        for found, given, poses, about in zip(fast, features.numpy(), people, masks, strict=True):
            slow = slow_warp(given, *poses, about, level)
            # A place on the border between two cells, or on the edge of a mask, may fall to either side.
            assert (found != slow).any(0).mean() < 0.003
            assert (slow != 0).any(0).mean() > 0.5


def test_the_same_pose_leaves_everything_where_it_is() -> None:
    regions = regions_of(person(), person())
    image = torch.rand(1, 3, *SIZE) + 0.1
    assert torch.equal(warp(image, regions.places(0)), image)
    torch.testing.assert_close(regions.linear, torch.eye(2, dtype=torch.float64).expand(1, 10, 2, 2))
    torch.testing.assert_close(regions.shift, torch.zeros(1, 10, 2, dtype=torch.float64), atol=1e-9, rtol=0)
    cells = torch.arange(SIZE[0] * SIZE[1])
    for number, places in enumerate(regions.places(0)[0]):
        mask = regions.mask[0, number].flatten()
        assert mask.any()
        assert torch.equal(places[mask], cells[mask]), REGIONS[number]
        assert (places[~mask] == len(cells)).all()


def test_translation_divides_by_the_scale() -> None:
    regions = regions_of(person() + np.array([4.0, -8.0]), person())
    for level in range(3):
        height, width = SIZE[0] >> level, SIZE[1] >> level
        image = torch.rand(1, 3, height, width) + 0.1
        right, up = 4 >> level, 8 >> level
        expected = torch.zeros_like(image)
        expected[:, :, up:, : width - right] = image[:, :, : height - up, right:]
        assert torch.equal(warp(image, regions.places(level)), expected)


@pytest.mark.parametrize(("limb", "joint"), [("l_forearm", L_WRIST), ("r_thigh", R_KNEE), ("r_shin", R_ANKLE)])
def test_a_limb_missing_in_the_target_brings_nothing(limb: str, joint: int) -> None:
    source, target = person(1), person(2)
    target[joint] = np.nan
    regions, number = regions_of(source, target), REGIONS.index(limb)
    assert not regions.mask[0, number].any()
    assert not regions.linear[0, number].any()
    assert (regions.places(0)[0, number] == SIZE[0] * SIZE[1]).all()


def test_a_limb_missing_in_the_source_is_borrowed_from_the_other_side() -> None:
    source, target = person(1), person(2)
    whole = regions_of(source, target)
    right, left = REGIONS.index("r_forearm"), REGIONS.index("l_forearm")
    source[R_WRIST] = np.nan
    borrowed = regions_of(source, target)
    assert torch.equal(borrowed.mask, whole.mask)
    # The right elbow of the target is brought from the left elbow of the source.
    elbow = borrowed.linear[0, right] @ torch.from_numpy(target[R_ELBOW]) + borrowed.shift[0, right]
    np.testing.assert_allclose(elbow, source[L_ELBOW], atol=1.0)
    assert torch.equal(borrowed.linear[0, left], whole.linear[0, left])
    source[L_WRIST] = np.nan
    neither = regions_of(source, target)
    assert not neither.mask[0, [right, left]].any()
    assert neither.mask[0, REGIONS.index("r_upper_arm")].any()


def test_the_head() -> None:
    source, target, head = person(1), person(2), REGIONS.index("head")
    assert regions_of(source, target).mask[0, head].any()
    target[[NOSE, *EYES_AND_EARS]] = np.nan
    assert not regions_of(source, target).mask[0, head].any(), "nothing to see in the target"
    target = person(2)
    source[[NOSE, 14, 15]], target[[16, 17]] = np.nan, np.nan
    assert not regions_of(source, target).mask[0, head].any(), "no joint in common: two shoulders fix no affine map"
    # Half its side: 0.40 st, or as coded int(0.40 st^2) pixels of the full image.
    small = person() * 0.25 + [20, 20]
    st = slow_size(small)
    middle = small[[NOSE, *EYES_AND_EARS]].mean(0)
    for mode, unit, half in (
        ("paper", 1.0, 0.4 * st),
        ("released", 1.0, int(0.4 * st**2)),
        ("released", 2.0, int(0.4 * (2 * st) ** 2) / 2),
    ):
        columns = regions_of(small, small, mode=mode, unit=unit).mask[0, head].any(0).nonzero()[:, 0]
        assert columns.min() == max(0, np.ceil(middle[0] - half))
        assert columns.max() == min(SIZE[1] - 1, np.floor(middle[0] + half))


def test_singular_fits_and_unknown_torsos_bring_nothing() -> None:
    line = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [5.0, 5.0]], dtype=torch.float64)
    linear, shift, regular = fit(line, torch.rand(4, 2, dtype=torch.float64))
    assert not regular
    assert not linear.any()
    assert not shift.any()
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [torch.nan, 3.0]], dtype=torch.float64)
    assert fit(square, square)[2]
    assert not fit(square[[0, 1, 3]], square[[0, 1, 3]])[2], "two points are too few"
    target = person(2)
    target[R_KNEE] = target[R_HIP]  # no length, so no direction
    regions = regions_of(person(1), target)
    assert not regions.mask[0, REGIONS.index("r_thigh")].any()
    assert regions.linear.isfinite().all()
    target[L_HIP] = np.nan
    assert not regions_of(person(1), target).mask.any()


def test_gradients_reach_the_winner_only() -> None:
    regions = regions_of(person(1), person(2))
    features = torch.randn(1, 2, *SIZE, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 2, *SIZE, dtype=torch.float64)
    places = regions.places(0)
    (found,) = torch.autograd.grad((warp(features, places) * weight).sum(), features)
    rows = torch.cat([features.flatten(2), torch.zeros(1, 2, 1, dtype=torch.float64)], 2)
    warps = rows[0][:, places[0]]  # C x R x cells
    (expected,) = torch.autograd.grad((warps.amax(1) * weight.flatten(2)[0]).sum(), features)
    torch.testing.assert_close(found, expected)
