"""How DSC is trained: cross-entropy against one discriminator, and the nearest-neighbour loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import cross_entropy
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import frozen
from fhpt_bench.baselines._parts.vgg import perceptual_loss, style_loss
from fhpt_bench.baselines.dsc.model import DSC, Judge, Shape
from fhpt_bench.baselines.dsc.nearest import nearest_neighbour
from fhpt_bench.baselines.dsc.warp import lacking
from fhpt_bench.train_config import Batch, Recipe, Update, parse
from fhpt_bench.types import Pair


class Judging(BaseModel):
    """Table ``judge``: the discriminator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, ...] = Field(min_length=1)


class Losses(Content):
    """Table ``losses``: weights, and which features they are measured on."""

    nearest: float
    """Weight of the nearest-neighbour loss, in the units of the publication: see ``scale``."""
    nearest_tap: str = "relu1_2"
    """Features it reads, one of ``taps``."""
    neighbourhood: int = Field(ge=1)
    """Side of the square within which the nearest feature is looked for; odd."""
    scale: float = 57.4
    """The published weight belongs to features of a network that reads 0..255; torch's reads values divided by 255 and
    by 0.225 or so, 57.4 times smaller, and so (all its layers being nearly linear in scale) are its features."""
    gan: float = 1.0

    @model_validator(mode="after")
    def _readable(self) -> Losses:
        if self.nearest_tap not in self.taps:
            raise ValueError(f"nearest_tap {self.nearest_tap!r} is none of taps")
        if self.neighbourhood % 2 == 0:
            raise ValueError("neighbourhood must be odd")
        return self


def build(config: Mapping[str, Any]) -> DSCTraining:
    """The trainable DSC of one configuration (as ``train_config.read`` gives it)."""
    return DSCTraining(
        parse(Shape, config, "model"),
        parse(Judging, config, "judge"),
        parse(Losses, config, "losses"),
        parse(Recipe, config, "training"),
    )


class DSCTraining(nn.Module):
    """DSC, its discriminator and their losses."""

    def __init__(self, shape: Shape, judging: Judging, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        self.losses, self.recipe = losses, recipe
        check_phases("DSC", ("content", "adversarial"), shape.size, 0, shape.fold, recipe.phases)
        self.network, self.judge = DSC(shape), Judge(judging.widths)
        self.content = ContentLoss(losses)
        self.to(memory_format=torch.channels_last)

    def generator(self) -> nn.Module:
        """The part that ships."""
        return self.network

    def accepts(self, pair: Pair) -> bool:
        """Whether both poses have hips and shoulders, without which no region can be found."""
        return not (self.network.shape.warped and (lacking(pair.source.pose) or lacking(pair.target.pose)))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By what they update."""
        return {name: self.recipe.optimizer_of(getattr(self, name)) for name in ("network", "judge")}

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch. ``adversarial``: one step of the generator, one of the discriminator.

        ``content``: one of the generator, without the adversary.
        """
        made = self._made(batch)
        loss, log = self._content(made, batch["target"])
        if kind == "content":
            update(loss, "network")
            return log
        given = self._given(batch)
        with frozen(self.judge):
            fooled = cross_entropy(self._verdict(given, made), real=True)
        update(loss + self.losses.gan * fooled, "network")
        told = [(batch["target"], True), (made.detach(), False)]
        judged = torch.stack([cross_entropy(self._verdict(given, image), real=real) for image, real in told]).mean()
        update(judged, "judge")
        return log | {"gan": fooled.detach(), "judge": judged.detach()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look: N x 3 x H x W in [-1, 1]."""
        return {"output": self._made(batch)}

    def validate(self, batch: Batch) -> Tensor:
        """LPIPS-like distance of what is made from the target, N; the snapshot is chosen by its mean."""
        return self.content.distance(self._made(batch), batch["target"])

    def _made(self, batch: Batch) -> Tensor:
        made: Tensor = self.network(batch["source"], batch["source_points"], batch["target_points"])
        return made

    def _content(self, made: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        losses = self.losses
        with torch.no_grad():
            true = self.content.features(target)
        features = self.content.features(made)
        parts = {"l1": (made.float() - target).abs().mean()}
        if losses.nearest:
            tap = losses.taps.index(losses.nearest_tap)
            parts["nearest"] = losses.scale * nearest_neighbour(features[tap], true[tap], losses.neighbourhood)
        if losses.perceptual:
            parts["perceptual"] = perceptual_loss(features, true)
        if losses.style:
            chosen = [losses.taps.index(tap) for tap in losses.style_taps]
            parts["style"] = style_loss([features[i] for i in chosen], [true[i] for i in chosen])
        loss = torch.stack([getattr(losses, name) * value for name, value in parts.items()]).sum()
        return loss, {name: value.detach() for name, value in parts.items()}

    def _given(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the discriminator sees beside an image: the source with its pose, and the target pose."""
        shape, size = self.network.shape, (int(batch["target"].shape[2]), int(batch["target"].shape[3]))
        before, after = (
            heatmaps(batch[f"{role}_points"], size, shape.sigma * size[0] / shape.size[0], shape.heatmap)
            for role in ("source", "target")
        )
        return torch.cat([batch["source"], before], 1), after

    def _verdict(self, given: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
        source, pose = given
        verdict: Tensor = self.judge(torch.cat([source, image, pose], 1).contiguous(memory_format=torch.channels_last))
        return verdict
