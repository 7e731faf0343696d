"""The Incarnation network: patch generation, patch transfer, and their merging into one image.

Letters follow the paper: E_1 and E_2 encode the source image and both poses; s and t are the image's and the pose's
features, changed by one Incarnation block after another; FME estimates where in E_1's features to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from fhpt_bench.baselines._parts.fold import fold, poses, same_in_a_square, unfold
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines._parts.layers import ReflectPad


class Shape(BaseModel):
    """Table ``model`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    """height, width of images; each divisible by fold * 4."""
    widths: tuple[int, int, int]
    """Channels at full, half and quarter size: two halvings, so that the decoder has two skips."""
    blocks: int = Field(gt=0)
    """How many Incarnation blocks."""
    stem: int
    head: int
    flow: int
    """Kernels (odd) of the encoders' first, the decoder's last and the FME's convolution."""
    fold: int = 1
    """See ``_parts/fold.py``."""
    heatmap: Form = "gaussian"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``; smaller images have proportionally smaller ones."""


class Patches(NamedTuple):
    """What the two branches give to be merged. N x C x h x w each."""

    generated: Tensor
    """s_n, by patch generation."""
    transferred: tuple[Tensor, ...]
    """E_1's features at each scale, largest first, moved by the FME's flow."""
    flow: Tensor
    """N x 2 x h x w: how many cells (of s_n) to the right and down of each cell the FME looks."""


class Normed(nn.Sequential):
    """Reflect-pad, convolution under spectral normalisation, BN, ReLU: what encoders and decoder are made of."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        super().__init__(
            ReflectPad(kernel // 2), spectral_norm(conv), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )  # fmt: skip


class Encoder(nn.Module):
    """E_1 and E_2: a stem, then halvings. Gives the features of every scale, largest first."""

    def __init__(self, inputs: int, widths: Sequence[int], kernel: int) -> None:
        super().__init__()
        self.stem = Normed(inputs, widths[0], kernel)
        self.downs = nn.ModuleList(Normed(a, b, stride=2) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.stem(x)]
        for down in self.downs:
            features.append(down(features[-1]))
        return features


class Incarnation(nn.Module):
    """s_i = alpha(t) * f(s) + beta(t), t_i = sigmoid(beta(t)) * s_i, with s and t of the block before.

    f: two 3x3 convolutions, each with BN; the second's has no weights of its own, alpha and beta being them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, bias=False) for _ in range(2))
        self.f = nn.Sequential(
            ReflectPad(1), first, nn.BatchNorm2d(channels), nn.ReLU(inplace=True),
            ReflectPad(1), second, nn.BatchNorm2d(channels, affine=False),
        )  # fmt: skip
        self.pad = ReflectPad(1)
        self.alpha, self.beta = (nn.Conv2d(channels, channels, 3) for _ in range(2))
        assert self.alpha.bias is not None
        nn.init.ones_(self.alpha.bias)  # an untrained block lets f(s) through

    def forward(self, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        padded = self.pad(t)
        beta = self.beta(padded)
        s = self.alpha(padded) * self.f(s) + beta
        return s, beta.sigmoid() * s


class Decoder(nn.Module):
    """Merged features and two skips -> image (folded): twice bilinear x2, concatenation, convolution; then tanh."""

    def __init__(self, widths: Sequence[int], kernel: int, colours: int) -> None:
        super().__init__()
        self.ups = nn.ModuleList(Normed(below + here, here) for here, below in reversed(list(pairwise(widths))))
        self.pad, self.head = ReflectPad(kernel // 2), nn.Conv2d(widths[0], colours, kernel)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """``skips``: largest first."""
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = up(torch.cat([larger, skip], 1))
        image: Tensor = self.head(self.pad(x))
        return image.tanh()


class IncarnationNet(nn.Module):
    """Source image and two poses -> image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        colours, deepest = 3 * shape.fold**2, shape.widths[-1]
        self.e1 = Encoder(colours, shape.widths, shape.stem)
        self.e2 = Encoder(2 * 18, shape.widths, shape.stem)
        self.blocks = nn.ModuleList(Incarnation(deepest) for _ in range(shape.blocks))
        self.fme = nn.Sequential(ReflectPad(shape.flow // 2), nn.Conv2d(deepest, 2, shape.flow))
        self.merging = nn.Sequential(
            ReflectPad(1), nn.Conv2d(2 * deepest, deepest, 3, bias=False), nn.BatchNorm2d(deepest)
        )
        self.decoder = Decoder(shape.widths, shape.head, colours)
        # At first every cell looks at itself, or nearly: a flow that starts anywhere else must find its way back first.
        nn.init.normal_(self.fme[1].weight, 0.0, 1e-3)
        nn.init.zeros_(self.fme[1].bias)
        same_in_a_square(self.decoder.head, shape.fold)

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """source N x 3 x H x W in [-1, 1], points N x 18 x 2 in pixels (NaN: unknown) -> N x 3 x H x W in [-1, 1]."""
        return self.merge(self.patches(source, source_points, target_points), int(source.shape[2]))

    def patches(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Patches:
        """Both branches. Arguments as in ``forward``."""
        shape, height = self.shape, int(source.shape[2])
        folded = fold(source, shape.fold, shape.size[0])
        points = torch.cat([source_points, target_points], 1)
        cells = (int(folded.shape[2]), int(folded.shape[3]))
        features = self.e1(folded)
        s, t = features[-1], self.e2(poses(points, height, cells, shape.size[0], shape.sigma, shape.heatmap))[-1]
        for block in self.blocks:
            s, t = block(s, t)
        flow = self.fme(t).float()
        return Patches(s, tuple(moved(feature, flow) for feature in features), flow)

    def merge(self, patches: Patches, height: int) -> Tensor:
        """Patches -> N x 3 x ``height`` x W."""
        *skips, deepest = patches.transferred
        merged = self.merging(torch.cat([patches.generated, deepest], 1))
        return unfold(self.decoder(merged, skips), self.shape.fold, self.shape.size[0], height)


def moved(features: Tensor, flow: Tensor) -> Tensor:
    """N x C x H x W, sampled bilinearly where ``flow`` (N x 2 x h x w: x, y in cells of its own grid) points.

    ``features`` may be larger than the flow, which is then enlarged with them. What points past the frame gets the
    frame's edge.
    """
    height, width = (int(side) for side in features.shape[2:])
    # grid_sample counts in half images, whatever their size.
    offset = flow * flow.new_tensor([2 / int(flow.shape[3]), 2 / int(flow.shape[2])])[:, None, None]
    if flow.shape[2:] != features.shape[2:]:
        offset = F.interpolate(offset, size=(height, width), mode="bilinear", align_corners=False)
    x, y = ((2 * torch.arange(n, device=flow.device) + 1) / n - 1 for n in (width, height))
    here = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    grid = (here + offset).permute(0, 2, 3, 1)
    # In float32: bfloat16 knows a place to a third of a cell only.
    found = F.grid_sample(features.float(), grid, padding_mode="border", align_corners=False)
    return found.to(features.dtype, memory_format=torch.channels_last)
