"""A model whose training was cut short says so, with its count, wherever its name heads a row."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from made_up_rows import make_record, make_scores
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By

from fhpt_bench import compare
from fhpt_bench.leaderboard import to_csv, to_html, to_latex, to_markdown, to_terminal
from fhpt_bench.leaderboard.comparison import comparison
from fhpt_bench.record import Record

COUNT = "12,000 of 48,000 samples"


@pytest.fixture(scope="module")
def rows(records: list[Record]) -> list[Record]:
    """The example, one model of it cut short, and one whose card says the opposite of nothing."""
    made = [
        make_record("hasty", make_scores(0.5, 8), card={"undertrained": COUNT}),
        make_record("patient", make_scores(0.45, 9), card={"undertrained": ""}),
    ]
    return [*records, *made]


def printed(shown: object, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    console.print(shown)
    return console.export_text()


def test_only_what_was_cut_short_is_marked_and_it_is_still_ranked(rows: list[Record]) -> None:
    frame = pd.read_csv(io.StringIO(to_csv(rows)), keep_default_na=False)
    assert set(zip(frame["model"], frame["undertrained"], strict=True)) == {
        (r.model.name, COUNT if r.model.name == "hasty" else "") for r in rows
    }
    assert set(frame[frame["model"] == "hasty"]["ranked"].astype(str)) == {"True"}


@pytest.mark.parametrize("form", [to_markdown, to_latex])
def test_a_mark_beside_the_name_and_the_count_below(rows: list[Record], records: list[Record], form) -> None:
    text = form(rows)
    assert len(re.findall(r"hasty \(undertrained\)", text)) == 1
    assert len(re.findall(rf"[-%] undertrained.*hasty.*{COUNT}", text)) == 1
    assert "patient (" not in text
    assert "undertrained" not in form(records)


@pytest.mark.parametrize("width", [60, 200])
def test_on_the_terminal(rows: list[Record], records: list[Record], width: int) -> None:
    text = " ".join(printed(to_terminal(rows), width).split())
    assert text.count(f"hasty ({COUNT})") == 1
    assert "hasty undertrained" in printed(to_terminal(rows))
    assert "undertrained" not in printed(to_terminal(records))


def test_beside_another_model(rows: list[Record]) -> None:
    first, hasty, patient = rows[0], rows[-2], rows[-1]
    text = printed(comparison(compare(first, hasty), ("first", first), ("hasty", hasty)))
    assert f"b is undertrained: {COUNT}" in text
    assert "undertrained" not in printed(comparison(compare(first, patient), ("first", first), ("p", patient)))


def test_on_the_page(browser: webdriver.Chrome, rows: list[Record], tmp_path: Path) -> None:
    page = tmp_path / "leaderboard.html"
    page.write_text(to_html(rows), encoding="utf-8")
    browser.get(page.as_uri())
    (tag,) = browser.find_elements(By.XPATH, "//table[contains(@class, 'scores')]//span[text()='undertrained']")
    assert tag.get_attribute("title") == COUNT
    assert tag.find_element(By.XPATH, "..").text.endswith("hasty undertrained")
    board = browser.find_element(By.ID, "b0").text
    assert f"Undertrained: hasty ({COUNT})" in board
    browser.get(f"{page.as_uri()}#m{len(rows) - 2}")
    assert f"cut short ({COUNT})" in browser.find_element(By.ID, f"m{len(rows) - 2}").text


def test_a_card_cannot_break_out(records: list[Record]) -> None:
    nasty = 'one\n<script>alert(1)</script> | 2"'
    rows = [*records, make_record("m", make_scores(0.1, 9), card={"undertrained": nasty})]
    (line,) = [line for line in to_markdown(rows).splitlines() if line.startswith("- undertrained")]
    assert "<script>alert" not in line + to_html(rows)
    assert "alert" in line
    frame = pd.read_csv(io.StringIO(to_csv([make_record("m", make_scores(0.1), card={"undertrained": "=1+1"})])))
    assert set(frame["undertrained"]) == {"'=1+1"}
