"""How the Incarnation network is trained: content terms that know garments, and two judges in one logarithm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.content import Content, ContentLoss
from fhpt_bench.baselines._parts.discriminators import Discriminator, Judges
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.layers import frozen, start_small
from fhpt_bench.baselines.incarnation.model import IncarnationNet, Shape
from fhpt_bench.datasets.skeletons import CIHP20
from fhpt_bench.train_config import Batch, Recipe, Update, parse

GARMENTS = ("hat", "glove", "upper_clothes", "dress", "coat", "socks", "pants", "scarf", "skirt")
"""The CIHP classes that are masked as garments: the harness's region "clothes". Shoes, sunglasses and hair are not."""


class Losses(Content):
    """Table ``losses``: weights of the terms, and which network they are measured on."""

    garments: float = Field(default=1.0, ge=0)
    """Weight of the content terms on the garments alone, beside those on the whole image. 0: training needs no
    parsing."""
    gan: float = 1.0


def build(config: Mapping[str, Any]) -> IncarnationTraining:
    """The trainable network of one configuration (as ``train_config.read`` gives it)."""
    return IncarnationTraining(
        parse(Shape, config, "model"),
        parse(Judges, config, "judges"),
        parse(Losses, config, "losses"),
        parse(Recipe, config, "training"),
    )


class IncarnationTraining(nn.Module):
    """The network, its discriminators D_A (appearance: image pair) and D_S (shape: image and pose), their losses."""

    def __init__(self, shape: Shape, judges: Judges, losses: Losses, recipe: Recipe) -> None:
        super().__init__()
        self.losses, self.recipe = losses, recipe
        self.reads = ("parsing",) if losses.garments else ()
        halvings = len(shape.widths) - 1
        check_phases("incarnation", ("content", "adversarial"), shape.size, halvings, shape.fold, recipe.phases)
        self.network = IncarnationNet(shape)
        self.d_appearance, self.d_shape = (
            Discriminator(inputs, judges.widths, judges.blocks, judges.dropout, judges.stem) for inputs in (6, 21)
        )
        start_small(self.d_appearance)
        start_small(self.d_shape)
        self.content = ContentLoss(losses)
        self.to(memory_format=torch.channels_last)

    def generator(self) -> nn.Module:
        """The part that ships."""
        return self.network

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One for the network, one for both judges."""
        return {
            "network": self.recipe.optimizer_of(self.network),
            "judges": self.recipe.optimizer_of(self.d_appearance, self.d_shape),
        }

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch. ``adversarial``: the network, then its judges, once each; ``content``: no judges."""
        made = self._made(batch)
        loss, log = self._content(made, batch)
        if kind == "content":
            update(loss, "network")
            return log
        with frozen(self.d_appearance, self.d_shape):
            log["gan"] = -log_product(self._verdicts(batch, made), real=True)
        update(loss + self.losses.gan * log["gan"], "network")
        true, false = self._verdicts(batch, batch["target"]), self._verdicts(batch, made.detach())
        log["judges"] = -log_product(true, real=True) - log_product(false, real=False)
        update(log["judges"], "judges")
        return {name: value.detach() for name, value in log.items()}

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Images for a look: N x 3 x H x W in [-1, 1]."""
        return {"made": self._made(batch)}

    def validate(self, batch: Batch) -> Tensor:
        """LPIPS-like distance of what is made from the target, N; smaller is better."""
        return self.content.distance(self._made(batch), batch["target"])

    def _made(self, batch: Batch) -> Tensor:
        made: Tensor = self.network(batch["source"], batch["source_points"], batch["target_points"])
        return made

    def _content(self, made: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """On the whole image, and on the target's garments alone: pixels and features there, zeros elsewhere."""
        target = batch["target"]
        with torch.no_grad():
            true = self.content.features(target)
        features = self.content.features(made)
        loss, log = self.content.terms(made, target, features, true)
        if self.losses.garments:
            worn = garments(batch["target_parsing"])
            images, maps = (kept(both, worn) for both in ((made, target), (*features, *true)))
            part, parts = self.content.terms(*images, maps[: len(true)], maps[len(true) :])
            loss = loss + self.losses.garments * part
            log |= {f"garment_{name}": value for name, value in parts.items()}
        return loss, log

    def _verdicts(self, batch: Batch, image: Tensor) -> tuple[Tensor, Tensor]:
        shape, (height, width) = self.network.shape, image.shape[2:]
        radius = shape.sigma * height / shape.size[0]
        pose = heatmaps(batch["target_points"], (height, width), radius, shape.heatmap)
        pairs = (torch.cat([image, batch["source"]], 1), torch.cat([image, pose], 1))
        return self.d_appearance(pairs[0]), self.d_shape(pairs[1])


def garments(parsing: Tensor) -> Tensor:
    """N x H x W classes of CIHP -> N x 1 x H x W: 1 where a garment is, else 0."""
    worn = torch.tensor([float(name in GARMENTS) for name in CIHP20], device=parsing.device)
    return worn[parsing][:, None]


def kept(maps: Sequence[Tensor], mask: Tensor) -> list[Tensor]:
    """Maps N x C x h x w times the ``mask`` (N x 1 x H x W), averaged to the size of each."""
    return [x * F.adaptive_avg_pool2d(mask, x.shape[2:]).to(x.dtype) for x in maps]


def log_product(verdicts: Sequence[Tensor], *, real: bool) -> Tensor:
    """Mean over places of log prod_k D_k (``real``) or of log prod_k (1 - D_k), with D_k = sigmoid(verdicts[k]).

    The judges maximise E log [D_A(true) D_S(true)] + E log [(1 - D_A(made)) (1 - D_S(made))]. The product underflows
    where both judges are sure; its logarithm is a sum that does not:

        log [sig(a) sig(s)]             = log sig(a)  + log sig(s)
        log [(1 - sig(a)) (1 - sig(s))] = log sig(-a) + log sig(-s),  since 1 - sig(v) = sig(-v)

    The network maximises log [D_A(made) D_S(made)] (the form whose gradient does not vanish at the start), so it too
    is this function with ``real=True``.
    """
    sign = 1.0 if real else -1.0
    return torch.stack([F.logsigmoid(sign * verdict.float()).mean() for verdict in verdicts]).sum()
