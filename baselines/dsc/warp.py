"""Deformable skip connections: 10 body regions, an affine map and a mask for each, and the maximum over their warps.

Siarohin et al., CVPR 2018, Section 3.2. Target and source pose give, for each region, the affine map from target
places to source places and a mask over the target; features of the source are then moved region by region, and each
place keeps the largest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.train_data import points_of
from fhpt_bench.types import Pose

Mode = Literal["paper", "released"]

REGIONS = (
    "torso", "head", "r_thigh", "l_thigh", "r_shin", "l_shin", "r_upper_arm", "l_upper_arm", "r_forearm", "l_forearm",
)  # fmt: skip
"""Order of every region axis. The limbs come in pairs, right before left."""


def _joints(*names: str) -> list[int]:
    return [BODY18.index(name) for name in names]


MANDATORY = _joints("r_shoulder", "l_shoulder", "r_hip", "l_hip")
"""Joints that both poses must have: they say where the torso is and how large the person is."""
HEAD = _joints("nose", "r_eye", "l_eye", "r_ear", "l_ear")
SHOULDERS = MANDATORY[:2]
FROM = _joints("r_hip", "l_hip", "r_knee", "l_knee", "r_shoulder", "l_shoulder", "r_elbow", "l_elbow")
TO = _joints("r_knee", "l_knee", "r_ankle", "l_ankle", "r_elbow", "l_elbow", "r_wrist", "l_wrist")
MIRRORED = [1, 0, 3, 2, 5, 4, 7, 6]
"""Of each limb, the one on the other side."""
LOWER = [False, False, True, True, False, False, True, True]

HALF_WIDTH = 0.2
"""Of a limb, in torso lengths."""
BEFORE = 0.1
"""How far a limb reaches beyond its first joint, in its own length; ``BEYOND`` beyond its second (upper, lower)."""
BEYOND_MASK, BEYOND_FIT = (0.1, 0.5), (0.1, 0.3)
HEAD_HALF_SIDE = 0.40
SINGULAR = 1e-8
"""A fit whose points spread so much less one way than the other (squared) has no inverse."""


def lacking(pose: Pose) -> list[str]:
    """Names of the mandatory joints that ``pose`` has not, or has outside the frame."""
    points = points_of(pose)
    return [BODY18[joint] for joint in MANDATORY if not np.isfinite(points[joint]).all()]


@dataclass(frozen=True)
class Regions:
    """Where each target region is and where its features come from, on one grid. N images, R = 10 regions."""

    linear: Tensor
    """N x R x 2 x 2: source place = linear @ target place + shift, places (x, y) in cells of the grid."""
    shift: Tensor
    """N x R x 2."""
    mask: Tensor
    """N x R x H x W, bool. Empty where the region is missing in the target, or cannot be brought from the source."""

    def places(self, level: int) -> Tensor:
        """Cell of the source that each target cell takes at 1 / 2^level of the grid: N x R x (h w) in 0..h w - 1.

        h w itself stands for none: outside the mask or outside the source. The maps' translations are divided by
        2^level, masks keep every 2^level-th cell, and the nearest cell is taken.
        """
        factor = 2**level
        mask = self.mask[:, :, ::factor, ::factor]
        height, width = mask.shape[2:]
        y, x = (torch.arange(side, device=mask.device, dtype=torch.float32) for side in (height, width))
        linear, shift = self.linear.float()[..., None, None], (self.shift / factor).float()[..., None, None]
        column, row = (linear[:, :, i, 0] * x + linear[:, :, i, 1] * y[:, None] + shift[:, :, i] for i in (0, 1))
        column, row = (column + 0.5).floor(), (row + 0.5).floor()
        there = mask & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        cell = torch.where(there, row * width + column, height * width)
        return cell.flatten(2).long()


def stature(points: Tensor) -> Tensor:
    """Root mean square of the right and the left distance from hip to shoulder; points N x 18 x 2 -> N, NaN unknown."""
    shoulders, hips = points[:, MANDATORY[:2]], points[:, MANDATORY[2:]]
    return (shoulders - hips).square().sum(2).mean(1).sqrt()


def find(source: Tensor, target: Tensor, size: tuple[int, int], unit: float = 1.0, mode: Mode = "paper") -> Regions:
    """Regions of two poses, N x 18 x 2 in cells of a grid of ``size`` (height, width), NaN where unknown.

    A limb that the source lacks is taken from its other side. Features of a region stay zero where it is missing in
    the target, in the source on both sides, or where the fit is singular. ``unit``: pixels of the full image to a cell,
    which only the ``released`` head needs: its half side is int(0.40 st^2) pixels, an area; ``paper``: 0.40 st.
    """
    source, target = source.double(), target.double()
    corners = _corners(source, BEYOND_FIT)
    other = corners[:, MIRRORED]
    corners = torch.where(corners.isfinite().all(3).all(2)[..., None, None], corners, other)
    linear, shift, regular = fit(_fitted(target, _corners(target, BEYOND_FIT)), _fitted(source, corners))
    mask = _masks(target.float(), size, unit, mode) & regular[..., None, None]
    return Regions(linear, shift, mask)


def _corners(points: Tensor, beyond: tuple[float, float]) -> Tensor:
    """Rectangles about the eight limbs, N x 8 x 4 x 2; NaN where a joint is unknown. ``beyond``: upper, lower limbs."""
    start, end = points[:, FROM], points[:, TO]
    along = end - start
    unit = along / along.norm(dim=2, keepdim=True).clamp(min=1e-9)
    across = torch.stack([-unit[..., 1], unit[..., 0]], 2) * HALF_WIDTH * stature(points)[:, None, None]
    more = points.new_tensor([beyond[lower] for lower in LOWER])[:, None]
    first, last = start - BEFORE * along, end + more * along
    return torch.stack([first + across, first - across, last - across, last + across], 2)


def _fitted(points: Tensor, corners: Tensor) -> Tensor:
    """Points that each region's map is fitted on, N x 10 x 7 x 2; NaN where unknown or fewer."""
    torso, head = points[:, MANDATORY], points[:, HEAD + SHOULDERS]
    rows = torch.full((points.shape[0], len(REGIONS), 7, 2), torch.nan, dtype=points.dtype, device=points.device)
    rows[:, 0, :4], rows[:, 1], rows[:, 2:, :4] = torso, head, corners
    return rows


def fit(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Affine maps, least squares over the points known on both sides: ... x K x 2 -> ... x 2 x 2, ... x 2, ... (bool).

    after = linear @ before + shift. False: fewer than three points, or all on a line; that map is all zeros.
    """
    known = (before.isfinite() & after.isfinite()).all(-1, keepdim=True)
    count = known.sum(-2).clamp(min=1)
    (centre, from_centre), (centre_after, from_after) = (
        (mean, (there - mean[..., None, :]) * known)
        for there in (before.nan_to_num(0.0), after.nan_to_num(0.0))
        for mean in ((there * known).sum(-2) / count,)
    )
    spread, cross = from_centre.mT @ from_centre, from_after.mT @ from_centre
    a, b, d = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
    determinant = a * d - b * b
    regular = determinant > SINGULAR * (a + d).square()
    adjugate = torch.stack([d, -b, -b, a], -1).unflatten(-1, (2, 2))
    inverse = adjugate / torch.where(regular, determinant, 1.0)[..., None, None]
    linear = cross @ inverse * regular[..., None, None]
    shift = (centre_after - (linear @ centre[..., None])[..., 0]) * regular[..., None]
    return linear, shift, regular


def _masks(target: Tensor, size: tuple[int, int], unit: float, mode: Mode) -> Tensor:
    """N x 10 x H x W bool: everything for the torso, a square about the head, a rectangle about each limb."""
    scale = stature(target)[:, None, None, None]
    x, y = (torch.arange(side, device=target.device, dtype=target.dtype) for side in size[::-1])
    y = y[:, None]
    torso = scale.isfinite().expand(-1, 1, *size)
    half = HEAD_HALF_SIDE * scale if mode == "paper" else (HEAD_HALF_SIDE * (scale * unit).square()).floor() / unit
    middle = target[:, HEAD].nanmean(1)[:, :, None, None, None]
    head = ((x - middle[:, 0]).abs() <= half) & ((y - middle[:, 1]).abs() <= half)
    start, along = target[:, FROM, :, None, None], (target[:, TO] - target[:, FROM])[..., None, None]
    (from_x, from_y), (along_x, along_y) = start.unbind(2), along.unbind(2)
    squared = along_x.square() + along_y.square()
    at = ((x - from_x) * along_x + (y - from_y) * along_y) / squared  # 0 at the first joint, 1 at the second
    aside = ((x - from_x) * along_y - (y - from_y) * along_x).abs() / squared.sqrt()
    end = target.new_tensor([1 + BEYOND_MASK[lower] for lower in LOWER])[:, None, None]
    limbs = (at >= -BEFORE) & (at <= end) & (aside <= HALF_WIDTH * scale)  # NaN, an unknown joint, compares false
    return torch.cat([torso, head, limbs], 1)


def warp(features: Tensor, places: Tensor) -> Tensor:
    """Largest of the regions' warps at each place: features N x C x h x w, places as ``Regions.places`` -> as features.

    A region is zero where it brings nothing, so a negative value stays only where all regions have one.
    """
    count, channels, height, width = features.shape
    cells = height * width
    rows = features.permute(0, 2, 3, 1).reshape(count * cells, channels)
    brings = places < cells
    # Most regions are small, so only what they bring is fetched; zero is what all others stand for.
    image, region, cell = brings.nonzero(as_tuple=True)
    brought = rows[image * cells + places[image, region, cell]]
    floor = rows.new_zeros(count, cells).masked_fill(brings.all(1), torch.finfo(rows.dtype).min).flatten()
    to = (image * cells + cell)[:, None].expand(-1, channels)
    largest = floor[:, None].repeat(1, channels).scatter_reduce(0, to, brought, "amax")
    return largest.view(count, height, width, channels).permute(0, 3, 1, 2)
