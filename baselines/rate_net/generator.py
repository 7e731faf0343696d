"""RATE-Net as a generator, with the weights that ship; and its coarse image as a row of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.rate_net.model import RATENet, Shape
from fhpt_bench.inspection import around_grey, principal_colours
from fhpt_bench.train_config import parse
from fhpt_bench.types import Image, Prompt


class RATEGenerator(ShippedGenerator):
    """Makes images with a trained RATE-Net."""

    folder = Path(__file__).resolve().parent

    def network(self, settings: Mapping[str, Any]) -> RATENet:
        """RATE-Net of a configuration."""
        return RATENet(parse(Shape, settings, "model"))

    def make(self, inputs: Inputs) -> Tensor:
        """I_t, 1 x 3 x H x W; I_c where the configuration says ``output = "coarse"``."""
        made: Tensor = self.net(inputs.source, inputs.source_points, inputs.target_points)[1]
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """What its branches make of each prompt.

        Features F_t as colours (``principal_colours``), coarse image I_c, texture R_t around grey (the title says how
        many grey levels white stands for), final image. Keys are titles.
        """
        network, size = self.net, self.settings["model"]["size"]
        found, coarse, final = [], [], []
        for prompt in prompts:
            given = self.inputs(prompt)
            features, image = network.coarse(given.source, given.source_points, given.target_points)
            found.append(features)
            coarse.append(image)
            final.append(network.finish(given.source, features, image))
        texture = (torch.cat(final) - torch.cat(coarse)).permute(0, 2, 3, 1).cpu().numpy() * 127.5
        shown, scale = around_grey(texture)
        return {
            "features (PCA)": principal_colours(torch.cat(found).float().cpu().numpy(), (size[0], size[1])),
            "coarse": list(to_uint8(torch.cat(coarse)).cpu().numpy()),
            f"texture, ±{scale:.0f}": shown,
            "final": list(to_uint8(torch.cat(final)).cpu().numpy()),
        }


class Coarse(RATEGenerator):
    """The transfer branch's image I_c alone, from the same weights: what the texture branch starts from."""

    part = "shipped-coarse"

    def make(self, inputs: Inputs) -> Tensor:
        """I_c, 1 x 3 x H x W."""
        made: Tensor = self.net.coarse(inputs.source, inputs.source_points, inputs.target_points)[1]
        return made
