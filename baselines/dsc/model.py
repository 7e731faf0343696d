"""The networks of DSC: a U-Net whose skip connections are deformed from the source pose to the target pose.

Siarohin et al., CVPR 2018, Figure 2. x_a source image, P_a and P_b source and target pose as heatmaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.fold import fold, folded_points, poses, same_in_a_square, unfold
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines.dsc.warp import Mode, Regions, find, warp


class Shape(BaseModel):
    """Table ``model`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    """height, width of images; what cannot be halved without a rest is padded inside the network."""
    widths: tuple[int, ...] = Field(min_length=2)
    """Channels of both encoders, one number a scale; the decoder has the same on its way back."""
    warped: int = 4
    """Skip connections of so many scales, the finest first, are deformed; 0: the paper's baseline, one encoder of
    image and both poses."""
    dropout: float = 0.5
    """After the decoder's first three up-samplings."""
    fold: int = 1
    """See ``_parts.fold``."""
    heatmap: Form = "gaussian"
    sigma: float = 6.0
    """Radius of the heatmaps in pixels at ``size``."""
    mode: Mode = "paper"
    """How large the head's region is: see ``warp.find``."""


class JointNorm(nn.Module):
    """Normalises over channels, rows and columns of an image together; one scale and one offset for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W -> the same. 1e-3 is added to the deviation itself."""
        flat = x.permute(0, 2, 3, 1).flatten(1).float()  # no copy in channels_last
        away = flat - flat.mean(1, keepdim=True)
        deviation = away.square().mean(1, keepdim=True).clamp(min=1e-12).sqrt()
        even = (away * (self.gamma / (deviation + 1e-3)) + self.beta).to(x.dtype)
        return even.view(x.shape[0], *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """3x3 convolution, then a halving a scale; no normalisation at the first and at the last."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(JointNorm() for _ in widths[2:])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every scale, the finest first."""
        found = [self.first(x)]
        for number, down in enumerate(self.downs):
            smaller = down(F.leaky_relu(found[-1], 0.2))
            found.append(self.norms[number](smaller) if number < len(self.norms) else smaller)
        return found


class Decoder(nn.Module):
    """Features of every scale -> image: a doubling a scale, each joined with the features of its size."""

    def __init__(self, widths: Sequence[int], encoders: int, dropout: float, colours: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        joined = [width * encoders for width in widths]
        inputs = [joined[-1], *(above + skip for above, skip in zip(widths[:1:-1], joined[-2:0:-1], strict=True))]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False) for a, b in zip(inputs, widths[:0:-1], strict=True)
        )
        self.norms = nn.ModuleList(JointNorm() for _ in self.ups)
        self.head = nn.Conv2d(widths[0] * encoders + widths[1], colours, 3, padding=1)

    def forward(self, skips: Sequence[Tensor]) -> Tensor:
        x = skips[-1]
        for number, (up, norm, skip) in enumerate(zip(self.ups, self.norms, skips[-2::-1], strict=True)):
            x = norm(up(F.relu(x)))
            if number < 3:
                x = self.dropout(x)
            x = torch.cat([x, skip], 1)
        result: Tensor = self.head(F.relu(x)).tanh()
        return result


class DSC(nn.Module):
    """Source image and two poses -> image. DeepFashion: 82,080,579 weights, Market-1501 61,109,059; with the scalars
    of the normalisations 32 and 26 more."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        colours = 3 * shape.fold**2
        self.appearance = Encoder(colours + (18 if shape.warped else 36), shape.widths)
        self.pose = Encoder(18, shape.widths) if shape.warped else None
        self.decoder = Decoder(shape.widths, 2 if shape.warped else 1, shape.dropout, colours)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        same_in_a_square(self.decoder.head, shape.fold)

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside -> as source."""
        shape, height = self.shape, int(source.shape[2])
        image = fold(source, shape.fold, shape.size[0])
        inside = (int(image.shape[2]), int(image.shape[3]))
        drawn = [
            poses(points, height, inside, shape.size[0], shape.sigma, shape.heatmap)
            for points in (source_points, target_points)
        ]
        # Sides that the halvings do not divide are continued; left, right, top, bottom.
        rests = [-side % 2 ** (len(shape.widths) - 1) for side in inside[::-1]]
        edges = [rests[0] // 2, rests[0] - rests[0] // 2, rests[1] // 2, rests[1] - rests[1] // 2]
        image = F.pad(image, edges, mode="replicate")
        before, after = (F.pad(maps, edges) for maps in drawn)
        if self.pose is None:
            skips = self.appearance(torch.cat([image, before, after], 1))
        else:
            corner = source.new_tensor([edges[0], edges[2]])
            places = [folded_points(points, height, inside[0]) + corner for points in (source_points, target_points)]
            regions = find(places[0], places[1], image.shape[2:], shape.size[0] / inside[0], shape.mode)
            skips = self._joined(self.appearance(torch.cat([image, before], 1)), self.pose(after), regions)
        made = self.decoder(skips)[:, :, edges[2] : edges[2] + inside[0], edges[0] : edges[0] + inside[1]]
        return unfold(made, shape.fold, shape.size[0], height)

    def _joined(self, appearance: list[Tensor], pose: list[Tensor], regions: Regions) -> list[Tensor]:
        """Per scale: appearance features, deformed at the finest, beside those of the target pose."""
        moved = [
            warp(features, regions.places(level)) if level < self.shape.warped else features
            for level, features in enumerate(appearance)
        ]
        return [torch.cat(both, 1) for both in zip(moved, pose, strict=True)]


class Judge(nn.Module):
    """Image and pose, source and target (42 channels) -> a map of verdicts, logits: 4x4 stride-2 convolutions without
    padding. Paper: 64-128-256-512-1, 2,803,776 weights and the 6 scalars of three normalisations."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * (3 + 18), widths[0], 4, 2)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, bias=False) for a, b in pairwise((*widths, 1)))
        self.norms = nn.ModuleList(JointNorm() for _ in widths[1:])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, conv in enumerate(self.convs):
            x = conv(F.leaky_relu(x, 0.2))
            if number < len(self.norms):
                x = self.norms[number](x)
        return x
