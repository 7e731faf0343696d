"""How DRN is trained: Eq. 5-8 and the alternating 1-1-3 cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from fhpt_bench import weights
from fhpt_bench.baselines._parts.discriminators import Discriminator, least_squares
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import frozen, start_small
from fhpt_bench.baselines._parts.shipped import fill
from fhpt_bench.baselines._parts.vgg import VGG, Network, perceptual_loss, style_loss, unit_distance
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Recipe, parse

Batch = Mapping[str, Tensor]
Update = Callable[..., None]
"""``update(loss, *names)``: one step of the named optimisers down the gradient of ``loss``."""


class Judges(BaseModel):
    """Table ``judges``: both discriminators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, ...]
    blocks: int
    dropout: float
    stem: int


class Losses(BaseModel):
    """Table ``losses``: weights of Eq. 5 and 7, and which network they are measured on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Network | Literal["random"]
    """``random``: an untrained VGG16, so that tests need no download."""
    taps: tuple[str, ...] = Field(min_length=1)
    """Features of the perceptual loss."""
    style_taps: tuple[str, ...] = Field(min_length=1)
    """Which of ``taps`` the style loss reads."""
    l1: float = 10.0
    perceptual: float = 5.0
    style: float = 5.0
    gan: float = 1.0
    alternate: bool = True
    """False: no separate step on the coarse image (ablation "End2end")."""
    train_transfer: bool = True
    """False: the transfer branch stays as ``transfer_weights`` give it (ablation "PB fixed")."""
    transfer_weights: str = ""
    """A snapshot's model.safetensors to take the transfer branch from."""


def build(config: Mapping[str, Any]) -> DRNTraining:
    """The trainable DRN of one configuration (as ``train_config.read`` gives it)."""
    return DRNTraining(
        parse(Shape, config, "model"),
        parse(Judges, config, "judges"),
        parse(Losses, config, "losses"),
        parse(Recipe, config, "training"),
    )


class DRNTraining(nn.Module):
    """DRN, its two discriminators D_A (appearance: image pair) and D_S (shape: image and pose), and their losses."""

    def __init__(self, shape: Shape, judges: Judges, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        self.losses, self.recipe = losses, recipe
        _check_phases(shape, recipe)
        self.network = DRN(shape)
        self.d_appearance, self.d_shape = (
            Discriminator(inputs, judges.widths, judges.blocks, judges.dropout, judges.stem) for inputs in (6, 21)
        )
        start_small(self.d_appearance)
        start_small(self.d_shape)
        if losses.transfer_weights:
            _take_transfer(self.network, Path(losses.transfer_weights))
        elif not losses.train_transfer:
            raise BenchError(
                "the transfer branch is to stay fixed, but at which weights?",
                where="losses.transfer_weights",
                fix="name the model.safetensors of a snapshot, e.g. of config pb-only",
            )
        self.network.transfer.requires_grad_(losses.train_transfer)
        # A frozen network is no part of the state: in a tuple, it is neither saved nor moved with the module.
        self._vgg = (_trunk(losses),)
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
        """One batch. ``cycle``: the paper's 1-1-3.

        ``joint``: one step on coarse and final image, without the adversary.
        """
        source, target = batch["source"], batch["target"]
        with torch.no_grad():
            true = self._features(target)
        if kind == "joint":
            return self._joint(batch, true, update)
        log: dict[str, Tensor] = {}
        only_transfer = self.network.detail is None
        if (self.losses.alternate or only_transfer) and self.losses.train_transfer:
            _, coarse = self._coarse(batch)
            loss, parts = self._content(coarse, target, true, style=False)  # Eq. 5
            update(loss, "transfer")
            log |= {f"coarse_{k}": v for k, v in parts.items()}
        if only_transfer:
            return log
        # The transfer branch runs again: its weights have just changed, and gradients of the old pass are no longer
        # theirs.
        features, coarse = self._coarse(batch)
        final = self.network.finish(source, features, coarse)
        loss, parts = self._content(final, target, true, style=True)
        pose = self._target_pose(batch)
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
        return unit_distance(self._features(made.clamp(-1, 1)), self._features(batch["target"]))

    def _joint(self, batch: Batch, true: list[Tensor], update: Update) -> dict[str, Tensor]:
        features, coarse = self._coarse(batch)
        final = self.network.finish(batch["source"], features, coarse)
        loss, parts = self._content(final, batch["target"], true, style=True)
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

    def _content(
        self, made: Tensor, target: Tensor, true: list[Tensor], *, style: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        l1 = (made.float() - target).abs().mean()
        features = self._features(made)
        parts = {"l1": l1, "perceptual": perceptual_loss(features, true)}
        if style:
            chosen = [self.losses.taps.index(tap) for tap in self.losses.style_taps]
            parts["style"] = style_loss([features[i] for i in chosen], [true[i] for i in chosen])
        loss = torch.stack([getattr(self.losses, name) * value for name, value in parts.items()]).sum()
        return loss, {name: value.detach() for name, value in parts.items()}

    def _features(self, image: Tensor) -> list[Tensor]:
        (vgg,) = self._vgg
        if vgg.mix.device != image.device:
            vgg.to(image.device)
        result: list[Tensor] = vgg(image)
        return result

    def _target_pose(self, batch: Batch) -> Tensor:
        shape, (height, width) = self.network.shape, batch["target"].shape[2:]
        return heatmaps(batch["target_points"], (height, width), shape.sigma * height / shape.size[0], shape.heatmap)

    def _verdicts(self, source: Tensor, pose: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.d_appearance(torch.cat([image, source], 1)), self.d_shape(torch.cat([image, pose], 1))

    def _judge(self, source: Tensor, pose: Tensor, made: Tensor, target: Tensor) -> Tensor:
        terms = [
            least_squares(verdict, real=real)
            for real, image in ((True, target), (False, made))
            for verdict in self._verdicts(source, pose, image)
        ]
        return torch.stack(terms).sum() / 4


def _check_phases(shape: Shape, recipe: Recipe) -> None:
    for phase in recipe.phases:
        if phase.kind not in ("joint", "cycle"):
            raise BenchError(
                f"no phase is called {phase.kind!r}", where="training.phases", fix="DRN knows joint and cycle"
            )
        times, scale = len(shape.widths) - 1, phase.scale if shape.fold == 1 else 1 / shape.fold
        if any(side * scale % 2**times for side in shape.size):
            raise BenchError(
                f"images of {shape.size} x {scale} cannot be halved {times} times without a rest",
                where="training.phases", fix="choose another scale or fewer widths",
            )  # fmt: skip
        if shape.fold > 1 and phase.scale not in (1, 1 / shape.fold):
            raise BenchError(
                f"a network that folds by {shape.fold} trains at scale 1 or 1 / {shape.fold}, not {phase.scale}",
                where="training.phases", fix="choose one of them",
            )  # fmt: skip


def _trunk(losses: Losses) -> VGG:
    if losses.network != "random":
        return VGG(losses.network, weights.load(losses.network), losses.taps)
    made: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(0)
    for index, (inputs, outputs) in enumerate([(3, 64), (64, 64), (64, 128), (128, 128), (128, 256)]):
        made[f"{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        made[f"{index}.bias"] = torch.zeros(outputs)
    return VGG("vgg16", made, losses.taps)


def _take_transfer(network: DRN, path: Path) -> None:
    from safetensors.torch import load, save

    if not path.is_file():
        raise BenchError("no such snapshot", where=path, fix="losses.transfer_weights names a model.safetensors")
    prefix = "network.transfer."
    found = {k.removeprefix(prefix): v for k, v in load(path.read_bytes()).items() if k.startswith(prefix)}
    fill(network.transfer, save(found), path)
