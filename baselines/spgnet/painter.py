"""Stage 2: the image, from the source's styles and the target's parsing. And PATN-S of the paper's Table 3."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.dual_unet import Encoder, Gate, Mix, Up, WarpedSkips, level_widths
from fhpt_bench.baselines._parts.layers import ReflectPad
from fhpt_bench.baselines.spgnet.parsing import CLASSES, Progressive
from fhpt_bench.baselines.spgnet.sean import SEANBlock, StyleEncoder, Styling


class PainterShape(BaseModel):
    """Table ``painter`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dual-unet", "patn"] = "dual-unet"
    """``patn``: PATN on image and parsings (Table 3's PATN-S), of ``width`` channels, doubled twice, with 9 blocks."""
    width: int
    """Channels of the first level; level l has ``min(width * (l + 1), widest)``."""
    widest: int
    scales: int
    """Levels, each halved into the next, the last into the bottleneck."""
    warped: int
    """How many of them have their appearance features warped."""
    blocks: int
    """Residual blocks a level."""
    head: int
    gate: Gate = "residual"
    sees_parsing: bool = True
    """Whether S_pt stands beside the target pose at the input (all of Table 3 but its Baseline)."""
    styling: Styling = "sean"
    code: int
    """Length of a region's style code."""
    style: tuple[int, ...]
    """Channels of the style encoder's halvings."""
    hidden: int
    """Channels between the parsing and the scales it gives."""
    kernel: int
    """Of the convolutions that make scales and shifts."""
    style_kernel: int
    """The same of those that read the spread codes."""

    @property
    def halvings(self) -> int:
        return 2 if self.kind == "patn" else self.scales


class Painter(nn.Module):
    """Dual U-Net with down-sampling apart, warped appearance skips, and a decoder of SEAN blocks."""

    def __init__(self, shape: PainterShape, colours: int) -> None:
        super().__init__()
        self.shape = shape
        widths = level_widths(shape.width, shape.widest, shape.scales)
        self.pose_stem = Mix(18 + CLASSES * shape.sees_parsing, widths[0])
        self.image_stem = Mix(colours, widths[0])
        self.pose_encoder, self.image_encoder = (Encoder(widths, shape.blocks) for _ in range(2))
        self.skips = WarpedSkips(widths, shape.warped, shape.blocks, shape.gate)
        styled = shape.styling in ("sean", "concat")
        self.style_encoder = StyleEncoder(colours, shape.style, shape.code) if styled else None
        self.fuse = Mix(2 * widths[-1], widths[-1])
        self.ups = nn.ModuleList(Up(b, a) for a, b in pairwise(widths))
        self.levels = nn.ModuleList(
            nn.ModuleList(
                SEANBlock(c, 2 * c, shape.code, shape.hidden, (shape.kernel, shape.style_kernel), shape.styling)
                for _ in range(shape.blocks)
            )
            for c in widths[:-1]
        )
        self.head = nn.Sequential(ReflectPad(shape.head // 2), nn.Conv2d(widths[0], colours, shape.head), nn.Tanh())

    def forward(
        self, image: Tensor, poses: Tensor, parsings: tuple[Tensor, Tensor], flow: tuple[Tensor, Tensor]
    ) -> Tensor:
        """I_s, heatmaps of source and target, S_ps and S_pt, flow -> image in [-1, 1].

        image N x colours x H x W, poses N x 36 x H x W, parsings N x 20 x H x W each (shares), flow: places and
        visibility (``_parts.warping``) of the size H x W -> as image.
        """
        of_source, of_target = parsings
        pose = poses[:, 18:]
        seen = torch.cat([pose, of_target], 1) if self.shape.sees_parsing else pose
        of_pose, pose_bottom = self.pose_encoder(self.pose_stem(seen))
        of_image, image_bottom = self.image_encoder(self.image_stem(image))
        of_image = self.skips(of_image, *flow)
        styles = self.style_encoder(image, of_source) if self.style_encoder is not None else image.new_zeros(0)
        x = self.fuse(torch.cat([pose_bottom, image_bottom], 1))
        for number in reversed(range(len(self.levels))):
            x = self.ups[number](x)
            regions = F.adaptive_avg_pool2d(of_target, x.shape[2:])
            blocks = self.levels[number]
            assert isinstance(blocks, nn.ModuleList)
            for index in reversed(range(len(blocks))):
                x = blocks[index](x, torch.cat([of_pose[number][index], of_image[number][index]], 1), styles, regions)
        result: Tensor = self.head(F.leaky_relu(x, 0.2))
        return result

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that gives the colours."""
        conv = self.head[1]
        assert isinstance(conv, nn.Conv2d)
        return conv


class PATNS(nn.Module):
    """PATN that reads S_ps beside the source image and S_pt beside the poses; it warps nothing."""

    def __init__(self, shape: PainterShape, colours: int) -> None:
        super().__init__()
        self.shape = shape
        widths = (shape.width, 2 * shape.width, 4 * shape.width)
        self.net = Progressive(colours + CLASSES, 2 * 18 + CLASSES, colours, widths, 9, 0.0, shape.head)

    def forward(
        self, image: Tensor, poses: Tensor, parsings: tuple[Tensor, Tensor], flow: tuple[Tensor, Tensor]
    ) -> Tensor:
        """As ``Painter``; ``flow`` is not looked at."""
        result: Tensor = self.net(torch.cat([image, parsings[0]], 1), torch.cat([poses, parsings[1]], 1)).tanh()
        return result

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that gives the colours."""
        return self.net.head
