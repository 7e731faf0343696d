"""PATN as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines.patn.model import PATN, Shape
from fhpt_bench.train_config import parse


class PATNGenerator(ShippedGenerator):
    """Makes images with a trained PATN."""

    folder = Path(__file__).resolve().parent

    def network(self, settings: Mapping[str, Any]) -> PATN:
        """PATN of a configuration."""
        return PATN(parse(Shape, settings, "model"))

    def make(self, inputs: Inputs) -> Tensor:
        """The image, 1 x 3 x H x W in [-1, 1]."""
        image: Tensor = self.net(inputs.source, inputs.source_points, inputs.target_points)
        return image
