"""The wheel holds what a checkout holds, and works where only the wheel is."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "import os, sys; os.chdir(sys.argv[1]); from hatchling.build import build_wheel as w; print(w(sys.argv[2]))"
LOOK = """
import sys
root, site = sys.argv[1:]
sys.path[:] = [site] + [p for p in sys.path if p not in ("", root)]
import fhpt_bench, fhpt_bench.baselines as baselines
from fhpt_bench import datasets, protocol, registry
print(fhpt_bench.__file__)
print(baselines.__path__)
print(registry.names("generators"))
print(protocol.names())
print(len(datasets.load("catwalk", "test")), registry.find("generators", "drn"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel: what pip puts into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run([sys.executable, "-c", BUILD, ROOT, folder], capture_output=True, text=True, check=True)
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_no_top_level_name_that_others_could_own(installed):
    assert sorted(p.name for p in installed.iterdir() if not p.name.endswith(".dist-info")) == ["fhpt_bench"]


def test_every_shipped_file_is_in_the_wheel(installed):
    folders = ["fhpt_bench", "baselines", "protocols", "leaderboard"]
    tracked = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(tracked.stdout.splitlines()) > 200
    for name in tracked.stdout.splitlines():
        inside = name if name.startswith("fhpt_bench/") else f"fhpt_bench/_shipped/{name}"
        assert (installed / inside).is_file(), name


def test_the_wheel_works_on_its_own(installed, tmp_path):
    command = [sys.executable, "-c", LOOK, str(ROOT), str(installed)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(str(installed) in line for line in lines[:2]), lines
    assert "drn" in lines[2]
    assert "catwalk-v1" in lines[3]
    assert lines[4].startswith("600 ")
