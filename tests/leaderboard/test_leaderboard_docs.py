"""The Python of docs/leaderboard.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhpt_bench.record import Record, write_record

PAGE = Path(__file__).parents[2] / "docs" / "leaderboard.md"


def test_the_example_runs(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for record in records[:3]:
        write_record(record, tmp_path / "runs" / "made-up-v1" / record.model.name / "record.json")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    found: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), found)
    assert "| 1 | drn |" in capsys.readouterr().out
    assert len(found["values"]) == 3
    assert {p.name for p in (tmp_path / "table").iterdir()} == {
        f"leaderboard.{e}" for e in ("html", "csv", "md", "tex")
    }
