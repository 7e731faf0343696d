"""How Intr-Flow is trained: flow first, then the generator on its predictions, then pixel warping (section 3).

A phase's kind says what learns: ``flow``, ``content`` and ``adversarial`` (the generator), ``pixels``. What does not
learn is frozen, in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import cross_entropy
from fhpt_bench.baselines._parts.flow_net import Flow
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import frozen
from fhpt_bench.baselines._parts.patch_discriminator import Judge, PatchDiscriminator
from fhpt_bench.baselines._parts.saturation import Saturation
from fhpt_bench.baselines._parts.warping import BACKGROUND, known_mean
from fhpt_bench.baselines.intr_flow.flow_picture import flow_colours, visibility_colours
from fhpt_bench.baselines.intr_flow.losses import flow_errors, flow_loss
from fhpt_bench.baselines.intr_flow.model import IntrFlow, network
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Batch, Recipe, Update, earlier, parse

KINDS = ("flow", "content", "adversarial", "pixels")


class Losses(Content):
    """Table ``losses``."""

    gan: float = 0.01
    flow: float = 1.0
    visibility: float = 1.0
    saturated: float = 0.0
    """On values before the generator's tanh that saturate it (``_parts.saturation``)."""


class Starts(BaseModel):
    """Table ``starts``: earlier stages that parts of the network come from; the others start untrained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: str = ""
    generator: str = ""


def build(config: Mapping[str, Any]) -> IntrFlowTraining:
    """The trainable Intr-Flow of one configuration, its frozen parts as earlier stages left them."""
    made = network(config)
    starts = parse(Starts, config, "starts") if "starts" in config else Starts()
    parts = (made.flow, starts.flow, "network.flow."), (
        made.painter.generator, starts.generator, "network.painter.generator.",
    )  # fmt: skip
    for module, stage, prefix in parts:
        if stage and module is not None:
            shipped.take(module, earlier(config, stage), prefix)
    tables = parse(Judge, config, "judge"), parse(Losses, config, "losses"), parse(Recipe, config, "training")
    return IntrFlowTraining(made, *tables)


class IntrFlowTraining(nn.Module):
    """The network, its discriminator, and what each phase teaches."""

    def __init__(self, made: IntrFlow, judge: Judge, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.losses, self.recipe, self.share = made, losses, recipe, judge.share
        kinds = [phase.kind for phase in recipe.phases]
        check_phases("Intr-Flow", KINDS, made.shape.size, made.halvings, made.shape.fold, recipe.phases)
        self.reads = ("flow",) if "flow" in kinds else ()
        self.parts = {"flow": made.flow, "generator": made.painter.generator, "pixels": made.painter.weigher}
        teach = {"flow": "flow", "content": "generator", "adversarial": "generator", "pixels": "pixels"}
        self.teaches = {kind: teach[kind] for kind in kinds}
        self.judge = PatchDiscriminator(3 + 3 + 18, judge.widths) if "adversarial" in kinds else None
        for name, part in self.parts.items():
            if part is not None:
                part.requires_grad_(name in self.teaches.values())
            elif name in self.teaches.values():
                raise BenchError(f"this network has no {name} to train", fix="leave this stage out, or the ablation")
        self.last = kinds[-1]
        self._content = ContentLoss(losses)
        self._saturation = Saturation(made.painter.generator.head[1])
        self.to(memory_format=torch.channels_last)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One for each part that learns, and the judge's."""
        learning = {name: part for name in set(self.teaches.values()) if (part := self.parts[name]) is not None}
        made = {name: self.recipe.optimizer_of(learning[name]) for name in sorted(learning)}
        if self.judge is not None:
            made["judge"] = self.recipe.optimizer_of(self.judge)
            for group in made["judge"].param_groups:
                group["share"] = self.share
        return made

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch: the part that ``kind`` teaches learns, all others stay as they are."""
        for name, part in self.parts.items():
            if part is not None:
                part.train(name == self.teaches[kind])
        if kind == "flow":
            return self._flow_step(batch, update)
        if kind == "pixels":
            return self._pixel_step(batch, update)
        return self._generator_step(batch, update, adversarial=kind == "adversarial")

    def _flow_step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        assert self.network.flow is not None
        flow, seen = flow_loss(self.network.flow(self._poses(batch)), *self._true_flow(batch))
        update(self.losses.flow * flow + self.losses.visibility * seen, "flow")
        return {"flow": flow.detach(), "visibility": seen.detach()}

    def _generator_step(self, batch: Batch, update: Update, *, adversarial: bool) -> dict[str, Tensor]:
        poses = self._poses(batch)
        made = self.network.generate(batch["source"], poses, self._predicted(poses))
        loss, log = self._content.loss(made, batch["target"])
        loss = loss + self.losses.saturated * self._saturation.take()
        if not adversarial:
            update(loss, "generator")
            return log
        assert self.judge is not None
        pose = self._image_pose(batch)
        with frozen(self.judge):
            fooled = cross_entropy(self._verdicts(batch["source"], made, pose), real=True)
        update(loss + self.losses.gan * fooled, "generator")
        real = cross_entropy(self._verdicts(batch["source"], batch["target"], pose), real=True)
        false = cross_entropy(self._verdicts(batch["source"], made.detach(), pose), real=False)
        judged = (real + false) / 2
        update(judged, "judge")
        return {**log, "gan": fooled.detach(), "judge": judged.detach()}

    def _pixel_step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        poses = self._poses(batch)
        flow = self._predicted(poses)
        with torch.no_grad():
            generated = self.network.generate(batch["source"], poses, flow)
        made = self.network.finish(batch["source"], flow, generated)
        loss, log = self._content.loss(made.image, batch["target"])
        update(loss, "pixels")
        assert made.weight is not None
        return {**log, "weight": made.weight.detach().float().mean()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look: N x 3 x H x W in [-1, 1]."""
        if self.last == "flow":
            flow = self._predicted(self._poses(batch))
            assert flow is not None
            size = (int(batch["source"].shape[2]), int(batch["source"].shape[3]))
            return {
                "warped": self.network.warped(batch["source"], flow),
                "flow": flow_colours(flow, size), "visibility": visibility_colours(flow.visibility, size),
            }  # fmt: skip
        made = self.network(batch["source"], batch["source_points"], batch["target_points"])
        if self.last != "pixels":
            return {"generated": made.generated}
        assert made.warped is not None
        return {"generated": made.generated, "warped": made.warped, "image": made.image}

    def validate(self, batch: Batch) -> Tensor:
        """N; the snapshot is chosen by its mean.

        Of the flow: end-point error in pixels, and the share of wrong visibilities in percent. Else the LPIPS-like
        distance of the image from the target.
        """
        if self.last == "flow":
            flow = self._predicted(self._poses(batch))
            assert flow is not None
            places, visibility = self._true_flow(batch)
            error, right = flow_errors(flow, places, visibility)
            return error.nan_to_num(0.0) + 100 * (1 - right)
        made = self.network(batch["source"], batch["source_points"], batch["target_points"])
        image = made.image if self.last == "pixels" else made.generated
        return self._content.distance(image.float(), batch["target"])

    def _poses(self, batch: Batch) -> Tensor:
        return self.network.poses(batch["source"], batch["source_points"], batch["target_points"])

    @torch.no_grad()
    def _predicted(self, poses: Tensor) -> Flow | None:
        return None if self.network.flow is None else self.network.flow.predict(poses)

    def _true_flow(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's flow and visibility at the networks' resolution: the mean of a square, and what most of it is."""
        flow, visibility = batch["flow"], batch["visibility"]
        full = int(batch["source"].shape[2]) == self.network.shape.size[0]
        times = self.network.shape.fold if full else 1
        known = (visibility != BACKGROUND) & (flow.amin(1) >= 0)
        places, there = known_mean(flow, known, times)
        shares = F.avg_pool2d(F.one_hot(visibility, 3).permute(0, 3, 1, 2).float(), times)
        return torch.where(there[:, None], places, -torch.ones_like(places)), shares.argmax(1)

    def _image_pose(self, batch: Batch) -> Tensor:
        shape, (height, width) = self.network.shape, batch["target"].shape[2:]
        return heatmaps(batch["target_points"], (height, width), shape.sigma * height / shape.size[0], shape.heatmap)

    def _verdicts(self, source: Tensor, image: Tensor, pose: Tensor) -> Tensor:
        assert self.judge is not None
        result: Tensor = self.judge(torch.cat([source, image.float(), pose], 1))
        return result
