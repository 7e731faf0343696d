"""docs/submitting.md: its commands run as they stand there, and what it counts is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from test_rows_alone import command

from fhpt_bench.published import Published, load

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "submitting.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ fhpt-bench (.*)$", PAGE, re.M)


@pytest.mark.parametrize("line", COMMANDS)
def test_command(line: str, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code, out, error = command(monkeypatch, capsys, *shlex.split(line))
    assert code == 0, error
    assert out.strip()


def test_the_page_is_right_about_the_published_numbers():
    assert len(COMMANDS) == 4
    assert f"as printed: {len(load())}," in PAGE
    assert f"Columns: `{', '.join(Published.model_fields)}`" in PAGE
