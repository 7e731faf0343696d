"""How sure a person detector is that an image shows a person."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fhpt_bench import weights
from fhpt_bench.features import Name, exact
from fhpt_bench.types import Rows

PERSON = 1
"""Of torchvision's COCO classes."""


class Detection:
    """torchvision's SSD300 on VGG16, trained on COCO: N x 1 float32, the highest score of class person, 0..1.

    Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016. Images go in as they are: the network stretches them to
    300 x 300 itself. 0 where no person scores above the network's own threshold of 0.01.
    """

    small = True
    network = "ssd300-vgg16"

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        name.choice(("ssd",), "ssd")
        return (cls.network,)

    def __init__(self, name: Name, device: str) -> None:
        from torchvision.models.detection import ssd300_vgg16

        name.choice(("ssd",), "ssd")
        self.name, self.prepare, self._device = name.text, name.prepare, torch.device(device)
        tensors = weights.load(self.network)
        self.key = f"{self.name} {weights.digest(self.network)} 1"
        with torch.device("meta"):  # random weights would only be drawn to be thrown away
            self._model: Any = ssd300_vgg16(weights=None, weights_backbone=None)
        self._model.load_state_dict(tensors, assign=True)
        self._model.to(self._device).eval()

    def extract(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 uint8 -> N x 1 float32. Each image alone, so batching cannot matter."""
        rows: Rows = np.zeros((len(images), 1), np.float32)
        for row, image in zip(rows, self.prepare.images(images), strict=True):
            with exact():
                pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
                [found] = self._model([pixels.permute(2, 0, 1).float() / 255])
                people = found["scores"][found["labels"] == PERSON]
                row[0] = float(people.max()) if len(people) else 0.0
        return rows
