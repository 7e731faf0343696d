"""What a trained baseline does as a generator: check its weights, take a prompt, give an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import read
from fhpt_bench.train_data import points_of
from fhpt_bench.types import Image, Pose, Prompt


@dataclass(frozen=True, eq=False)
class Inputs:
    """A prompt as networks take it, N = 1."""

    source: Tensor
    """N x 3 x H x W in [-1, 1], channels last."""
    source_points: Tensor
    """N x 18 x 2 in pixels; NaN where unknown or outside the frame."""
    target_points: Tensor
    prompt: Prompt


class ShippedGenerator(ABC):
    """Makes images with a trained baseline. Deterministic: an image depends on its prompt alone, not on batch or seed.

    ``weights``: a float16 safetensors file with its ``sha256``; without it, the one that ships and config.toml names.
    Raises BenchError where the weights are missing, altered or of another network, or an image has another size.
    """

    folder: ClassVar[Path]
    """The baseline's folder."""
    part: ClassVar[str] = "shipped"
    """Table of its config.toml that is the model's card."""
    kind: ClassVar[str] = "model"

    def __init__(self, device: str = "cpu", config: str = "", weights: Path | None = None, sha256: str = "") -> None:
        card = read(self.folder, self.part)
        self.card: dict[str, Any] = {
            **card,
            "config": config or card["config"],
            "weights_sha256": sha256 or card["weights_sha256"],
        }
        self.settings = read(self.folder, self.card["config"])
        self.device = torch.device(device)
        self.net = self.network(self.settings)
        self.load(weights)
        self.card["parameters"] = sum(p.numel() for p in self.net.parameters())
        self.net.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    def load(self, weights: Path | None) -> None:
        """Fill the network with ``weights``, or with the file that ships; hashes are those of the card."""
        shipped.load(self.net, weights or self.folder / self.card["weights"], self.card["weights_sha256"])

    @abstractmethod
    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """The untrained network of a configuration; its state is what ships."""

    @abstractmethod
    def make(self, inputs: Inputs) -> Tensor:
        """The image, N x 3 x H x W in [-1, 1]."""

    def generate(self, prompts: Sequence[Prompt]) -> list[Image]:
        """One H x W x 3 uint8 image a prompt."""
        # One at a time: kernels round differently at other batch sizes, and a resumed run must give the same bytes.
        return [self._one(prompt) for prompt in prompts]

    @torch.inference_mode()
    def _one(self, prompt: Prompt) -> Image:
        made: NDArray[np.uint8] = to_uint8(self.make(self.inputs(prompt)))[0].cpu().numpy()
        return made

    def inputs(self, prompt: Prompt) -> Inputs:
        """Source image and both poses, as the network takes them."""
        image, size = prompt.source.image, tuple(self.settings["model"]["size"])
        if image.shape != (*size, 3):
            ours, given = ("x".join(map(str, side)) for side in (size, image.shape))
            raise BenchError(
                f"this {self.card['name']} was trained on {ours} images, not {given}",
                where=prompt.source.id, fix=f"train it on yours: fhpt-bench train baselines/{self.folder.name}",
            )  # fmt: skip
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].to(self.device)
        source = pixels.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        return Inputs(source, self._points(prompt.source.pose), self._points(prompt.pose), prompt)

    def _points(self, pose: Pose) -> Tensor:
        return torch.from_numpy(points_of(pose)).to(self.device)[None]
