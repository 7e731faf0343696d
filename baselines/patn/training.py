"""How PATN is trained: Eq. 7-11 of the paper, two discriminators, one generator step and one of theirs a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fhpt_bench.baselines._parts import fold
from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import Discriminator, Judges, cross_entropy, least_squares
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import Norm, frozen, start_small
from fhpt_bench.baselines.patn.model import PATN, Shape
from fhpt_bench.baselines.patn.pool import ImagePool
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Batch, Recipe, Update, parse

VERDICTS = {"least-squares": least_squares, "cross-entropy": cross_entropy}


class PATNJudges(Judges):
    """Table ``judges``: both discriminators."""

    norm: Norm = "instance"
    pool: int = 0
    """Made images kept to be judged again later; 0: none (DeepFashion), 50 (Market-1501)."""


class Losses(Content):
    """Table ``losses``: Eq. 7, full objective; Eq. 9, combined L1."""

    gan: float = 5.0
    form: Literal["least-squares", "cross-entropy"] = "least-squares"
    """Of the adversarial loss; cross entropy is of the sigmoid of each verdict."""


def build(config: Mapping[str, Any]) -> PATNTraining:
    """The trainable PATN of one configuration (as ``train_config.read`` gives it)."""
    return PATNTraining(
        parse(Shape, config, "model"),
        parse(PATNJudges, config, "judges"),
        parse(Losses, config, "losses"),
        parse(Recipe, config, "training"),
    )


class PATNTraining(nn.Module):
    """PATN, its discriminators D_A (appearance: image pair) and D_S (shape: image and pose), and their losses."""

    def __init__(self, shape: Shape, judges: PATNJudges, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        self.losses, self.recipe = losses, recipe
        kinds = ("content", "adversarial")
        fold.check_phases("PATN", kinds, shape.size, len(shape.widths) - 1, shape.fold, recipe.phases)
        if judges.pool and any(phase.kind == "adversarial" and phase.scale != 1 for phase in recipe.phases):
            raise BenchError(
                "the image pool holds images of the full size",
                where="training.phases", fix="adversarial phases at scale 1, or judges.pool = 0",
            )  # fmt: skip
        self.network = PATN(shape)
        self.d_appearance, self.d_shape = (
            Discriminator(inputs, judges.widths, judges.blocks, judges.dropout, judges.stem, judges.norm)
            for inputs in (6, 21)
        )
        start_small(self.d_appearance)
        start_small(self.d_shape)
        self.pools = nn.ModuleList(ImagePool(judges.pool, (inputs, *shape.size)) for inputs in (6, 21))
        self.content = ContentLoss(losses)
        self.to(memory_format=torch.channels_last)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By what they update."""
        return {
            "generator": self.recipe.optimizer_of(self.network),
            "judges": self.recipe.optimizer_of(self.d_appearance, self.d_shape),
        }

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch. ``content``: the generator down the combined L1 loss alone.

        ``adversarial``: the generator down the full objective (Eq. 7), then both discriminators.
        """
        source, target = batch["source"], batch["target"]
        made = self._made(batch)
        loss, log = self.content.loss(made, target)
        if kind == "content":
            update(loss, "generator")
            return log
        pose = self._target_pose(batch)
        with frozen(self.d_appearance, self.d_shape):
            fooled = torch.stack(self._verdicts(self._shown(made, source, pose), real=True)).mean()
        update(loss + self.losses.gan * fooled, "generator")
        kept = [pool.exchange(image) for pool, image in zip(self.pools, self._shown(made, source, pose), strict=True)]
        told = self._verdicts(self._shown(target, source, pose), real=True) + self._verdicts(kept, real=False)
        judged = torch.stack(told).mean()
        update(judged, "judges")
        return {**log, "gan": fooled.detach(), "judges": judged.detach()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look: N x 3 x H x W in [-1, 1]."""
        return {"image": self._made(batch)}

    def validate(self, batch: Batch) -> Tensor:
        """LPIPS-like distance of what is made from the target, N; smaller is better."""
        return self.content.distance(self._made(batch), batch["target"])

    def _made(self, batch: Batch) -> Tensor:
        image: Tensor = self.network(batch["source"], batch["source_points"], batch["target_points"])
        return image

    def _target_pose(self, batch: Batch) -> Tensor:
        shape, (height, width) = self.network.shape, batch["target"].shape[2:]
        return heatmaps(batch["target_points"], (height, width), shape.sigma * height / shape.size[0], shape.heatmap)

    def _shown(self, image: Tensor, source: Tensor, pose: Tensor) -> list[Tensor]:
        """What D_A and D_S see of ``image``: N x 6 and N x 21 channels."""
        return [torch.cat([image, source], 1), torch.cat([image, pose], 1)]

    def _verdicts(self, shown: list[Tensor], *, real: bool) -> list[Tensor]:
        distance = VERDICTS[self.losses.form]
        return [
            distance(judge(x), real=real) for judge, x in zip((self.d_appearance, self.d_shape), shown, strict=True)
        ]
