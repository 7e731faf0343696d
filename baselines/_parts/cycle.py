"""How RATE-Net and DRN are trained: the alternating 1-1-3 cycle over a transfer branch and one that adds detail.

FHPT paper, Eq. 5-8; RATE-Net paper, "alternate updating". Names follow the papers: F_t features and I_c coarse image of
the transfer branch, I_t final image.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import Discriminator, Judges, least_squares
from fhpt_bench.baselines._parts.layers import frozen, start_small
from fhpt_bench.baselines._parts.shipped import fill
from fhpt_bench.baselines._parts.two_branches import TwoBranchNetwork
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Batch, Recipe, Update, parse

KINDS = ("joint", "cycle")
"""Phases that ``CycleTraining`` knows."""


class CycleLosses(Content):
    """Table ``losses``: weights of Eq. 5 and 7, and which network they are measured on."""

    style: float = 5.0
    gan: float = 1.0
    alternate: bool = True
    """False: no separate step on the coarse image (ablation "End2end")."""
    train_transfer: bool = True
    """False: the transfer branch stays as ``transfer_weights`` give it (ablation "PB fixed")."""
    transfer_weights: str = ""
    """A snapshot's model.safetensors to take the transfer branch from."""


def losses_of(config: Mapping[str, Any]) -> CycleLosses:
    """Table ``losses``; for "PB fixed" with the transfer branch that ``--earlier pb-only=PATH`` names."""
    losses = parse(CycleLosses, config, "losses")
    if not losses.train_transfer and "pb-only" in config.get("earlier", {}):
        return losses.model_copy(update={"transfer_weights": config["earlier"]["pb-only"]})
    return losses


class CycleTraining(nn.Module):
    """A network of two branches, discriminators D_A (appearance: image pair) and D_S (shape: image, pose), losses."""

    def __init__(self, network: TwoBranchNetwork, judges: Judges, losses: CycleLosses, recipe: Recipe) -> None:
        super().__init__()
        self.losses, self.recipe, self.network = losses, recipe, network
        self.d_appearance, self.d_shape = (
            Discriminator(inputs, judges.widths, judges.blocks, judges.dropout, judges.stem)
            for inputs in (6, 3 + network.shape.maps)
        )
        start_small(self.d_appearance)
        start_small(self.d_shape)
        if losses.transfer_weights:
            _take_transfer(self.network.transfer, Path(losses.transfer_weights))
        elif not losses.train_transfer:
            raise BenchError(
                "the transfer branch is to stay fixed, but at which weights?",
                where="losses.transfer_weights",
                fix="--earlier pb-only=PATH names the model.safetensors of a snapshot of config pb-only",
            )
        self.network.transfer.requires_grad_(losses.train_transfer)
        self.content = ContentLoss(losses)
        self.to(memory_format=torch.channels_last)

    def generator(self) -> nn.Module:
        """The part that ships."""
        return self.network

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """By what they update. The transfer branch has one optimiser for both steps of a cycle that change it."""
        parts: dict[str, list[nn.Module]] = {name: [getattr(self.network, name)] for name in self._generator_names()}
        parts["judges"] = [self.d_appearance, self.d_shape]
        return {name: self.recipe.optimizer_of(*modules) for name, modules in parts.items()}

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch. ``cycle``: the papers' 1-1-3.

        ``joint``: one step on coarse and final image, without the adversary.
        """
        source, target = batch["source"], batch["target"]
        with torch.no_grad():
            true = self.content.features(target)
        if kind == "joint":
            return self._joint(batch, true, update)
        log: dict[str, Tensor] = {}
        only_transfer = self.network.detail is None
        if (self.losses.alternate or only_transfer) and self.losses.train_transfer:
            _, coarse = self._coarse(batch)
            loss, parts = self.content.loss(coarse, target, true, style=False)  # Eq. 5
            update(loss, "transfer")
            log |= {f"coarse_{k}": v for k, v in parts.items()}
        if only_transfer:
            return log
        # The transfer branch runs again: its weights have just changed, and gradients of the old pass are no longer
        # theirs.
        features, coarse = self._coarse(batch)
        final = self.network.finish(source, features, coarse)
        loss, parts = self.content.loss(final, target, true)
        pose = self.network.maps(batch["target_points"], int(target.shape[2]), target.shape[2:])
        with frozen(self.d_appearance, self.d_shape):
            fooled = torch.stack(
                [least_squares(verdict, real=True) for verdict in self._verdicts(source, pose, final)]
            ).mean()
        update(loss + self.losses.gan * fooled, *self._generator_names())  # Eq. 7
        log |= {**parts, "gan": fooled.detach()}
        made = final.detach()
        for _ in range(3):
            judged = self._judge(source, pose, made, target)
            update(judged, "judges")
        return log | {"judges": judged.detach()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look: N x 3 x H x W in [-1, 1]."""
        coarse, final = self.network(batch["source"], batch["source_points"], batch["target_points"])
        return {"coarse": coarse, "final": final}

    def validate(self, batch: Batch) -> Tensor:
        """LPIPS-like distance of what is made from the target, N; smaller is better.

        The snapshot is chosen by its mean.
        """
        _, made = self.network(batch["source"], batch["source_points"], batch["target_points"])
        return self.content.distance(made, batch["target"])

    def _joint(self, batch: Batch, true: list[Tensor], update: Update) -> dict[str, Tensor]:
        features, coarse = self._coarse(batch)
        final = self.network.finish(batch["source"], features, coarse)
        loss, parts = self.content.loss(final, batch["target"], true)
        if self.network.detail is not None:
            parts["coarse_l1"] = (coarse - batch["target"]).abs().mean()
            loss = loss + self.losses.l1 * parts["coarse_l1"]
        update(loss, *self._generator_names())
        return {k: v.detach() for k, v in parts.items()}

    def _generator_names(self) -> list[str]:
        """Optimisers of the generator's parts that train."""
        trains = {"transfer": self.losses.train_transfer, "detail": self.network.detail is not None}
        return [name for name, does in trains.items() if does]

    def _coarse(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.network.coarse(batch["source"], batch["source_points"], batch["target_points"])

    def _verdicts(self, source: Tensor, pose: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.d_appearance(torch.cat([image, source], 1)), self.d_shape(torch.cat([image, pose], 1))

    def _judge(self, source: Tensor, pose: Tensor, made: Tensor, target: Tensor) -> Tensor:
        terms = [
            least_squares(verdict, real=real)
            for real, image in ((True, target), (False, made))
            for verdict in self._verdicts(source, pose, image)
        ]
        return torch.stack(terms).sum() / 4


def _take_transfer(transfer: nn.Module, path: Path) -> None:
    from safetensors.torch import load, save

    if not path.is_file():
        raise BenchError("no such snapshot", where=path, fix="losses.transfer_weights names a model.safetensors")
    prefix = "network.transfer."
    found = {k.removeprefix(prefix): v for k, v in load(path.read_bytes()).items() if k.startswith(prefix)}
    fill(transfer, save(found), path)
