"""How RATE-Net is trained: the alternating 1-1-3 cycle (``_parts/cycle.py``), lambda_GAN 5, no style loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhpt_bench.baselines._parts.cycle import KINDS, CycleTraining, losses_of
from fhpt_bench.baselines._parts.discriminators import Judges
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines.rate_net.model import RATENet, Shape
from fhpt_bench.train_config import Recipe, parse


def build(config: Mapping[str, Any]) -> CycleTraining:
    """The trainable RATE-Net of one configuration (as ``train_config.read`` gives it)."""
    shape, recipe = parse(Shape, config, "model"), parse(Recipe, config, "training")
    check_phases("RATE-Net", KINDS, shape.size, len(shape.widths) - 1, shape.fold, recipe.phases)
    return CycleTraining(RATENet(shape), parse(Judges, config, "judges"), losses_of(config), recipe)
