"""Intr-Flow's U-Nets of residual blocks: one encoder, or two whose appearance features are warped to the target pose.

Li et al., Dense Intrinsic Appearance Flow for Human Pose Transfer, CVPR 2019, Fig. 2 and 4. A level's width is
``min(width * (level + 1), widest)``; every level but the last is halved into the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.layers import ReflectPad
from fhpt_bench.baselines._parts.warping import pooled, split, warp

Gate = Literal["residual", "none"]
Skips = list[list[Tensor]]
"""By level, by residual block."""


def level_widths(width: int, widest: int, scales: int) -> tuple[int, ...]:
    """Channels at each of ``scales`` levels, and at the bottleneck below them."""
    return tuple(min(width * (level + 1), widest) for level in range(scales + 1))


class Mix(nn.Sequential):
    """1x1 convolution and batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Residual block: x + norm(conv(relu(x))); a skip, merged by a 1x1 convolution, is put beside x first."""

    def __init__(self, channels: int, skip: int = 0) -> None:
        super().__init__()
        self.merge = Mix(skip, channels) if skip else None
        self.conv = nn.Conv2d(2 * channels if skip else channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        inside = x
        if self.merge is not None:
            assert skip is not None
            inside = torch.cat([x, self.merge(F.relu(skip))], 1)
        result: Tensor = x + self.norm(self.conv(F.relu(inside)))
        return result


class Down(nn.Sequential):
    """ReLU, 3x3 convolution of stride 2, batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.ReLU(), nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs))


class Up(nn.Sequential):
    """ReLU, 3x3 convolution to four times the channels, depth to space, batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        conv = nn.Conv2d(inputs, 4 * outputs, 3, 1, 1, bias=False)
        super().__init__(nn.ReLU(), conv, nn.PixelShuffle(2), nn.BatchNorm2d(outputs))


class Encoder(nn.Module):
    """Residual blocks at each level, each level halved into the next. ``downs``: of another encoder, to be shared."""

    def __init__(self, widths: Sequence[int], blocks: int = 2, downs: nn.ModuleList | None = None) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.ModuleList(Block(c) for _ in range(blocks)) for c in widths[:-1])
        self.downs = nn.ModuleList(Down(a, b) for a, b in pairwise(widths)) if downs is None else downs

    def forward(self, x: Tensor) -> tuple[Skips, Tensor]:
        """N x widths[0] x H x W -> what every block gave, and the bottleneck."""
        skips: Skips = []
        for level, down in zip(self.levels, self.downs, strict=True):
            assert isinstance(level, nn.ModuleList)
            skips.append([])
            for block in level:
                x = block(x)
                skips[-1].append(x)
            x = down(x)
        return skips, x


class Decoder(nn.Module):
    """The way up: at each level as many residual blocks as the encoder's, which take its skips, last one first."""

    def __init__(self, widths: Sequence[int], blocks: int = 2, encoders: int = 1) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.ModuleList(Block(c, encoders * c) for _ in range(blocks)) for c in widths[:-1])
        self.ups = nn.ModuleList(Up(b, a) for a, b in pairwise(widths))

    def forward(self, x: Tensor, *skips: Skips) -> list[Tensor]:
        """Bottleneck and one list of skips an encoder -> features of each level, finest first."""
        features: list[Tensor] = []
        for number in reversed(range(len(self.levels))):
            level = self.levels[number]
            assert isinstance(level, nn.ModuleList)
            x = self.ups[number](x)
            for index in reversed(range(len(level))):
                x = level[index](x, torch.cat([encoder[number][index] for encoder in skips], 1))
            features.insert(0, x)
        return features


class UNet(nn.Module):
    """One encoder, one decoder: Intr-Flow's pixel-warping network (on 9 channels: 8,358,017 parameters)."""

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int], blocks: int = 2, head: int = 7, *, mix: bool = True
    ) -> None:
        super().__init__()
        self.stem, self.encoder = Mix(inputs, widths[0]), Encoder(widths, blocks)
        self.decoder = Decoder(widths, blocks)
        self.mix = nn.Sequential(Mix(widths[0], widths[0]), nn.ReLU()) if mix else nn.Identity()
        self.head = nn.Sequential(ReflectPad(head // 2), nn.Conv2d(widths[0], outputs, head))

    def forward(self, x: Tensor) -> Tensor:
        """N x inputs x H x W -> N x outputs x H x W, unbounded."""
        skips, bottom = self.encoder(self.stem(x))
        result: Tensor = self.head(self.mix(self.decoder(bottom, skips)[0]))
        return result


class WarpedSkips(nn.Module):
    """Appearance features of the first ``warped`` levels, moved to the target pose.

    ``gate = "residual"``: a residual block that sees visible and invisible features apart corrects each of them.
    ``"none"``: they are only moved.
    """

    def __init__(self, widths: Sequence[int], warped: int, blocks: int = 2, gate: Gate = "residual") -> None:
        super().__init__()
        self.warped = warped
        gated = widths[:warped] if gate == "residual" else ()
        self.gates = nn.ModuleList(nn.ModuleList(Block(c, 2 * c) for _ in range(blocks)) for c in gated)

    def forward(self, skips: Skips, places: Tensor, visibility: Tensor) -> Skips:
        """``places`` N x 2 x H x W and ``visibility`` N x H x W at the first level's size (see ``warping``)."""
        moved: Skips = list(skips)
        for level in range(self.warped):
            there, seen = pooled(places, visibility, 2**level)
            moved[level] = [warp(features, there) for features in skips[level]]
            if len(self.gates):
                gates = self.gates[level]
                assert isinstance(gates, nn.ModuleList)
                moved[level] = [gate(x, split(x, seen)) for gate, x in zip(gates, moved[level], strict=True)]
        return moved


class DualUNet(nn.Module):
    """Target pose and source image -> target image: two encoders, warped appearance skips, one decoder.

    Widths 32 to 128, 7 levels, 5 warped, down-sampling shared by the encoders as in the released code: 11,881,539
    parameters (separate, as the paper implies: 12,657,283); 5 levels, 4 warped (Market): 7,255,107.
    """

    def __init__(
        self, pose: int, colours: int, widths: Sequence[int], warped: int, blocks: int = 2, head: int = 7,
        gate: Gate = "residual", *, shared: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pose_stem, self.image_stem = Mix(pose, widths[0]), Mix(colours, widths[0])
        self.pose_encoder = Encoder(widths, blocks)
        self.image_encoder = Encoder(widths, blocks, self.pose_encoder.downs if shared else None)
        self.skips = WarpedSkips(widths, warped, blocks, gate)
        self.fuse = Mix(2 * widths[-1], widths[-1])
        self.decoder = Decoder(widths, blocks, encoders=2)
        self.head = nn.Sequential(ReflectPad(head // 2), nn.Conv2d(widths[0], colours, head), nn.Tanh())

    def forward(self, image: Tensor, pose: Tensor, flow: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """image N x colours x H x W, pose N x pose x H x W, flow: places and visibility -> as image, in [-1, 1].

        Without ``flow`` nothing is moved.
        """
        of_pose, pose_bottom = self.pose_encoder(self.pose_stem(pose))
        of_image, image_bottom = self.image_encoder(self.image_stem(image))
        if flow is not None:
            of_image = self.skips(of_image, *flow)
        bottom = self.fuse(torch.cat([pose_bottom, image_bottom], 1))
        result: Tensor = self.head(self.decoder(bottom, of_pose, of_image)[0])
        return result
