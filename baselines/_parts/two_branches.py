"""What DRN and RATE-Net have in common: a pose-transfer branch, and a second branch that adds what it misses.

I_s source image, P_s and P_t poses as heatmaps, F_t features and I_c coarse image of the transfer branch G_P, R_t what
the second branch makes of I_s and F_t; I_t = I_c + R_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from fhpt_bench.baselines._parts.fold import fold, folded_points, poses, same_in_a_square, unfold
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines._parts.layers import start_small
from fhpt_bench.baselines._parts.pat import TransferBranch
from fhpt_bench.baselines._parts.sketch import sketch


class BranchShape(BaseModel):
    """Keys of table ``model`` that both networks have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    """height, width of images; each divisible by 2 ** (len(widths) - 1)."""
    widths: tuple[int, ...]
    blocks: int
    dropout: float
    stem: int
    head: int
    detail: bool = True
    """False: the transfer branch alone (ablation "PB only")."""
    fold: int = 1
    """The network sees each fold x fold square of an image as one pixel of more channels: see ``_parts/fold.py``."""
    heatmap: Form | Literal["sketch"] = "gaussian"
    """``sketch``: points are ``skeletons.FACE_POINTS``, and a pose is a drawing of the face (DRN's face module)."""
    sigma: float
    """Radius of the heatmaps in pixels at ``size``; smaller images have proportionally smaller ones."""
    output: Literal["final", "coarse"] = "final"
    """``coarse``: I_c without R_t (ablation)."""

    @property
    def colours(self) -> int:
        """Channels of a folded image."""
        return 3 * self.fold**2

    @property
    def maps(self) -> int:
        """Pose maps of one pose."""
        return 1 if self.heatmap == "sketch" else 18


class TwoBranchNetwork(nn.Module):
    """Source image and two poses -> coarse image and final image; what ``cycle.CycleTraining`` trains.

    ``detail``: (folded source, F_t) -> folded R_t; None leaves I_t = I_c.
    """

    def __init__(self, shape: BranchShape, detail: nn.Module | None) -> None:
        super().__init__()
        self.shape = shape
        self.transfer = TransferBranch(
            shape.widths, shape.blocks, shape.dropout, shape.stem, shape.head, shape.colours, poses=2 * shape.maps
        )
        self.detail = detail
        start_small(self.transfer)
        same_in_a_square(self.transfer.head, shape.fold)

    def coarse(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """F_t and I_c. source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside."""
        shape, height = self.shape, int(source.shape[2])
        folded = fold(source, shape.fold, shape.size[0])
        inside = (int(folded.shape[2]), int(folded.shape[3]))
        maps = torch.cat([self.maps(points, height, inside) for points in (source_points, target_points)], 1)
        features, made = self.transfer(folded, maps.to(memory_format=torch.channels_last))
        return features, unfold(made, shape.fold, shape.size[0], height)

    def maps(self, points: Tensor, height: int, inside: Sequence[int]) -> Tensor:
        """Poses, N x K x 2 in pixels of an image of ``height``, drawn at the size ``inside``: N x maps x H x W."""
        full, sigma, form = self.shape.size[0], self.shape.sigma, self.shape.heatmap
        size = (int(inside[0]), int(inside[1]))
        if form == "sketch":
            return sketch(folded_points(points, height, size[0]), size, sigma * size[0] / full)
        return poses(points, height, size, full, sigma, form)

    def finish(self, source: Tensor, features: Tensor, coarse: Tensor) -> Tensor:
        """I_t = I_c + R_t, N x 3 x H x W; clipped to [-1, 1] only where it becomes uint8."""
        if self.detail is None:
            return coarse
        times, full = self.shape.fold, self.shape.size[0]
        residual = self.detail(fold(source, times, full), features)
        return coarse + unfold(residual, times, full, int(source.shape[2]))

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """I_c and what the config calls its output: I_t, or I_c again."""
        features, coarse = self.coarse(source, source_points, target_points)
        return coarse, coarse if self.shape.output == "coarse" else self.finish(source, features, coarse)
