"""PATN's generator: pose-attentional transfer blocks (Zhu et al., CVPR 2019), with DRN's two changes.

The changes: the last image features are returned beside the coarse image, and each transposed convolution is bilinear
up-sampling with a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, cat, nn

from fhpt_bench.baselines._parts.layers import ReflectPad, UpConv, down, instance_norm, stem


def _stream(inputs: int, middle: int, outputs: int, dropout: float, *, last_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        ReflectPad(1), nn.Conv2d(inputs, middle, 3), instance_norm(middle), nn.ReLU(inplace=True), nn.Dropout(dropout),
        ReflectPad(1), nn.Conv2d(middle, outputs, 3),
    ]  # fmt: skip
    return nn.Sequential(*layers, *([instance_norm(outputs)] if last_norm else []))


class PATBlock(nn.Module):
    """One pose-attentional transfer block: the pose stream says where the image stream is to change."""

    def __init__(self, channels: int, pose_channels: int, dropout: float) -> None:
        super().__init__()
        self.image = _stream(channels, channels, channels, dropout, last_norm=True)
        self.pose = _stream(pose_channels, pose_channels, channels, dropout, last_norm=False)

    def forward(self, image: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        pose = self.pose(pose)
        image = image + pose.sigmoid() * self.image(image)
        return image, cat([pose, image], 1)


class TransferBranch(nn.Module):
    """Source image, source and target heatmaps -> last image features F_t and coarse image I_c.

    ``widths``: channels at each scale; ``len(widths) - 1`` halvings. Paper: 64-128-256-512, 9 blocks: 165,233,603
    parameters.
    """

    def __init__(
        self, widths: Sequence[int], blocks: int, dropout: float, stem_kernel: int, head_kernel: int, colours: int = 3
    ) -> None:
        super().__init__()
        deepest = widths[-1]
        pairs = list(pairwise(widths))
        self.image_down = nn.Sequential(stem(colours, widths[0], stem_kernel), *(down(a, b) for a, b in pairs))
        self.pose_down = nn.Sequential(stem(2 * 18, widths[0], stem_kernel), *(down(a, b) for a, b in pairs))
        self.blocks = nn.ModuleList(
            PATBlock(deepest, deepest if i == 0 else 2 * deepest, dropout) for i in range(blocks)
        )
        ups = [layer for a, b in reversed(pairs) for layer in (UpConv(b, a), instance_norm(a), nn.ReLU(inplace=True))]
        self.up = nn.Sequential(*ups, ReflectPad(head_kernel // 2))
        self.head = nn.Conv2d(widths[0], colours, head_kernel)

    def forward(self, source: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """source N x colours x H x W in [-1, 1], poses N x 36 x H x W -> F_t N x C x h x w, I_c as source."""
        image, pose = self.image_down(source), self.pose_down(poses)
        for block in self.blocks:
            image, pose = block(image, pose)
        return image, self.head(self.up(image)).tanh()
