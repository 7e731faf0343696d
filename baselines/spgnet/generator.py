"""SPGNet as a generator, with the weights that ship."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, cat
from torch.nn import functional as F

from fhpt_bench.baselines._parts.distance_maps import LIMBS, distance_maps
from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.spgnet.flow import FlowTable, FrozenFlow
from fhpt_bench.baselines.spgnet.model import Shape, SPGNet
from fhpt_bench.baselines.spgnet.painter import PainterShape
from fhpt_bench.baselines.spgnet.parsing import coloured
from fhpt_bench.train_config import parse
from fhpt_bench.types import Image, Prompt


class SPGNetGenerator(ShippedGenerator):
    """Makes images with a trained SPGNet: it parses the source photograph itself, and warps by Intr-Flow's flow."""

    folder = Path(__file__).resolve().parent
    net: SPGNet
    flow: FrozenFlow

    def network(self, settings: Mapping[str, Any]) -> SPGNet:
        """Both stages of a configuration; the flow network comes with its own weights."""
        self.flow = FrozenFlow(parse(FlowTable, settings, "flow"))
        self.card["flow"] = self.flow.origin
        return SPGNet(parse(Shape, settings, "model"), parse(PainterShape, settings, "painter"))

    def make(self, inputs: Inputs) -> Tensor:
        """The image, 1 x 3 x H x W in [-1, 1]."""
        return self._made(inputs)[0]

    def _made(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
        """Image, logits of S_ps and S_pt."""
        size, fold = self.net.shape.size, self.net.shape.fold
        folded = (size[0] // fold, size[1] // fold)
        flow = self.flow.predict(inputs.source_points, inputs.target_points, size[0], size[0], folded)
        made: tuple[Tensor, Tensor, Tensor] = self.net(inputs.source, inputs.source_points, inputs.target_points, flow)
        return made

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """Parsings of source and target, distance maps of the target pose, final image. Keys are titles.

        Parsings are the predicted ones, in the colours of ``parsing.PALETTE``; in the maps each place has the colour of
        its nearest limb, the darker the farther.
        """
        size = self.net.shape.size
        columns: dict[str, list[Tensor]] = {}
        for inputs in map(self.inputs, prompts):
            image, source, target = self._made(inputs)
            pictures = {
                "source parsing": coloured(source, size),
                "target parsing": coloured(target, size),
                "distance maps": limb_colours(distance_maps(inputs.target_points, size)),
                "image": image,
            }
            for title, picture in pictures.items():
                columns.setdefault(title, []).append(picture)
        return {title: list(to_uint8(cat(pictures)).cpu().numpy()) for title, pictures in columns.items()}


def limb_colours(maps: Tensor) -> Tensor:
    """Distance maps N x 12 x H x W as one picture: N x 3 x H x W in [-1, 1]."""
    hues = torch.tensor([colorsys.hsv_to_rgb(limb / len(LIMBS), 1, 1) for limb in range(len(LIMBS))])
    near, limb = maps.max(1, keepdim=True)
    colours = F.embedding(limb[:, 0], hues.to(maps.device)).permute(0, 3, 1, 2)
    return colours * near * 2 - 1
