"""DSC as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.dsc.model import DSC, Shape
from fhpt_bench.baselines.dsc.warp import REGIONS, Regions, find, lacking, warp
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import parse
from fhpt_bench.types import Image, Prompt

COLOURS = np.array(
    [[225, 225, 225], [240, 190, 60], [200, 60, 60], [60, 90, 200], [235, 130, 120], [120, 160, 240], [40, 140, 70],
     [130, 60, 160], [130, 200, 110], [200, 140, 220]], np.uint8,
)  # fmt: skip
"""Of each region in a picture of the masks."""


class DSCGenerator(ShippedGenerator):
    """Makes images with a trained DSC; see ``ShippedGenerator``. It cannot serve every pair: see ``refuses``."""

    folder: ClassVar[Path] = Path(__file__).resolve().parent

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        return DSC(parse(Shape, settings, "model"))

    def refuses(self, prompt: Prompt) -> str:
        """Why this pair has no image: joints that the regions cannot do without. Empty where it has one."""
        if not self.net.shape.warped:
            return ""
        found = {"source": lacking(prompt.source.pose), "target": lacking(prompt.pose)}
        return "; ".join(f"the {role} pose lacks {', '.join(names)}" for role, names in found.items() if names)

    def inputs(self, prompt: Prompt) -> Inputs:
        """As the parent's; BenchError for a pair that it refuses."""
        if why := self.refuses(prompt):
            raise BenchError(why, where=prompt.pair_id, fix="leave the pair out: --allow-missing")
        return super().inputs(prompt)

    def make(self, inputs: Inputs) -> Tensor:
        made: Tensor = self.net(inputs.source, inputs.source_points, inputs.target_points)
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """The deformation on the image itself: masks over the target pose, the source moved region by region, output.

        ``by region``: limbs over head over torso, where each has a mask. ``maximum``: what the network does with
        features, done with darkness (0 is white), so that the white around a person does not win everywhere.
        """
        columns: dict[str, list[Image]] = {"masks": [], "by region": [], "maximum": [], "output": []}
        for prompt in prompts:
            given = self.inputs(prompt)
            size = (int(given.source.shape[2]), int(given.source.shape[3]))
            regions = find(given.source_points, given.target_points, size, mode=self.net.shape.mode)
            # Painted in the order of REGIONS: a later one covers an earlier one.
            number = torch.arange(len(REGIONS), device=self.device)[:, None, None]
            top = torch.where(regions.mask, number, -1).amax(1, keepdim=True)
            alone = Regions(regions.linear, regions.shift, number == top)
            dark = (1 - given.source) / 2
            moved = [1 - 2 * warp(dark, which.places(0)) for which in (alone, regions)]
            pictures = [to_uint8(image)[0].cpu().numpy() for image in (*moved, self.make(given))]
            shown = [COLOURS[top[0, 0].cpu().numpy()], *pictures]
            for column, image in zip(columns.values(), shown, strict=True):
                column.append(image)
        return columns
