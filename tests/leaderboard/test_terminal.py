"""The table in a window: wide, narrow, and what it never cuts."""

from __future__ import annotations

import io
import re

import pytest
from made_up_rows import HEADLINE, make_record, make_scores
from many_rows import NO_DETECTOR, many
from rich.console import Console

from fhpt_bench.leaderboard import to_terminal
from fhpt_bench.leaderboard.view import decimals, number
from fhpt_bench.record import Record


def printed(records: list[Record], width: int, **options: object) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    console.print(to_terminal(records, **options))
    return console.export_text()


def test_shows_ranks_intervals_and_reasons(records: list[Record]) -> None:
    text = printed([*records, make_record("[red]not markup[/red]", make_scores(0.1))], 200)
    assert re.search(r"1\s+drn\s+0\.\d+", text)
    assert "truth oracle" in text
    assert "[red]not markup[/red]" in text
    assert "no finite PSNR: truth (psnr)" in text


def test_a_wide_window_shows_both_ends_of_every_interval(records: list[Record]) -> None:
    text = printed(records, 400)
    assert text.count("exact-warp oracle") == 1
    for name in HEADLINE:
        score = records[0].score(name)
        places = decimals([r.score(name) for r in records if r.model.kind == "model"])
        assert f"[{number(score.low, places)}, {number(score.high, places)}]" in text


@pytest.mark.parametrize(("width", "tables"), [(40, 4), (60, 2), (80, 1)])
def test_a_narrow_window_shows_the_longer_half_of_every_interval(
    records: list[Record], width: int, tables: int
) -> None:
    text = printed(records, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count("exact-warp") == tables
    assert "\u00b1: the longer side" in " ".join(text.split())
    assert re.search(r"exact-warp .*\n\s+oracle ", text)
    for name in HEADLINE:
        score = records[0].score(name)
        places = decimals([r.score(name) for r in records if r.model.kind == "model"])
        longer = max(score.value - score.low, score.high - score.value)
        shown = [number(longer + k * 10.0**-places / 2, places) for k in (0, 1)]
        assert any(f"\u00b1{half}" in text for half in shown), name


@pytest.mark.parametrize("width", [80, 120, 200])
def test_three_families_in_order_whatever_the_width(width: int) -> None:
    text = printed(many(), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    places = [text.index(f"{title}  ") for title in ("Perceptual", "Structural", "Semantic")]
    assert places == sorted(places)
    assert text.count(NO_DETECTOR) == 1
    headings = " ".join(re.sub(r"[^\w@.-]+", " ", text).split())
    for label in ("PCKh@0.5", "AttrRec-5", "Detection"):
        assert label in headings


def test_a_name_without_end_leaves_the_columns_their_place(records: list[Record]) -> None:
    text = printed([*records, make_record("x" * 500, make_scores(0.1))], 80)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\u2026" in text


def test_one_family_and_every_score() -> None:
    assert "Perceptual" not in printed(many(), 120, families=["structural"])
    assert "PCK@0.1" not in printed(many(), 120, families=["structural"])
    assert "PCK@0.1" in printed(many(), 120, families=["structural"], everything=True)
