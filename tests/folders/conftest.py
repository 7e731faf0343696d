"""A mini DeepFashion and a mini Market, and one model's images for them: its source photographs, moved two pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mini_deepfashion
import mini_market
import numpy as np
import pytest
from boxes import moved, write_protocol

from fhpt_bench.datasets.deepfashion import DeepFashion
from fhpt_bench.datasets.market1501 import Market1501
from fhpt_bench.types import Image


@pytest.fixture(scope="session")
def fashion_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini_deepfashion.prepared(tmp_path_factory.mktemp("fashion"))


@pytest.fixture(scope="session")
def fashion(fashion_root: Path) -> DeepFashion:
    """18 pairs, 256 x 176."""
    return DeepFashion(fashion_root, "test")


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market1501:
    """10 pairs, 128 x 64."""
    return Market1501(mini_market.prepared(tmp_path_factory.mktemp("market")), "test")


@pytest.fixture(scope="session")
def frames(fashion_root: Path) -> dict[str, Image]:
    """Pair id -> the model's image in DeepFashion's 256 x 256 frame."""
    return moved(DeepFashion(fashion_root, "test", size=(256, 256)))


@pytest.fixture(scope="session")
def crops(frames: Mapping[str, Image]) -> dict[str, Image]:
    """The same, columns 40..216: what a 256 x 176 protocol measures."""
    return {pair_id: np.ascontiguousarray(image[:, 40:216]) for pair_id, image in frames.items()}


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    return write_protocol(tmp_path, 256, 176)
