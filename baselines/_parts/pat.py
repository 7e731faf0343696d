"""PATN's generator: pose-attentional transfer blocks (Zhu et al., CVPR 2019), with DRN's two changes as options.

The changes: the last image features are returned beside the image, and each transposed convolution is bilinear
up-sampling with a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, cat, nn

from fhpt_bench.baselines._parts.layers import Norm, ReflectPad, UpConv, down, has_bias, norm_of, stem

Up = Literal["bilinear", "transposed"]
"""``transposed``: PATN's 3x3 stride-2 transposed convolutions. ``bilinear``: DRN's (``UpConv``)."""


def _stream(inputs: int, middle: int, outputs: int, dropout: float, norm: Norm, *, last_norm: bool) -> nn.Sequential:
    first, second = (nn.Conv2d(a, b, 3, bias=has_bias(norm)) for a, b in ((inputs, middle), (middle, outputs)))
    layers: list[nn.Module] = [
        ReflectPad(1), first, norm_of(norm, middle), nn.ReLU(inplace=True), nn.Dropout(dropout),
        ReflectPad(1), second,
    ]  # fmt: skip
    return nn.Sequential(*layers, *([norm_of(norm, outputs)] if last_norm else []))


class PATBlock(nn.Module):
    """One pose-attentional transfer block: the pose stream says where the image stream is to change."""

    def __init__(self, channels: int, pose_channels: int, dropout: float, norm: Norm = "instance") -> None:
        super().__init__()
        self.image = _stream(channels, channels, channels, dropout, norm, last_norm=True)
        self.pose = _stream(pose_channels, pose_channels, channels, dropout, norm, last_norm=False)

    def forward(self, image: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        pose = self.pose(pose)
        image = image + pose.sigmoid() * self.image(image)
        return image, cat([pose, image], 1)


def _up(inputs: int, outputs: int, norm: Norm, up: Up) -> list[nn.Module]:
    layer: nn.Module
    if up == "bilinear":
        layer = UpConv(inputs, outputs)
    else:
        layer = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=has_bias(norm))
    return [layer, norm_of(norm, outputs), nn.ReLU(inplace=True)]


class TransferBranch(nn.Module):
    """Source image, source and target heatmaps -> last image features F_t and (coarse) image I_c.

    ``widths``: channels at each scale; ``len(widths) - 1`` halvings. DRN: 64-128-256-512, 9 blocks: 165,233,603
    parameters. PATN: 64-128-256, 9 blocks, ``up="transposed"``: 41,358,019; with ``norm="batch"`` 41,365,763.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: int,
        dropout: float,
        stem_kernel: int,
        head_kernel: int,
        colours: int = 3,
        norm: Norm = "instance",
        up: Up = "bilinear",
        poses: int = 2 * 18,
    ) -> None:
        super().__init__()
        deepest = widths[-1]
        pairs = list(pairwise(widths))
        self.image_down, self.pose_down = (
            nn.Sequential(stem(inputs, widths[0], stem_kernel, norm), *(down(a, b, norm) for a, b in pairs))
            for inputs in (colours, poses)
        )
        self.blocks = nn.ModuleList(
            PATBlock(deepest, deepest if i == 0 else 2 * deepest, dropout, norm) for i in range(blocks)
        )
        ups = [layer for a, b in reversed(pairs) for layer in _up(b, a, norm, up)]
        self.up = nn.Sequential(*ups, ReflectPad(head_kernel // 2))
        self.head = nn.Conv2d(widths[0], colours, head_kernel)

    def forward(self, source: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """source N x colours x H x W in [-1, 1], poses N x ``poses`` x H x W -> F_t N x C x h x w, I_c as source."""
        image, pose = self.image_down(source), self.pose_down(poses)
        for block in self.blocks:
            image, pose = block(image, pose)
        return image, self.head(self.up(image)).tanh()
