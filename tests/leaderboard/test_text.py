"""The written forms: nothing lost in CSV, nothing that a name says is taken for markup."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from made_up_rows import HEADLINE, make_record, make_scores
from rich.console import Console

from fhpt_bench.leaderboard import table, to_csv, to_latex, to_markdown, to_terminal, view
from fhpt_bench.leaderboard.view import decimals, number
from fhpt_bench.record import Record
from fhpt_bench.types import Score

NASTY = "<script>alert(1)</script> 50% a_b & c|d $x^2$ {\\bf} #1 ~`*\nnew"


def test_csv_comes_back_whole(records: list[Record]) -> None:
    rows = [*records, make_record(f'"quoted", {NASTY}', make_scores(0.1, 9))]
    frame = table(rows)
    back = pd.read_csv(io.StringIO(to_csv(rows)), keep_default_na=True)
    assert list(back.columns) == list(frame.columns)
    assert list(back["model"]) == list(frame["model"])
    for column in ("value", "low", "high"):
        np.testing.assert_array_equal(back[column].to_numpy(), frame[column].to_numpy())  # every digit
    assert list(back["unavailable"].fillna("")) == list(frame["unavailable"])


def test_csv_gives_a_spreadsheet_no_formula() -> None:
    rows = [make_record('=HYPERLINK("http://x", "y")', make_scores(0.1))]
    assert set(pd.read_csv(io.StringIO(to_csv(rows)))["model"]) == {'\'=HYPERLINK("http://x", "y")'}


def test_markdown_marks_best_tied_reference_and_reason(records: list[Record]) -> None:
    text = to_markdown(records)
    lines = {line.split("|")[2].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert re.search(r"\| 1 \| drn \| \*\*0\.\d+\*\* \[0\.\d+, 0\.\d+\]", lines["drn"])
    assert "\u2248" in lines["drn-no-texture"]
    assert "\u2248" not in lines["patn"].split("|")[3]
    assert "**" not in lines["*truth* (oracle)"]
    assert "\u2014" in lines["*truth* (oracle)"]
    assert "- identical images have no finite PSNR: truth (psnr)" in text
    assert "ms-ssim" not in text
    assert "ms-ssim" in to_markdown(records, everything=True)


def test_markdown_names_cannot_end_a_cell() -> None:
    rows = [make_record(NASTY, make_scores(0.1))]
    line = next(line for line in to_markdown(rows).splitlines() if "alert" in line)
    assert "<" not in line
    assert len(re.findall(r"(?<!\\)\|", line)) == len(rows[0].protocol.headline) + 3


def test_latex_is_booktabs_with_every_special_character_escaped(records: list[Record]) -> None:
    text = to_latex([*records, make_record(NASTY, make_scores(0.1))])
    for command in ("\\toprule", "\\midrule", "\\bottomrule", "\\begin{tabular}", "\\end{tabular}"):
        assert text.count(command) == 1
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[&%$#_{}]", "", body)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not set("%#_<>|\u2212\u2191\u2193") & set(bare)
    assert "^" not in bare.replace("\\textasciicircum", "")
    known = {"textbf", "emph", "scriptsize", "approx", "uparrow", "downarrow", "begin", "end", "toprule", "midrule"}
    known |= {"bottomrule", "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"}
    assert set(re.findall(r"\\([a-zA-Z]+)", bare)) <= known
    rows = [line for line in bare.splitlines() if line.endswith("\\\\")]
    assert len(rows) == len(records) + 2
    assert {line.count("&") for line in rows} == {len(records[0].protocol.headline)}
    assert "\\textbf{" in body
    assert "$\\approx$" in body


def test_terminal_shows_ranks_intervals_and_reasons(records: list[Record]) -> None:
    console = Console(width=200, file=io.StringIO(), record=True, highlight=False)
    console.print(to_terminal([*records, make_record("[red]not markup[/red]", make_scores(0.1))]))
    text = console.export_text()
    assert re.search(r"1\s+drn\s+0\.\d+", text)
    assert "truth oracle" in text
    assert "[red]not markup[/red]" in text
    assert "no finite PSNR: truth (psnr)" in text


@pytest.mark.parametrize("width", [60, 100, 400])
def test_terminal_columns_go_below_where_the_console_is_narrow(records: list[Record], width: int) -> None:
    console = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    console.print(to_terminal(records))
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for name in HEADLINE:
        score = records[0].score(name)
        places = view.decimals([r.score(name) for r in records if r.model.kind == "model"])
        assert f"[{number(score.low, places)}, {number(score.high, places)}]" in text  # whole, on one line
    assert text.count("exact-warp oracle") == {60: 6, 100: 2, 400: 1}[width]


def test_rows_of_different_data_are_in_different_tables(records: list[Record]) -> None:
    rows = [*records, make_record("elsewhere", make_scores(0.9), data="e" * 64)]
    for text in (to_markdown(rows), to_latex(rows)):
        first, second = re.split(r"### |\\end\{tabular\}", text.removeprefix("### "))[:2]
        assert "elsewhere" not in first
        assert "elsewhere" in second


def test_decimals_fit_the_interval_and_published_values_keep_theirs() -> None:
    def score(value: float, half: float | None) -> Score:
        bounds = {} if half is None else {"low": value - half, "high": value + half}
        return Score(name="x", value=value, better="higher", pairs=1, **bounds)

    assert decimals([score(0.8, 0.02), score(1.0, 0.0)]) == 3
    assert decimals([score(30.0, 1.4)]) == 1
    assert decimals([score(300.0, 40.0)]) == 0
    assert decimals([score(0.773, None), score(19.8, None)]) == 3
    assert decimals([score(14.0, None)]) == 0


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert number(-0.00049, 4) == "\u22120.0005"
    assert number(-0.00049, 2) == "0.00"
    assert number(12.345, 1) == "12.3"
