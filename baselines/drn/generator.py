"""DRN as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import parse, read
from fhpt_bench.train_data import points_of
from fhpt_bench.types import Image, Prompt

FOLDER = Path(__file__).resolve().parent


class DRNGenerator:
    """Makes images with a trained DRN. Deterministic: an image depends on its prompt alone, not on its batch or seed.

    ``weights``: a float16 safetensors file with its ``sha256``; without it, the one that ships and config.toml names.
    Raises BenchError where the weights are missing, altered or of another network, or an image has another size.
    """

    def __init__(self, device: str = "cpu", config: str = "", weights: Path | None = None, sha256: str = "") -> None:
        card = read(FOLDER, "shipped")
        self.card: dict[str, Any] = {
            **card,
            "config": config or card["config"],
            "weights_sha256": sha256 or card["weights_sha256"],
        }
        self.shape = parse(Shape, read(FOLDER, self.card["config"]), "model")
        self.device = torch.device(device)
        self.network = DRN(self.shape)
        shipped.load(self.network, weights or FOLDER / card["weights"], self.card["weights_sha256"])
        self.card["parameters"] = sum(p.numel() for p in self.network.parameters())
        self.network.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    def generate(self, prompts: Sequence[Prompt]) -> list[Image]:
        """One H x W x 3 uint8 image a prompt."""
        # One at a time: kernels round differently at other batch sizes, and a resumed run must give the same bytes.
        return [self._one(prompt) for prompt in prompts]

    @torch.inference_mode()
    def _one(self, prompt: Prompt) -> Image:
        image = prompt.source.image
        if image.shape != (*self.shape.size, 3):
            ours, given = ("x".join(map(str, side)) for side in (self.shape.size, image.shape))
            raise BenchError(
                f"this DRN was trained on {ours} images, not {given}",
                where=prompt.source.id, fix="train it on yours: fhpt-bench train baselines/drn",
            )  # fmt: skip
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].to(self.device)
        source = pixels.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        points = [torch.from_numpy(points_of(pose)).to(self.device)[None] for pose in (prompt.source.pose, prompt.pose)]
        made: NDArray[np.uint8] = to_uint8(self.network(source, *points)[1])[0].cpu().numpy()
        return made
