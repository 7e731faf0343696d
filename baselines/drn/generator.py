"""DRN as a generator, with the weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.errors import BenchError
from fhpt_bench.inspection import around_grey, principal_colours
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
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """What its branches make of each prompt, as the paper's Fig. 10 shows it.

        Features F_t as colours (``principal_colours``), coarse image I_c, residual R_t around grey (the title says how
        many grey levels white stands for), final image. Keys are titles.
        """
        inputs = [self._inputs(prompt) for prompt in prompts]
        features = torch.cat([self.network.coarse(*given)[0] for given in inputs]).float().cpu().numpy()
        coarse, final = (torch.cat(images) for images in zip(*(self.network(*given) for given in inputs), strict=True))
        residual = (final - coarse).permute(0, 2, 3, 1).cpu().numpy() * 127.5
        shown, scale = around_grey(residual)
        return {
            "features (PCA)": principal_colours(features, self.shape.size),
            "coarse": list(to_uint8(coarse).cpu().numpy()),
            f"residual, ±{scale:.0f}": shown,
            "final": list(to_uint8(final).cpu().numpy()),
        }

    @torch.inference_mode()
    def _one(self, prompt: Prompt) -> Image:
        made: NDArray[np.uint8] = to_uint8(self.network(*self._inputs(prompt))[1])[0].cpu().numpy()
        return made

    def _inputs(self, prompt: Prompt) -> tuple[Tensor, Tensor, Tensor]:
        """Source image and both poses, as the network takes them."""
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
        return source, points[0], points[1]
