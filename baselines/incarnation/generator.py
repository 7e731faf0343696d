"""The Incarnation network as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.incarnation.model import IncarnationNet, Shape, moved
from fhpt_bench.train_config import parse
from fhpt_bench.types import Image, Prompt


class IncarnationGenerator(ShippedGenerator):
    """Makes images with a trained Incarnation network; see ``ShippedGenerator``."""

    folder = Path(__file__).resolve().parent
    net: IncarnationNet

    def network(self, settings: Mapping[str, Any]) -> IncarnationNet:
        return IncarnationNet(parse(Shape, settings, "model"))

    def make(self, inputs: Inputs) -> Tensor:
        made: Tensor = self.net(inputs.source, inputs.source_points, inputs.target_points)
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """Its two branches, by column title.

        The source moved by the FME's flow (the network moves E_1's features so, not pixels); the image merged from
        patch generation alone and from patch transfer alone, zeros standing for the other; the final image.
        """
        columns: dict[str, list[Image]] = {}
        for prompt in prompts:
            given = self.inputs(prompt)
            height = int(given.source.shape[2])
            both = self.net.patches(given.source, given.source_points, given.target_points)
            generation = both._replace(transferred=tuple(torch.zeros_like(x) for x in both.transferred))
            transfer = both._replace(generated=torch.zeros_like(both.generated))
            for title, image in (
                ("source, moved", moved(given.source, both.flow)),
                ("generation alone", self.net.merge(generation, height)),
                ("transfer alone", self.net.merge(transfer, height)),
                ("merged", self.net.merge(both, height)),
            ):
                columns.setdefault(title, []).append(to_uint8(image)[0].cpu().numpy())
        return columns
