"""RATE-Net as a generator, with the weights that ship; and its coarse image as a row of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fhpt_bench.baselines._parts.generating import Inputs
from fhpt_bench.baselines._parts.two_branch_generator import TwoBranchGenerator
from fhpt_bench.baselines.rate_net.model import RATENet, Shape
from fhpt_bench.train_config import parse


class RATEGenerator(TwoBranchGenerator):
    """Makes images with a trained RATE-Net."""

    folder = Path(__file__).resolve().parent
    detail = "texture"

    def network(self, settings: Mapping[str, Any]) -> RATENet:
        """RATE-Net of a configuration."""
        return RATENet(parse(Shape, settings, "model"))


class Coarse(RATEGenerator):
    """The transfer branch's image I_c alone, from the same weights: what the texture branch starts from."""

    part = "shipped-coarse"

    def make(self, inputs: Inputs) -> Tensor:
        """I_c, 1 x 3 x H x W."""
        made: Tensor = self.net.coarse(inputs.source, inputs.source_points, inputs.target_points)[1]
        return made
