"""How stage 1 is trained: cross-entropy of both parsings (Eq. 2 of the paper for the target's)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines.spgnet.model import Shape, Stage1
from fhpt_bench.baselines.spgnet.parsing import coloured, overlap, shares
from fhpt_bench.train_config import Batch, Recipe, Update


def true_parsings(batch: Batch, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """S_ps and S_pt as the data set has them: shares of the classes in cells of ``size``."""
    return shares(batch["source_parsing"], size), shares(batch["target_parsing"], size)


def parsing_loss(network: Stage1, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the parser and of SPATN, which reads the true S_ps, added up; each of them for the log."""
    image = network.folded(batch["source"])
    source, target = true_parsings(batch, (int(image.shape[2]), int(image.shape[3])))
    points = (batch["source_points"], batch["target_points"])
    height = int(batch["source"].shape[2])
    made = network.target(image, source, points, height)
    parts = {
        "source_ce": F.cross_entropy(network.source(image, points[0], height).float(), source),
        "target_ce": F.cross_entropy(made.float(), target),
    }
    return torch.stack(list(parts.values())).sum(), {name: value.detach() for name, value in parts.items()}


class ParsingTraining(nn.Module):
    """Stage 1 alone: parser and SPATN."""

    reads: ClassVar = ("parsing",)

    def __init__(self, shape: Shape, weight: float, recipe: Recipe) -> None:
        super().__init__()
        halvings = max(len(shape.parser.widths), len(shape.spatn.widths)) - 1
        check_phases("the parsing stage", ("parsing",), shape.size, halvings, shape.fold, recipe.phases)
        self.weight, self.recipe = weight, recipe
        self.parsings = Stage1(shape)
        self.to(memory_format=torch.channels_last)

    def generator(self) -> nn.Module:
        """What is handed on to stage 2."""
        return self.parsings

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By what they update."""
        return {"parsings": self.recipe.optimizer_of(self.parsings)}

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch of the only phase, ``parsing``."""
        loss, log = parsing_loss(self.parsings, batch)
        update(self.weight * loss, "parsings")
        return log

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Parsings in the colours of their classes: N x 3 x H x W in [-1, 1]."""
        size = (int(batch["source"].shape[2]), int(batch["source"].shape[3]))
        source, target = self._found(batch)
        return {
            "source_parsing": coloured(source, size),
            "target_parsing": coloured(target, size),
            "true_parsing": coloured(true_parsings(batch, size)[1], size),
        }

    def validate(self, batch: Batch) -> Tensor:
        """1 - mean IoU of S_pt over the classes that either parsing of the pair has, N; smaller is better."""
        _, target = self._found(batch)
        truth = true_parsings(batch, (int(target.shape[2]), int(target.shape[3])))[1]
        both, either = overlap(target, truth)
        return 1 - (both / either.clamp(min=1)).sum(1) / (either > 0).sum(1)

    def _found(self, batch: Batch) -> tuple[Tensor, Tensor]:
        result: tuple[Tensor, Tensor] = self.parsings(*(batch[k] for k in ("source", "source_points", "target_points")))
        return result
