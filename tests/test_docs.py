"""The docs' commands and Python run, in order, as they stand there; links between the pages lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("baselines/*/README.md")]
)


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def test_usage_runs_from_top_to_bottom(tmp_path: Path):
    commands = [line[2:] for block in blocks(ROOT / "docs" / "usage.md", "console") for line in block.splitlines()]
    assert len(commands) > 10
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "fhpt-bench"
        done = subprocess.run(
            [sys.executable, "-m", "fhpt_bench", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "table" / "leaderboard.html").is_file()
    assert len(list((tmp_path / "catwalk-few" / "images").iterdir())) >= 4


def test_usage_python_runs(tmp_path: Path):
    code = "\n".join(blocks(ROOT / "docs" / "usage.md", "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lpips, ssim = map(float, done.stdout.split())
    assert 0 <= lpips < 0.2
    assert ssim > 0.9


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
