"""The written forms: nothing lost in CSV, nothing that a name says is taken for markup."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from made_up_rows import HEADLINE, make_record, make_scores
from many_rows import HEADLINE as FAMILIES
from many_rows import NO_DETECTOR, many

from fhpt_bench.errors import BenchError
from fhpt_bench.leaderboard import table, to_csv, to_latex, to_markdown
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
    assert len(re.findall(r"(?<!\\)\|", line)) == len(HEADLINE) + 3


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
    assert {line.count("&") for line in rows} == {len(HEADLINE)}
    assert "\\textbf{" in body
    assert "$\\approx$" in body


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


def test_where_the_ranked_rows_have_no_width_the_references_say_how_many_decimals() -> None:
    def one(value: float, half: float) -> list[Score]:
        name = "face-same@eer[target,all]"
        return [Score(name=name, value=value, low=value - half, high=value + half, better="higher", pairs=9)]

    rows = [make_record("mine", one(0.0, 0.0)), make_record("copy-source", one(0.69, 0.05), kind="reference")]
    assert "0.69 [0.64, 0.74]" in to_markdown(rows)


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert number(-0.00049, 4) == "\u22120.0005"
    assert number(-0.00049, 2) == "0.00"
    assert number(12.345, 1) == "12.3"


@pytest.fixture(scope="module")
def rows() -> list[Record]:
    return many()


def test_markdown_has_a_table_a_family_in_the_protocols_order(rows: list[Record]) -> None:
    text = to_markdown(rows)
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.M) == ["Perceptual", "Structural", "Semantic"]
    tables = [re.findall(r"^\|.*", part, re.M) for part in re.split(r"^\*\*\w+\.\*\*", text, flags=re.M)[1:]]
    for lines, names in zip(tables, FAMILIES.values(), strict=True):
        shown = [name for name in names if name != "kec[all]/left_hand"]
        assert [h.strip(" \u2191\u2193").replace("\\", "") for h in lines[0].split("|")[3:-1]] == shown
        order = [re.split(r"[*(]", line.split("|")[2].strip().strip("*"))[0].strip() for line in lines[2:]]
        assert order == [row.model.name for row in sorted(rows, key=lambda row: row.score("lpips[vgg]").value)]
        assert [line.split("|")[1].strip() for line in lines[2:]] == ["", "", "1", "2", "3", "4", "", ""]
    assert "numbered, by lpips\\[vgg\\]" in text


def test_a_column_that_no_row_has_is_named_once_with_its_reason(rows: list[Record]) -> None:
    for text in (to_markdown(rows), to_latex(rows)):
        assert text.count(NO_DETECTOR) == 1
        assert re.search(NO_DETECTOR + r": no row has kec\\?\[all\\?\]/left", text)
        assert len(re.findall(r"left\\?_hand", text)) == 1


def test_many_names_are_cut_short_and_say_how_many(rows: list[Record]) -> None:
    drn = next(row for row in rows if row.model.name == "drn")
    bare = drn.model_copy(update={"scores": drn.scores[:32]})
    text = to_markdown([bare, *(row for row in rows if row is not drn)])
    assert (
        "- not measured: drn (kec\\[all\\]/body, kec\\[all\\]/face, kec\\[all\\]/right\\_hand, points-found/body"
        in text
    )
    assert "and 3 more)" in text


@pytest.mark.parametrize("key", ["structural", "semantic"])
def test_one_family_can_be_asked_for(rows: list[Record], key: str) -> None:
    assert re.findall(r"^\*\*(\w+)\.\*\*", to_markdown(rows, families=[key]), re.M) == [key.capitalize()]
    assert to_latex(rows, families=[key]).count("\\toprule") == 1
    frame = pd.read_csv(io.StringIO(to_csv(rows, families=[key])))
    assert set(frame["family"]) == {key}
    assert set(FAMILIES[key]) < set(frame["score"])
    for form in (to_markdown, to_latex, to_csv):
        with pytest.raises(BenchError, match="did you mean structural"):
            form(rows, families=["structure"])


def test_csv_names_the_family_of_every_score(rows: list[Record]) -> None:
    frame = pd.read_csv(io.StringIO(to_csv(rows)), keep_default_na=False)
    families = dict(zip(frame["score"], frame["family"], strict=True))
    assert set(families.values()) == set(FAMILIES)
    assert families["map[resnet,other-views]/top_pattern=dots"] == "semantic"
    assert families["pck@0.1/hands"] == "structural"
    assert families["psnr"] == "perceptual"


def test_a_plain_list_is_one_table_without_a_heading(records: list[Record]) -> None:
    assert "**Perceptual" not in to_markdown(records)
    assert set(pd.read_csv(io.StringIO(to_csv(records)), keep_default_na=False)["family"]) == {""}
    with pytest.raises(BenchError, match="headline is a plain list"):
        to_markdown(records, families=["perceptual"])


def test_a_family_that_the_headline_leaves_out_shows_when_asked_for(records: list[Record]) -> None:
    rows = [row.model_copy(update={"protocol": row.protocol.model_copy(update={"headline": {"perceptual": ("psnr",)}})})
            for row in many()]  # fmt: skip
    assert "Semantic" not in to_markdown(rows)
    assert "recall@5" in to_markdown(rows, families=["semantic"])
    assert "Semantic" in to_markdown(rows, everything=True)
