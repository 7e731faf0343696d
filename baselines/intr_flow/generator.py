"""Intr-Flow as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, cat

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.intr_flow.flow_picture import flow_colours, visibility_colours
from fhpt_bench.baselines.intr_flow.model import IntrFlow, Made, network
from fhpt_bench.types import Image, Prompt


class IntrFlowGenerator(ShippedGenerator):
    """Makes images with a trained Intr-Flow.

    What ships lies in two files: the flow network, which SPGNet uses too, and the rest. ``weights`` of one's own hold
    the whole network.
    """

    folder = Path(__file__).resolve().parent
    net: IntrFlow

    def network(self, settings: Mapping[str, Any]) -> IntrFlow:
        """Intr-Flow of a configuration."""
        return network(settings)

    def load(self, weights: Path | None) -> None:
        """Fill the network: from both files that ship, or from ``weights``."""
        if weights is not None:
            super().load(weights)
            return
        shipped.load(self.net.painter, self.folder / self.card["weights"], self.card["weights_sha256"])
        if self.net.flow is not None:
            shipped.load(self.net.flow, self.folder / self.card["flow"], self.card["flow_sha256"])

    def make(self, inputs: Inputs) -> Tensor:
        """The image, 1 x 3 x H x W in [-1, 1]."""
        return self._made(inputs).image

    def _made(self, inputs: Inputs) -> Made:
        made: Made = self.net(inputs.source, inputs.source_points, inputs.target_points)
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """Flow as colours, visibility, weights m as grey (white: the warped pixel), before and after pixel warping.

        Columns that this network lacks (ablations) are left out. Keys are titles.
        """
        size = self.net.shape.size
        made = [self._made(self.inputs(prompt)) for prompt in prompts]
        columns: dict[str, list[Tensor]] = {}
        for each in made:
            pictures = {
                "flow": None if each.flow is None else flow_colours(each.flow, size),
                "visibility": None if each.flow is None else visibility_colours(each.flow.visibility, size),
                "warped": each.warped,
                "weights": None if each.weight is None else each.weight.expand(-1, 3, -1, -1) * 2 - 1,
                "before pixel warping": each.generated,
                "after": each.image if each.weight is not None else None,
            }
            for title, picture in pictures.items():
                if picture is not None:
                    columns.setdefault(title, []).append(picture.float())
        return {title: list(to_uint8(cat(pictures)).cpu().numpy()) for title, pictures in columns.items()}
