"""The 70 x 70 PatchGAN (Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PatchDiscriminator(nn.Module):
    """Image and what it goes with -> a map of logits, one for each overlapping patch: is it real?

    4x4 convolutions to ``widths``, LeakyReLU 0.2; all but the last of stride 2, so that four widths make patches of 70
    pixels. Batch normalisation on all but the first. 64-128-256-512 on 24 channels: 2,787,137 parameters.
    """

    def __init__(self, inputs: int, widths: Sequence[int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for index, (a, b) in enumerate(pairwise(widths)):
            stride = 1 if index == len(widths) - 2 else 2
            layers += [
                nn.Conv2d(a, b, 4, stride, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, inplace=True),
            ]  # fmt: skip
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return result


def cross_entropy(logits: Tensor, *, real: bool) -> Tensor:
    """Mean binary cross-entropy of the verdicts against "real" or "made"."""
    return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, float(real), dtype=torch.float32))
