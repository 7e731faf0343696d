"""What the command line prints: lists, tables of one family, comparisons."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from many_rows import NO_DETECTOR, many

from fhpt_bench import cli, show
from fhpt_bench.record import write_record


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for record in many():
        write_record(record, folder / record.model.name / "record.json")
    return {path.name: path for path in folder.iterdir()}


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["fhpt-bench", *map(str, words)])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_columns_chooses_a_family(runs, monkeypatch, capsys, tmp_path) -> None:
    words = ("leaderboard", *runs.values(), "--no-shipped")
    code, out, _ = command(monkeypatch, capsys, *words, "--columns", "structural")
    assert code == 0
    assert "Structural" in out
    assert NO_DETECTOR in out
    assert "Perceptual" not in out
    _, both, _ = command(monkeypatch, capsys, *words, "-c", "structural", "-c", "semantic", "-f", "markdown")
    assert ("**Structural.**" in both, "**Semantic.**" in both, "**Perceptual.**" in both) == (True, True, False)
    code, out, error = command(monkeypatch, capsys, *words, "--columns", "structual", "--out", tmp_path / "table")
    assert (code, out) == (2, "")
    assert "did you mean structural?" in error
    assert not (tmp_path / "table").exists(), "an unknown family is found out before anything is written"


def test_json_holds_whole_records(runs, monkeypatch, capsys) -> None:
    words = ("leaderboard", runs["drn"], "--no-shipped", "--json")
    code, out, _ = command(monkeypatch, capsys, *words)
    assert code == 0
    (record,) = json.loads(out)
    assert len(record["scores"]) == len(many()[0].scores)
    assert list(record["protocol"]["headline"]) == ["perceptual", "structural", "semantic"]
    code, _, error = command(monkeypatch, capsys, *words, "--columns", "semantic")
    assert code == 2
    assert "whole records" in error


def test_compare_shows_the_headline_and_all_where_asked(runs, monkeypatch, capsys) -> None:
    words = ("compare", runs["drn"], runs["patn"])
    _, few, _ = command(monkeypatch, capsys, *words)
    _, every, _ = command(monkeypatch, capsys, *words, "--all")
    assert "more scores: --all" in few
    assert len(every.splitlines()) > 4 * len(few.splitlines())
    _, out, _ = command(monkeypatch, capsys, *words, "--json")
    assert len(json.loads(out)) == len(many()[0].scores)


def test_every_metric_is_one_plain_line(capsys) -> None:
    listing = show.listing("metrics")
    assert len(listing["metrics"]) >= 10
    for name, about in listing["metrics"].items():
        assert about, name
        assert not about.startswith("unavailable"), name
    show.print_listing(listing)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 160
    starts = {line.split()[0]: line.index(line.split(maxsplit=1)[1]) for line in lines[1:] if line[2] != " "}
    assert set(starts) == set(listing["metrics"])
    assert len(set(starts.values())) == 1, "what is said of each begins at the same place"


def test_a_narrow_window_folds_under_the_text(monkeypatch, capsys) -> None:
    monkeypatch.setattr(show, "_width", lambda piped: 60)
    show.print_listing({"metrics": {"lpips": "word " * 40, "x" * 70: "about", "bare": ""}})
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "x" not in line) <= 60
    folded = [line for line in lines if "word" in line]
    assert len(folded) > 3
    assert {line.index("word") for line in folded} == {30}
    assert "  bare" in [line.rstrip() for line in lines]
