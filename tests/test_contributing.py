"""CONTRIBUTING.md: every file in it is written out and every command in it is run, as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "CONTRIBUTING.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
COMMANDS = [
    line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line.startswith("$ ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("contributing")
    for kind, text in BLOCKS:
        if kind in ("python", "toml"):
            name = re.match(r"# (\S+)\n", text)
            assert name, "a file's block begins with its name"
            (where / name[1]).write_text(text, encoding="utf-8")
    return where


def test_there_is_an_example_of_each_kind():
    assert len(COMMANDS) == 3
    assert {kind for kind, _ in BLOCKS} == {"python", "toml", "console"}


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, folder: Path):
    program, *arguments = shlex.split(command)
    assert program == "fhpt-bench"
    done = subprocess.run(
        [sys.executable, "-m", "fhpt_bench", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
