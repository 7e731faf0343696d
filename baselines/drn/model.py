"""The network of DRN without its face module: a pose-transfer branch and a detail-replenishing branch.

Names follow the paper: I_s source image, P_s and P_t poses as heatmaps, F_t features and I_c coarse image of the
transfer branch G_P, z_s style code, R_t residual, I_t = I_c + R_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.heatmaps import Form, heatmaps
from fhpt_bench.baselines._parts.layers import AdaIN, DownResidual, ReflectPad, UpConv, start_small
from fhpt_bench.baselines._parts.pat import TransferBranch


class Shape(BaseModel):
    """Table ``model`` of config.toml."""

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
    code: int
    """Length of z_s: 128, or 64 for the ablation "Texture64dim"."""
    style: tuple[int, ...]
    """Channels of the style encoder's residual blocks; 6 in the paper."""
    hidden: int
    """Width of the perceptrons that give (s_w, s_b)."""
    kernel: int
    """Convolutions of the detail branch."""
    heatmap: Form = "gaussian"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``; smaller images have proportionally smaller ones."""
    output: Literal["final", "coarse"] = "final"
    """``coarse``: I_c without R_t (ablation)."""


class StyleEncoder(nn.Module):
    """I_s -> z_s: residual blocks, each halving the size, then a global average pool and a linear layer."""

    def __init__(self, widths: Sequence[int], code: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DownResidual(a, b) for a, b in zip((3, *widths[:-1]), widths, strict=True)))
        self.code = nn.Linear(widths[-1], code)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.code(self.blocks(image).mean((2, 3)))
        return result


class DetailBranch(nn.Module):
    """F_t and z_s -> R_t. At each up-sampling layer z_s sets the statistics through AdaIN; LeakyReLU 0.2 after it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths[::-1]
        pairs = list(pairwise(widths))
        self.style = StyleEncoder(shape.style, shape.code)
        self.ups = nn.ModuleList(UpConv(a, b, shape.kernel) for a, b in pairs)
        self.adains = nn.ModuleList(AdaIN(shape.code, shape.hidden, b) for _, b in pairs)
        self.head = nn.Sequential(ReflectPad(shape.head // 2), nn.Conv2d(widths[-1], 3, shape.head), nn.Tanh())

    def forward(self, source: Tensor, features: Tensor) -> Tensor:
        z = self.style(source)
        for up, adain in zip(self.ups, self.adains, strict=True):
            features = F.leaky_relu(adain(up(features), z), 0.2)
        result: Tensor = self.head(features)
        return result


class DRN(nn.Module):
    """Source image and two poses -> coarse image and final image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.transfer = TransferBranch(shape.widths, shape.blocks, shape.dropout, shape.stem, shape.head)
        self.detail = DetailBranch(shape) if shape.detail else None
        start_small(self.transfer)
        if self.detail is not None:
            # Not the style encoder and the perceptrons: without a normalisation after them, N(0, 0.02) lets the code
            # vanish.
            start_small(self.detail.ups)
            start_small(self.detail.head)

    def coarse(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """F_t and I_c. source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside."""
        height, width = int(source.shape[2]), int(source.shape[3])
        radius = self.shape.sigma * height / self.shape.size[0]
        maps = [
            heatmaps(points, (height, width), radius, self.shape.heatmap) for points in (source_points, target_points)
        ]
        poses = torch.cat(maps, 1).to(memory_format=torch.channels_last)
        result: tuple[Tensor, Tensor] = self.transfer(source, poses)
        return result

    def finish(self, source: Tensor, features: Tensor, coarse: Tensor) -> Tensor:
        """I_t = I_c + R_t, N x 3 x H x W; clipped to [-1, 1] only where it becomes uint8."""
        return coarse if self.detail is None else coarse + self.detail(source, features)

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """I_c and what the config calls its output: I_t, or I_c again."""
        features, coarse = self.coarse(source, source_points, target_points)
        return coarse, coarse if self.shape.output == "coarse" else self.finish(source, features, coarse)
