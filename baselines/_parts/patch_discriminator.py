"""The 70 x 70 PatchGAN (Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn


class Judge(BaseModel):
    """Table ``judge``: the discriminator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, ...]
    share: float = 1.0
    """Its learning rate, beside the generator's."""


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
