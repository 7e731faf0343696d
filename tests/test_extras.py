"""``make extras``: installed before the tests, at the pinned versions, importable."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fhpt_bench import doctor

ROOT = Path(__file__).parent.parent
PINNED = dict(re.findall(r"([\w-]+)==([\d.]+)", (ROOT / "Makefile").read_text(encoding="utf-8")))


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_tests_come_after_the_extras(tmp_path: Path) -> None:
    """What ``make test`` would do in a fresh clone, in order; nothing is run."""
    asked = subprocess.run(
        ["make", "-n", "test", f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for package in ("mmpose==", "face-recognition=="):
        assert 0 < asked.index(package) < asked.index("-m pytest")


@pytest.mark.parametrize("package", sorted(PINNED))
def test_what_is_installed_is_what_is_pinned(package: str) -> None:
    if importlib.util.find_spec("mmpose") is None:
        pytest.skip("no mmpose: make extras")
    assert version(package) == PINNED[package]


def test_face_recognition_imports_without_ending_the_process() -> None:
    """Its own answer to missing models is to print and quit, with exit code 0; setuptools 82 was one way there."""
    if importlib.util.find_spec("face_recognition") is None:
        pytest.skip("no face_recognition: make extras")
    code = "import face_recognition; print('still here')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "still here"), done.stderr


def test_the_doctor_sees_what_mmpose_would_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    """setuptools 82 has no pkg_resources, which mmengine imports: installed, and yet it does not run."""
    if importlib.util.find_spec("mmpose") is None:
        pytest.skip("no mmpose: make extras")
    [before] = [f for f in doctor.examine() if f.what == "mmpose"]
    assert before.ok
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    [after] = [f for f in doctor.examine() if f.what == "mmpose"]
    assert (after.ok, after.needed, after.fix) == (False, False, "make extras")
    assert after.state.endswith("without pkg_resources")
