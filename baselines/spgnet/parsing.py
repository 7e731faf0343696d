"""Stage 1: whose body, whose pose -> which class each place of the target image has.

Names follow the paper: S_ps and S_pt parsings of source and target, p_s and p_t poses (heatmaps and distance maps).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.layers import ReflectPad, Residual, UpConv, down, instance_norm, stem
from fhpt_bench.baselines._parts.pat import PATBlock

CLASSES = 20
"""Of CIHP, by index: ``skeletons.CIHP20``."""


class Progressive(nn.Module):
    """PATN's network with other inputs and outputs: what is changed, and poses that say how -> maps.

    ``widths``: channels at each scale; ``len(widths) - 1`` halvings, then as many doublings. SPATN with ``inputs`` = 20
    (S_ps) or SPATN* with 3 (the source image); with the image to make as its output it is Table 3's PATN-S.
    """

    def __init__(
        self,
        inputs: int,
        pose_inputs: int,
        outputs: int,
        widths: Sequence[int],
        blocks: int,
        dropout: float,
        kernel: int,
    ) -> None:
        super().__init__()
        pairs, deepest = list(pairwise(widths)), widths[-1]
        self.what_down = nn.Sequential(stem(inputs, widths[0], kernel), *(down(a, b) for a, b in pairs))
        self.pose_down = nn.Sequential(stem(pose_inputs, widths[0], kernel), *(down(a, b) for a, b in pairs))
        self.blocks = nn.ModuleList(
            PATBlock(deepest, deepest if i == 0 else 2 * deepest, dropout) for i in range(blocks)
        )
        ups = [layer for a, b in reversed(pairs) for layer in (UpConv(b, a), instance_norm(a), nn.ReLU(inplace=True))]
        self.up = nn.Sequential(*ups, ReflectPad(kernel // 2))
        self.head = nn.Conv2d(widths[0], outputs, kernel)

    def forward(self, what: Tensor, poses: Tensor) -> Tensor:
        """what N x inputs x H x W, poses N x pose_inputs x H x W -> N x outputs x H x W."""
        what, poses = self.what_down(what), self.pose_down(poses)
        for block in self.blocks:
            what, poses = block(what, poses)
        result: Tensor = self.head(self.up(what))
        return result


class Parser(nn.Module):
    """A photograph and its pose -> logits of its own parsing: a U-Net in place of the paper's ready-made human parser.

    A generator sees a photograph and no parsing of it. Batch normalisation: skin is told from cloth by its colour,
    which instance normalisation would make relative to the image.
    """

    def __init__(self, inputs: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.stem = stem(inputs, widths[0], 3, "batch")
        self.downs = nn.ModuleList(down(a, b, "batch") for a, b in pairs)
        self.deepest = nn.Sequential(*(Residual(widths[-1], 0.0, "batch") for _ in range(blocks)))
        self.ups = nn.ModuleList(UpConv(b, a) for a, b in reversed(pairs))
        self.joins = nn.ModuleList(stem(2 * a, a, 3, "batch") for a, _ in reversed(pairs))
        self.head = nn.Sequential(ReflectPad(1), nn.Conv2d(widths[0], CLASSES, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Image in [-1, 1] and maps of the pose, N x inputs x H x W -> N x 20 x H x W."""
        kept = [self.stem(x)]
        for halve in self.downs:
            kept.append(halve(kept[-1]))
        x = self.deepest(kept.pop())
        for up, join in zip(self.ups, self.joins, strict=True):
            x = join(torch.cat([up(x), kept.pop()], 1))
        result: Tensor = self.head(x)
        return result


def shares(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Labels N x H x W (class by index) -> N x 20 x h x w: which share of each cell of ``size`` each class takes.

    At the labels' own size this is one-hot.
    """
    hot = F.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float()
    found = hot if hot.shape[2:] == size else F.adaptive_avg_pool2d(hot, size)
    return found.contiguous(memory_format=torch.channels_last)


def hard(logits: Tensor) -> Tensor:
    """The likeliest class of each place, one-hot: N x 20 x H x W."""
    return shares(logits.argmax(1), (int(logits.shape[2]), int(logits.shape[3])))


PALETTE = (
    (255, 255, 255), (128, 0, 0), (85, 51, 0), (169, 255, 85), (0, 64, 96), (0, 119, 221), (170, 85, 221),
    (85, 85, 160), (51, 170, 221), (0, 85, 85), (255, 200, 150), (52, 86, 128), (0, 128, 0), (255, 140, 100),
    (240, 170, 60), (190, 110, 30), (250, 220, 90), (200, 170, 20), (230, 60, 140), (150, 20, 90),
)  # fmt: skip
"""The colour in which each class is shown; the background is white."""


def coloured(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The likeliest class of each place in its colour: N x 3 x H x W in [-1, 1] of ``size``, cells enlarged."""
    palette = torch.tensor(PALETTE, device=logits.device) / 127.5 - 1
    return F.interpolate(palette[logits.argmax(1)].permute(0, 3, 1, 2), size, mode="nearest")


def overlap(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cells in both and in either, for each class: two N x 20, float64.

    ``truth``: N x 20 x H x W, of which each place's largest share counts. Intersection over union is their quotient.
    """
    made, true = (F.one_hot(maps.argmax(1), CLASSES).bool().flatten(1, 2) for maps in (logits, truth))
    return (made & true).sum(1).double(), (made | true).sum(1).double()
