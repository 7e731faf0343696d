"""The commands of docs/datasets.md, on minis under the names that the page uses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import mini_deepfashion
import mini_market
import pytest
from typer.testing import CliRunner

from fhpt_bench.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mini_deepfashion.write_lists(mini_deepfashion.write_inshop(Path("In-shop"), zipped=True))
    mini_market.write_lists(mini_market.write_archive(Path("Market")))
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) >= 8
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "fhpt-bench"
        told = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert told.exit_code == (3 if "check" in arguments else 0), f"{command}\n{told.output}"
        assert told.stdout
    assert len(list(Path("few/images").iterdir())) >= 3
