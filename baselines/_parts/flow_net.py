"""Flow and visibility from two poses (Li et al., Dense Intrinsic Appearance Flow, CVPR 2019, section 3.1).

The paper learns them from a fitted body model, here they may be exact. Intr-Flow trains this network, SPGNet uses it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from torch import Tensor, cat, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.dual_unet import Block, Decoder, Down, Encoder, Mix, level_widths
from fhpt_bench.baselines._parts.warping import BACKGROUND, own_places

UNIT = 20.0
"""Pixels that 1 in the network's flow stands for."""


class FlowShape(BaseModel):
    """Table ``flow`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unet", "unet_v2"]
    width: int
    widest: int
    scales: int
    """Levels below the half resolution that the flow has."""
    blocks: int = 2
    """Residual blocks a level (``unet_v2``)."""
    middle: int = 0
    """Residual blocks at the bottleneck (``unet_v2``); none in the paper, whose bottleneck is far smaller."""

    @property
    def halvings(self) -> int:
        return self.scales + 1


class Flows(NamedTuple):
    """What a flow network gives for the loss."""

    pyramid: list[Tensor]
    """N x 2 x h x w displacements in ``UNIT`` pixels of full resolution, half resolution first, then each halved."""
    visibility: Tensor
    """N x 3 x h x w logits at half resolution."""


class Flow(NamedTuple):
    """What a flow network predicts, at the resolution of its poses."""

    places: Tensor
    """N x 2 x H x W, see ``warping``; its own place where a pixel is background."""
    visibility: Tensor
    """N x H x W int64: 0 visible, 1 invisible, 2 background."""


class FlowNet(nn.Module):
    """Both poses, N x 36 x H x W, to flow and visibility. ``kind`` says which U-Net."""

    def __init__(self, shape: FlowShape, poses: int = 2 * 18) -> None:
        super().__init__()
        self.net = (UNet4 if shape.kind == "unet" else ResidualUNet)(shape, poses)

    def forward(self, poses: Tensor) -> Flows:
        result: Flows = self.net(poses)
        return result

    def predict(self, poses: Tensor) -> Flow:
        """Up-sampled twofold, in pixels, zero displacement where the background is."""
        flows = self(poses)
        logits = F.interpolate(flows.visibility.float(), scale_factor=2, mode="bilinear", align_corners=False)
        moves = F.interpolate(flows.pyramid[0].float(), scale_factor=2, mode="bilinear", align_corners=False) * UNIT
        visibility = logits.argmax(1)
        moves = moves * (visibility != BACKGROUND)[:, None]
        return Flow(moves + own_places(*moves.shape[2:], device=moves.device), visibility)


def _flow_head(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.LeakyReLU(0.1), nn.Conv2d(channels, 2, 3, 1, 1))


def _visibility_head(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.LeakyReLU(0.1), nn.Conv2d(channels, 3, 3, 1, 1))


class UNet4(nn.Module):
    """``unet``: a U-Net of 4x4 convolutions with a flow at every level.

    Widths 64 (after a 7x7 convolution to 32 and a halving) to 512, 5 levels: 29,338,189 parameters.
    """

    def __init__(self, shape: FlowShape, poses: int) -> None:
        super().__init__()
        first = 2 * shape.width
        widths = [min(shape.widest, first * 2**level) for level in range(shape.scales + 1)]
        self.stem = nn.Sequential(
            nn.Conv2d(poses, shape.width, 7, 1, 3, bias=False), nn.BatchNorm2d(shape.width), nn.LeakyReLU(0.1),
            nn.Conv2d(shape.width, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (a, b) in enumerate(pairwise(widths)):
            last = level == shape.scales - 1
            down = nn.Conv2d(a, b, 4, 2, 1, bias=False)
            # No normalisation at the bottleneck, no activation before the first convolution: the stem ends in one.
            self.downs.append(
                nn.Sequential(
                    nn.LeakyReLU(0.2) if level else nn.Identity(), down, nn.Identity() if last else nn.BatchNorm2d(b)
                )
            )
            up = nn.ConvTranspose2d(b if last else 2 * b, a, 4, 2, 1, bias=level == 0)
            self.ups.append(nn.Sequential(nn.ReLU(), up, nn.BatchNorm2d(a)))
        self.flows = nn.ModuleList(_flow_head(a) for a in widths[:-1])
        self.visibility = _visibility_head(widths[0])

    def forward(self, poses: Tensor) -> Flows:
        """N x 36 x H x W -> see ``Flows``."""
        x = self.stem(poses)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(x)
        pyramid: list[Tensor] = []
        for level in reversed(range(len(self.ups))):
            up = self.ups[level](x)
            pyramid.insert(0, self.flows[level](up))
            x = cat([skips[level], up], 1) if level else up
        return Flows(pyramid, self.visibility(x))


class ResidualUNet(nn.Module):
    """``unet_v2``: the U-Net of residual blocks, with a flow at every level.

    Widths 32 to 128, 5 levels below the half resolution: 6,588,685 parameters.
    """

    def __init__(self, shape: FlowShape, poses: int) -> None:
        super().__init__()
        full, *widths = level_widths(shape.width, shape.widest, shape.scales + 1)
        self.stem = nn.Sequential(Mix(poses, full), Block(full), Down(full, widths[0]))
        self.encoder = Encoder(widths, shape.blocks)
        self.middle = nn.Sequential(*(Block(widths[-1]) for _ in range(shape.middle)))
        self.decoder = Decoder(widths, shape.blocks)
        self.flows = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(channels, 2, 3, 1, 1)) for channels in widths[:-1]
        )
        self.visibility = nn.Sequential(nn.ReLU(), nn.Conv2d(widths[0], 3, 3, 1, 1))

    def forward(self, poses: Tensor) -> Flows:
        """N x 36 x H x W -> see ``Flows``."""
        skips, bottom = self.encoder(self.stem(poses))
        features = self.decoder(self.middle(bottom), skips)
        pyramid = [head(x) for head, x in zip(self.flows, features, strict=True)]
        return Flows(pyramid, self.visibility(features[0]))
