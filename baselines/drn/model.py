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
    fold: int = 1
    """The network sees each fold x fold square of an image as one pixel of more channels (space to depth), and makes
    such squares (depth to space). Images of 1 / fold of the size then train the same weights: see ``DRN.fold``."""
    heatmap: Form = "gaussian"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``; smaller images have proportionally smaller ones."""
    output: Literal["final", "coarse"] = "final"
    """``coarse``: I_c without R_t (ablation)."""


class StyleEncoder(nn.Module):
    """I_s (folded) -> z_s: residual blocks, each halving the size, then a global average pool and a linear layer."""

    def __init__(self, colours: int, widths: Sequence[int], code: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DownResidual(a, b) for a, b in zip((colours, *widths[:-1]), widths, strict=True)))
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
        colours = 3 * shape.fold**2
        self.style = StyleEncoder(colours, shape.style, shape.code)
        self.ups = nn.ModuleList(UpConv(a, b, shape.kernel) for a, b in pairs)
        self.adains = nn.ModuleList(AdaIN(shape.code, shape.hidden, b) for _, b in pairs)
        self.head = nn.Sequential(ReflectPad(shape.head // 2), nn.Conv2d(widths[-1], colours, shape.head), nn.Tanh())

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
        colours = 3 * shape.fold**2
        self.transfer = TransferBranch(shape.widths, shape.blocks, shape.dropout, shape.stem, shape.head, colours)
        self.detail = DetailBranch(shape) if shape.detail else None
        start_small(self.transfer)
        _same_in_a_square(self.transfer.head, shape.fold)
        if self.detail is not None:
            # Not the style encoder and the perceptrons: without a normalisation after them, N(0, 0.02) lets the code
            # vanish.
            start_small(self.detail.ups)
            start_small(self.detail.head)
            _same_in_a_square(self.detail.head[1], shape.fold)

    def coarse(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """F_t and I_c. source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside."""
        size, folded = source.shape[2:], self.fold(source)
        height, width = int(folded.shape[2]), int(folded.shape[3])
        # Points of a folded image lie on its own, larger pixels.
        points = (torch.cat([source_points, target_points], 1) + 0.5) * (height / size[0]) - 0.5
        poses = heatmaps(points, (height, width), self.shape.sigma * height / self.shape.size[0], self.shape.heatmap)
        features, coarse = self.transfer(folded, poses.to(memory_format=torch.channels_last))
        return features, self.unfold(coarse, int(size[0]))

    def finish(self, source: Tensor, features: Tensor, coarse: Tensor) -> Tensor:
        """I_t = I_c + R_t, N x 3 x H x W; clipped to [-1, 1] only where it becomes uint8."""
        if self.detail is None:
            return coarse
        return coarse + self.unfold(self.detail(self.fold(source), features), int(source.shape[2]))

    def fold(self, image: Tensor) -> Tensor:
        """N x 3 x H x W -> N x 3 fold^2 x H / fold x W / fold.

        An image of 1 / fold of the size stands for one whose squares are each of one colour: it is not folded but
        repeated. So the network can be trained on small images first, and goes on with large ones where it stopped.
        """
        fold = self.shape.fold
        if fold == 1:
            return image
        if int(image.shape[2]) == self.shape.size[0]:
            return F.pixel_unshuffle(image, fold).contiguous(memory_format=torch.channels_last)
        return image.repeat_interleave(fold**2, dim=1).contiguous(memory_format=torch.channels_last)

    def unfold(self, folded: Tensor, height: int) -> Tensor:
        """The opposite of ``fold`` for an image of ``height``: squares laid out, or averaged for a small image."""
        fold = self.shape.fold
        if fold == 1:
            return folded
        if height == self.shape.size[0]:
            return F.pixel_shuffle(folded, fold)
        return folded.unflatten(1, (3, fold**2)).mean(2)

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """I_c and what the config calls its output: I_t, or I_c again."""
        features, coarse = self.coarse(source, source_points, target_points)
        return coarse, coarse if self.shape.output == "coarse" else self.finish(source, features, coarse)


def _same_in_a_square(head: nn.Conv2d, fold: int) -> None:
    """Start with equal weights for all pixels of a square, so that training on small images leaves no grain in them."""
    with torch.no_grad():
        head.weight.copy_(head.weight[:: fold**2].repeat_interleave(fold**2, dim=0))
