"""PATN as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines._parts.generating import Inputs, ShippedGenerator
from fhpt_bench.baselines.patn.model import PATN, Shape
from fhpt_bench.train_config import parse
from fhpt_bench.types import Image, Prompt


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

    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """Attention masks of the first, the middle and the last block, then the image.

        A mask is sigmoid(pose stream), averaged over channels: where the block changes the image stream. Black and
        white are each block's least and greatest value over all prompts. Keys are titles.
        """
        blocks, size = self.net.transfer.blocks, tuple(self.settings["model"]["size"])
        shown: dict[str, list[Image]] = {}
        for index in sorted({0, len(blocks) // 2, len(blocks) - 1}):
            masks: list[Tensor] = []
            hook = blocks[index].pose.register_forward_hook(
                lambda _module, _given, pose, masks=masks: masks.append(pose.float().sigmoid().mean(1, keepdim=True))
            )
            try:
                made = self.generate(prompts)
            finally:
                hook.remove()
            shown[f"mask {index + 1}"] = _grey(torch.cat(masks), size)
        return {**shown, "image": made}


def _grey(masks: Tensor, size: tuple[int, ...]) -> list[Image]:
    """N x 1 x h x w -> N grey images of ``size``, cells enlarged without smoothing."""
    low, high = masks.min(), masks.max()
    levels = ((masks - low) / (high - low).clamp(min=1e-12) * 255).round()
    large = F.interpolate(levels, size=size, mode="nearest")[:, 0, :, :, None].expand(-1, -1, -1, 3)
    return list(np.ascontiguousarray(large.to(torch.uint8).cpu().numpy()))
