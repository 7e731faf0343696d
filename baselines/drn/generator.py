"""DRN as a generator, with the weights that ship: with its face module, without it, and its coarse image alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.generating import Inputs
from fhpt_bench.baselines._parts.layers import to_uint8
from fhpt_bench.baselines._parts.two_branch_generator import TwoBranchGenerator
from fhpt_bench.baselines.drn import face
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.train_config import parse, read
from fhpt_bench.types import Image, Prompt

FOLDER = Path(__file__).resolve().parent


class DRNNoFace(TwoBranchGenerator):
    """DRN without its face module."""

    folder = FOLDER
    detail = "residual"
    part: ClassVar[str] = "shipped-noface"

    def network(self, settings: Mapping[str, Any]) -> DRN:
        return DRN(parse(Shape, settings, "model"))


class DRNCoarse(DRNNoFace):
    """DRN's coarse image I_c, without R_t and without the face module."""

    part = "shipped-coarse"  # whose configuration has the coarse image for its output

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """Features F_t as colours and the coarse image."""
        return dict(list(super().inspect(prompts).items())[:2])


class DRNGenerator(DRNNoFace):
    """DRN with its face module, which has a part only where source and target both show a frontal face.

    ``face_weights``, ``face_sha256``, ``face_config``: those of the face module; without them the ones that ship. Given
    ``weights`` of one's own and no face module's, there is none.
    """

    part = "shipped"

    def __init__(
        self,
        device: str = "cpu",
        config: str = "",
        weights: Path | None = None,
        sha256: str = "",
        *,
        face_config: str = "",
        face_weights: Path | None = None,
        face_sha256: str = "",
    ) -> None:
        super().__init__(device, config, weights, sha256)
        self.face: FaceModule | None = None
        if weights is None or face_weights is not None:
            self.face = FaceModule(self.device, face_config, face_weights, face_sha256)
            self.card["face"] = self.face.card
            self.card["parameters"] += self.face.card["parameters"]

    def make(self, inputs: Inputs) -> Tensor:
        made = super().make(inputs)
        return made if self.face is None else self.face.put(made, inputs)["final"]

    @torch.inference_mode()
    def inspect(self, prompts: Sequence[Prompt]) -> dict[str, list[Image]]:
        """As without the face module; then its crop of the source, the sketch, what it makes (white where it has no
        part), M_F, and the final image."""
        columns = super().inspect(prompts)
        if self.face is None:
            return columns
        without = columns.pop("final")
        parts = [self.face.put(DRNNoFace.make(self, each), each) for each in map(self.inputs, prompts)]
        titles = {"source": "source face", "sketch": "sketch", "made": "made face", "mask": "mask"}
        shown = {title: [self._page(each.get(key)) for each in parts] for key, title in titles.items()}
        return {
            **columns, "without face": without, **shown,
            "final": [to_uint8(each["final"])[0].cpu().numpy() for each in parts],
        }  # fmt: skip

    def _page(self, image: Tensor | None) -> Image:
        """A crop, enlarged to the width of an image and on white; a map as large as an image as it is."""
        height, width = self.settings["model"]["size"]
        page = np.full((height, width, 3), 255, np.uint8)
        if image is not None:
            side = min(height, width)
            large = image if image.shape[2] == height else F.interpolate(image.float(), (side, side), mode="bicubic")
            drawn = to_uint8(large.expand(-1, 3, -1, -1))[0].cpu().numpy()
            page[: drawn.shape[0], : drawn.shape[1]] = drawn
        return page


class FaceModule:
    """The trained face module. Raises BenchError where its weights are missing, altered or of another network."""

    def __init__(self, device: torch.device, config: str = "", weights: Path | None = None, sha256: str = "") -> None:
        card = read(FOLDER, "shipped-face")
        self.card: dict[str, Any] = {
            **card,
            "config": config or card["config"],
            "weights_sha256": sha256 or card["weights_sha256"],
        }
        self.crop, shape = face.tables(read(FOLDER, self.card["config"]))
        self.net, self.device = DRN(shape), device
        shipped.load(self.net, weights or FOLDER / card["weights"], self.card["weights_sha256"])
        self.card["parameters"] = sum(p.numel() for p in self.net.parameters())
        self.net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def put(self, image: Tensor, inputs: Inputs) -> dict[str, Tensor]:
        """``final``: ``image`` (1 x 3 x H x W) with the face blended in, or ``image`` itself where the module has no
        part. Where it has: also its ``source`` crop, the target's ``sketch``, the ``made`` face and the ``mask``, all
        in [-1, 1]."""
        faces = face.shown(inputs.prompt.source.pose), face.shown(inputs.prompt.pose)
        if faces[0] is None or faces[1] is None:
            return {"final": image}
        batch = {"source": inputs.source}
        for role, each in zip(("source", "target"), faces, strict=True):
            batch[f"{role}_face"] = torch.from_numpy(face.points_of(each)).to(self.device)[None]
            batch[f"{role}_face_box"] = torch.tensor([each.box], dtype=torch.float32, device=self.device)
        crops = face.crops(batch, self.crop)
        _, made = self.net(crops["source"], crops["source_points"], crops["target_points"])
        final, mask = face.blend(image, made, batch["target_face_box"], self.crop)
        sketch = self.net.maps(crops["target_points"], self.crop.side, made.shape[2:])
        return {"final": final, "source": crops["source"], "sketch": sketch * 2 - 1, "made": made, "mask": mask * 2 - 1}
