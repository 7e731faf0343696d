"""A small finished run, and its zip."""

from __future__ import annotations

from pathlib import Path

import pytest
from repack import MINI, mini

from fhpt_bench import run
from fhpt_bench.submission import submit


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_protocol(tmp_path_factory.mktemp("protocol"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, protocol: Path) -> Path:
    """A run folder; copy it before changing it."""
    out = tmp_path_factory.mktemp("runs") / "shift"
    run(f"{mini.__file__}:Shift", protocol=protocol, data=MINI, out=out)
    return out


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory, finished: Path, protocol: Path) -> Path:
    """Its zip, with images."""
    path, _ = submit(
        finished, out=tmp_path_factory.mktemp("zips") / "shift.zip", images=True, protocol=protocol, data=MINI
    )
    return path
