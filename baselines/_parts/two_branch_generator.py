"""RATE-Net's and DRN's generators: a coarse image, and what a second branch adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines._parts.two_branches import TwoBranchNetwork
from fhpt_bench.inspection import around_grey, principal_colours
from fhpt_bench.types import Image, Prompt


class TwoBranchGenerator(ShippedGenerator):
    """Makes images with a trained network of two branches."""

    net: TwoBranchNetwork
    detail: ClassVar[str]
    """What the paper calls R_t, for a title."""

    def make(self, inputs: Inputs) -> Tensor:
        """I_t, 1 x 3 x H x W; I_c where the configuration says ``output = "coarse"``."""
        made: Tensor = self.net(inputs.source, inputs.source_points, inputs.target_points)[1]
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """What the branches make of each prompt, as the FHPT paper's Fig. 10 shows it.

        Features F_t as colours (``principal_colours``), coarse image I_c, R_t around grey (the title says how many grey
        levels white stands for), final image. Keys are titles.
        """
        given = [(each.source, each.source_points, each.target_points) for each in map(self.inputs, prompts)]
        found, coarse = (torch.cat(made) for made in zip(*(self.net.coarse(*each) for each in given), strict=True))
        final = torch.cat([self.net(*each)[1] for each in given])
        added, scale = around_grey((final - coarse).permute(0, 2, 3, 1).cpu().numpy() * 127.5)
        height, width = self.settings["model"]["size"]
        return {
            "features (PCA)": principal_colours(found.float().cpu().numpy(), (height, width)),
            "coarse": list(to_uint8(coarse).cpu().numpy()),
            f"{self.detail}, ±{scale:.0f}": added,
            "final": list(to_uint8(final).cpu().numpy()),
        }
