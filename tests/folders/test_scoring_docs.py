"""docs/scoring.md: its commands run, its table names every layout as the code has it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from fhpt_bench.folders.layouts import LAYOUTS

PAGE = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_its_commands_run(tmp_path):
    commands = [
        line[2:] for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()
    ]
    assert len(commands) >= 2
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "fhpt_bench", *shlex.split(command)[1:]],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "scored" / "record.json").is_file()


def test_its_table_has_every_layout():
    rows = re.findall(r"^\| `(\w+)` \|(.+)$", PAGE, re.M)
    assert [name for name, _ in rows] == [layout.name for layout in LAYOUTS]
    for (_, text), layout in zip(rows, LAYOUTS, strict=True):
        if layout.grid[0] == 1 and layout.grid[1] > 1:
            assert f"strip of {layout.grid[1]}" in text
        assert ("columns" in PAGE) and (layout.framed == (f"`{layout.name}`" in PAGE.split("cut to columns")[1][:220]))
