"""How SPGNet is trained: stage 1 (``stage1``), and stage 2 on parsings that the scheme chooses.

A phase's kind says what learns: ``parsing`` (stage 1), ``content`` and ``adversarial`` (stage 2), ``both`` (stage 1,
and stage 2 against its adversary, in the same step).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from fhpt_bench.baselines import intr_flow
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import cross_entropy
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import frozen
from fhpt_bench.baselines._parts.patch_discriminator import Judge, PatchDiscriminator
from fhpt_bench.baselines._parts.saturation import Saturation
from fhpt_bench.baselines.intr_flow.training import IntrFlowTraining
from fhpt_bench.baselines.spgnet.flow import FOLDER, FlowTable, FrozenFlow
from fhpt_bench.baselines.spgnet.model import Shape, SPGNet
from fhpt_bench.baselines.spgnet.painter import PainterShape
from fhpt_bench.baselines.spgnet.parsing import coloured, hard
from fhpt_bench.baselines.spgnet.stage1 import ParsingTraining, parsing_loss, true_parsings
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Batch, Recipe, Update, earlier, parse, read

KINDS = ("parsing", "content", "adversarial", "both")


class Losses(Content):
    """Table ``losses``."""

    ce: float = 10.0
    """Of the parsings."""
    gan: float = 0.01
    saturated: float = 0.0
    """On values before the painter's tanh that saturate it (``_parts.saturation``)."""
    scheme: Literal["parallel", "predicted", "end-to-end"] = "parallel"
    """Which parsings stage 2 learns on. ``parallel`` (S1 || S2, the paper's): the true ones, so that both stages can
    learn at the same time. ``predicted`` (S1 -> S2): those of a trained stage 1, as at test. ``end-to-end``: the same,
    of the target soft, and the image's losses teach stage 1 too."""


class Starts(BaseModel):
    """Table ``starts``: the earlier stage that stage 1 comes from; without it, it starts untrained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parsings: str = ""


def build(config: Mapping[str, Any]) -> IntrFlowTraining | ParsingTraining | SPGNetTraining:
    """The trainable of one configuration.

    The flow network alone (Intr-Flow's) where all its phases are ``flow``, stage 1 alone where they are ``parsing``,
    else SPGNet.
    """
    shape, losses = parse(Shape, config, "model"), parse(Losses, config, "losses")
    recipe = parse(Recipe, config, "training")
    kinds = {phase.kind for phase in recipe.phases}
    if kinds == {"flow"}:
        theirs = read(FOLDER, parse(FlowTable, config, "flow").config)
        return intr_flow.build({**theirs, "training": config["training"]})
    if kinds == {"parsing"}:
        return ParsingTraining(shape, losses.ce, recipe)
    network = SPGNet(shape, parse(PainterShape, config, "painter"))
    starts = parse(Starts, config, "starts") if "starts" in config else Starts()
    if starts.parsings:
        shipped.take(network.parsings, earlier(config, starts.parsings), "parsings.")
    elif kinds <= {"content", "adversarial"}:
        raise BenchError("stage 1 neither learns nor comes from anywhere", where="starts.parsings", fix="name a stage")
    flow = FrozenFlow(parse(FlowTable, config, "flow"), config.get("earlier"))
    return SPGNetTraining(network, flow, parse(Judge, config, "judge"), losses, recipe)


class SPGNetTraining(nn.Module):
    """Both stages, the discriminator of stage 2, and what each phase teaches."""

    reads = ("parsing",)

    def __init__(self, network: SPGNet, flow: FrozenFlow, judge: Judge, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        shape, painter = network.shape, network.painter.shape
        halvings = max(len(shape.parser.widths) - 1, len(shape.spatn.widths) - 1, painter.halvings, flow.halvings)
        check_phases("SPGNet", KINDS, shape.size, halvings, shape.fold, recipe.phases)
        self.losses, self.recipe, self.share, self.flow = losses, recipe, judge.share, flow
        self.network = network
        self.judge = PatchDiscriminator(3 + 3 + 18, judge.widths)
        kinds = {phase.kind for phase in recipe.phases}
        self.learns = bool(kinds & {"parsing", "both"}) or losses.scheme == "end-to-end"
        network.parsings.requires_grad_(self.learns)
        self._content = ContentLoss(losses)
        self._saturation = Saturation(network.painter.last)
        self.to(memory_format=torch.channels_last)

    def generator(self) -> nn.Module:
        """The part that ships."""
        return self.network

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One for each stage that learns, and the judge's."""
        made = {
            "painter": self.recipe.optimizer_of(self.network.painter),
            "judge": self.recipe.optimizer_of(self.judge),
        }
        for group in made["judge"].param_groups:
            group["share"] = self.share
        if self.learns:
            made["parsings"] = self.recipe.optimizer_of(self.network.parsings)
        return made

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch. See the module for what each ``kind`` teaches."""
        self.network.parsings.train(self.learns)
        log: dict[str, Tensor] = {}
        if kind == "parsing" or (kind == "both" and self.losses.scheme != "end-to-end"):
            loss, log = parsing_loss(self.network.parsings, batch)
            update(self.losses.ce * loss, "parsings")
        if kind == "parsing":
            return log
        made = self._painted(batch)
        loss, parts = self._content.loss(made, batch["target"])
        loss = loss + self.losses.saturated * self._saturation.take()
        names = ["painter"]
        if self.losses.scheme == "end-to-end":
            names.append("parsings")
            crossed, crosses = parsing_loss(self.network.parsings, batch)
            loss, parts = loss + self.losses.ce * crossed, parts | crosses
        if kind == "content":
            update(loss, *names)
            return log | parts
        return log | parts | self._against(batch, made, loss, names, update)

    def _against(self, batch: Batch, made: Tensor, loss: Tensor, names: list[str], update: Update) -> dict[str, Tensor]:
        """A step of the named parts down ``loss`` and the adversary's verdict, then one of the adversary."""
        with frozen(self.judge):
            fooled = cross_entropy(self._verdicts(batch, made), real=True)
        update(loss + self.losses.gan * fooled, *names)
        real = cross_entropy(self._verdicts(batch, batch["target"]), real=True)
        judged = (real + cross_entropy(self._verdicts(batch, made.detach()), real=False)) / 2
        update(judged, "judge")
        return {"gan": fooled.detach(), "judge": judged.detach()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look, as a generator makes them: N x 3 x H x W in [-1, 1]."""
        size = (int(batch["source"].shape[2]), int(batch["source"].shape[3]))
        image, _, target = self.network(*_given(batch), self._flow(batch))
        return {"target_parsing": coloured(target, size), "image": image}

    def validate(self, batch: Batch) -> Tensor:
        """LPIPS-like distance of what a generator makes (with predicted parsings) from the target, N."""
        image = self.network(*_given(batch), self._flow(batch))[0]
        return self._content.distance(image.float(), batch["target"])

    def _painted(self, batch: Batch) -> Tensor:
        """Stage 2's image on the parsings of the scheme."""
        size = self._folded(batch)
        if self.losses.scheme == "parallel":
            parsings = true_parsings(batch, size)
        else:
            learns = self.losses.scheme == "end-to-end"
            with nullcontext() if learns else torch.no_grad():
                of_source, of_target = self.network.parsings(*_given(batch))
            parsings = (hard(of_source), of_target.float().softmax(1) if learns else hard(of_target))
        return self.network.paint(*_given(batch), parsings, self._flow(batch))

    def _folded(self, batch: Batch) -> tuple[int, int]:
        height, width = (int(side) for side in batch["source"].shape[2:])
        times = self.network.shape.fold if height == self.network.shape.size[0] else 1
        return height // times, width // times

    def _flow(self, batch: Batch) -> tuple[Tensor, Tensor]:
        height, full = int(batch["source"].shape[2]), self.network.shape.size[0]
        return self.flow.predict(batch["source_points"], batch["target_points"], height, full, self._folded(batch))

    def _verdicts(self, batch: Batch, image: Tensor) -> Tensor:
        """The judge sees the source image, the image and the target pose, as Intr-Flow's."""
        shape, (height, width) = self.network.shape, batch["target"].shape[2:]
        sigma = shape.sigma * height / shape.size[0]
        pose = heatmaps(batch["target_points"], (height, width), sigma, shape.heatmap)
        result: Tensor = self.judge(torch.cat([batch["source"], image.float(), pose], 1))
        return result


def _given(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """What a generator may see of a pair."""
    return batch["source"], batch["source_points"], batch["target_points"]
