"""One MediaPipe for all tests here, and true photographs with exact points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fhpt_bench import detectors
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.types import Photo


@pytest.fixture(scope="session")
def mediapipe() -> Iterator[detectors.Detector]:
    detector = detectors.build("mediapipe")
    yield detector
    detector.close()


@pytest.fixture(scope="session")
def photos() -> list[Photo]:
    """Eight validation photographs with frontal faces."""
    return [p for p in Catwalk("val").photos() if p.pose.face is not None and p.pose.face.frontal][:32:4]


@pytest.fixture(scope="session")
def pixels(photos: list[Photo]) -> np.ndarray:
    return np.stack([p.image for p in photos])
