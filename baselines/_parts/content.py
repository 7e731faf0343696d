"""What an image should look like: L1, perceptual and style terms on one pretrained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from fhpt_bench import weights
from fhpt_bench.baselines._parts.vgg import VGG, Network, perceptual_loss, style_loss, unit_distance


class Content(BaseModel):
    """Keys of a configuration's losses that most baselines share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Network | Literal["random"]
    """``random``: an untrained VGG16, so that tests need no download."""
    taps: tuple[str, ...] = Field(min_length=1)
    """Features of the perceptual loss."""
    style_taps: tuple[str, ...] = ()
    """Which of ``taps`` the style loss reads."""
    l1: float = 10.0
    perceptual: float = 5.0
    style: float = 0.0


class ContentLoss:
    """Weighted sum of the terms of ``table`` between a made and a true image, N x 3 x H x W in [-1, 1].

    No torch module, on purpose: its frozen network is no part of a model's state, and is neither saved nor trained.
    """

    def __init__(self, table: Content) -> None:
        self.table = table
        self._vgg = trunk(table.network, table.taps)
        self._style = [table.taps.index(tap) for tap in table.style_taps] if table.style else []

    def features(self, image: Tensor) -> list[Tensor]:
        """The tapped features of ``image``."""
        if self._vgg.mix.device != image.device:
            self._vgg.to(image.device)
        found: list[Tensor] = self._vgg(image)
        return found

    def loss(
        self, made: Tensor, target: Tensor, true: list[Tensor] | None = None, *, mask: Tensor | None = None,
        style: bool = True,
    ) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
        """The sum, and each term unweighted and detached for the log.

        ``true``: features of the target, where they are at hand. ``mask``: N x 1 x H x W in 0..1; both images are
        multiplied by it first, so what lies outside weighs nothing. ``style=False`` leaves that term out.
        """
        if mask is not None:
            made, target, true = made * mask, target * mask, None
        if true is None:
            with torch.no_grad():
                true = self.features(target)
        return self.terms(made, target, self.features(made), true, style=style)

    def terms(
        self, made: Tensor, target: Tensor, made_features: list[Tensor], true: list[Tensor], *, style: bool = True
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As ``loss``, of images and features that are at hand."""
        parts = {"l1": (made.float() - target).abs().mean(), "perceptual": perceptual_loss(made_features, true)}
        if style and self._style:
            parts["style"] = style_loss([made_features[i] for i in self._style], [true[i] for i in self._style])
        total = torch.stack([getattr(self.table, name) * value for name, value in parts.items()]).sum()
        return total, {name: value.detach() for name, value in parts.items()}

    def distance(self, made: Tensor, target: Tensor) -> Tensor:
        """LPIPS-like distance of each image from its target, N; smaller is better. Snapshots are chosen by its mean."""
        return unit_distance(self.features(made.clamp(-1, 1)), self.features(target))


def trunk(network: Network | Literal["random"], taps: Sequence[str]) -> VGG:
    """The frozen network up to the last of ``taps``.

    ``random``: five untrained convolutions, always the same, an eighth as wide as VGG16's: tests wait for them.
    """
    if network != "random":
        return VGG(network, weights.load(network), taps)
    made: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    for index, (inputs, outputs) in enumerate([(3, 8), (8, 8), (8, 16), (16, 16), (16, 32)]):
        made[f"{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        made[f"{index}.bias"] = torch.zeros(outputs)
    return VGG("vgg16", made, taps)
