"""Keypoints as a feature: ``pose[mediapipe]``, ``pose[mmpose,<model>]``, ``pose[openpose-json]``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import detectors
from fhpt_bench.features import Name
from fhpt_bench.types import Rows


class Pose:
    """What a detector finds in single images, N x 270 float32 in the layout of ``fhpt_bench.points``."""

    small = True
    alone = True

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        detector, *settings = name.settings or (detectors.DEFAULT,)
        return detectors.networks(detector, *settings)

    def __init__(self, name: Name, device: str) -> None:
        self.name, self._prepare = name.text, name.prepare
        detector, *settings = name.settings or (detectors.DEFAULT,)
        self._detector = detectors.build(detector, device, *settings)
        self.key = f"{self.name} {self._detector.key}"

    def extract(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 uint8 -> N x 270 float32; places are in pixels of the image as ``name`` prepares it."""
        return self._detector.detect(self._prepare.images(images))

    def close(self) -> None:
        self._detector.close()
