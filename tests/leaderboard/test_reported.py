"""Published numbers beside measured rows: marked, unranked, of the same protocol and data only, in every form."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_rows import make_record
from test_show import command

from fhpt_bench.leaderboard import reported, reported_forms, to_csv, to_html, to_latex, to_markdown, write
from fhpt_bench.leaderboard.text import csv_frame
from fhpt_bench.published import load, of
from fhpt_bench.record import Record, write_record
from fhpt_bench.types import Score

SCORES = [
    Score(name="ssim[uniform7]", value=0.9004, low=0.8, high=0.95, better="higher", pairs=9),
    Score(name="ssim[uniform7]/face", value=0.1, better="higher", pairs=9),
    Score(name="ssim[gauss1.5]", value=0.2, better="higher", pairs=9),
    Score(name="fid[legacy]", value=3.25, low=3.0, high=3.5, better="lower", pairs=9),
    Score(name="attrrec-5", value=0.24681, low=0.24, high=0.25, better="higher", pairs=9),
    Score(name="lpips[alex]", value=None, better="neither", pairs=0, unavailable="no network here"),
]


def measured(model: str = "mine", protocol: str = "spgnet2021", kind: str = "model", **data: object) -> Record:
    record = make_record(model, SCORES, kind=kind, headline=["ssim[uniform7]", "fid[legacy]"])
    return record.model_copy(
        update={
            "protocol": record.protocol.model_copy(update={"name": protocol}),
            "data": record.data.model_copy(
                update={"name": "deepfashion", "split": "test", "pairs": 8570, "synthetic": False, **data}
            ),
        }
    )


def rows_of(table: reported.Reported) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {line.name: (line.mark, line.cells) for line in table.lines}


def test_one_table_a_paper_table_comparisons_first():
    tables = reported.reported(of("spgnet2021"), [])
    assert [table.title for table in tables] == [
        "spgnet2021: reported by the SPGNet paper, Table 1 (deepfashion)",
        "spgnet2021: reported by the SPGNet paper, Table 3, ablation (deepfashion)",
        "spgnet2021: reported by the SPGNet paper, Training schemes, ablation (deepfashion)",
        "spgnet2021: reported by the SPGNet paper, SPATN, ablation (deepfashion)",
        "spgnet2021: reported by the SPGNet paper, Table 2, user study (deepfashion)",
    ]
    assert [head.title for head in tables[0].heads] == ["SSIM ↑", "FID ↓", "PCKh ↑", "LPIPS ↓"]
    assert rows_of(tables[0])["Intr-Flow"] == ("published", ("0.778", "16.314", "0.96", "0.2131"))
    assert rows_of(tables[-1])["SPGNet"] == ("published", ("19.47", "36.80", "32.00"))
    (table, *_) = reported.reported(of("intrflow2019"), [])
    assert "DSC's pairs" in table.title, "the rows of another split do not name the table's"
    assert {"UPIS: other split", "DPT: other split"} <= set(table.notes)


def test_a_measured_row_stands_below_a_comparison_and_in_nothing_else():
    tables = reported.reported(of("spgnet2021"), [measured(), measured("truth", kind="oracle")])
    lines = rows_of(tables[0])
    assert list(lines)[-2:] == ["mine", "truth"]
    assert lines["mine"] == ("measured", ("0.90", "3.25", "", "")), "as many decimals as its interval bears"
    assert lines["truth"][0] == "measured, oracle"
    assert "of measured rows, SSIM is ssim[uniform7], FID is fid[legacy], LPIPS is lpips[alex]" in tables[0].notes
    assert "not measured by this protocol here: PCKh" in tables[0].notes
    for table in tables[1:]:
        assert {line.mark for line in table.lines} == {"published"}


def test_percents_are_printed_as_the_paper_does():
    (table, *_) = reported.reported(of("intrflow2019"), [measured(protocol="intrflow2019", pairs=12000)])
    place = [head.score for head in table.heads].index("attrrec-5")
    assert table.heads[place].title == "AttrRec-5 % ↑"
    assert rows_of(table)["mine"][1][place] == "24.7"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (measured(name="catwalk"), "measured on catwalk/test"),
        (measured(split="train"), "measured on deepfashion/train"),
        (measured(limit=100, pairs=100), "measured on the first 100 pairs only"),
        (measured(missing=3), "3 images are missing"),
    ],
)
def test_what_does_not_compare_does_not_stand_beside_and_says_why(record, why):
    tables = reported.reported(of("spgnet2021"), [record])
    assert all(line.mark == "published" for table in tables for line in table.lines)
    assert f"not beside them: mine: {why}" in tables[0].notes


def test_other_pairs_and_other_protocols_never_mix():
    (table, *_) = reported.reported(of("intrflow2019"), [measured(protocol="intrflow2019", pairs=8570)])
    assert "not beside them: mine: measured on 8,570 pairs, not the paper's 12,000" in table.notes
    for name in ("rate2020", "spgnet2021-market", "spgnet2021x"):
        (table, *_) = reported.reported(of("spgnet2021"), [measured(protocol=name)])
        assert [line.name for line in table.lines if line.mark != "published"] == []
        assert not [note for note in table.notes if "mine" in note]


def test_markdown_and_latex_mark_them_and_give_no_rank_bold_or_tie():
    records, rows = [measured()], of("spgnet2021")
    text = reported_forms.with_papers(records, rows, "markdown")
    above, below = text.split("### spgnet2021: reported", 1)
    assert above.strip() == to_markdown(records).strip(), "the measured table is what it is without papers"
    assert "| SPGNet | published | 0.782 | 12.243 | 0.97 | 0.2105 |" in below
    assert "| mine | measured | 0.90 | 3.25 | — | — |" in below
    assert "**" not in below and "≈" not in below
    assert "S1\\|\\|S2" in below
    latex = reported_forms.with_papers(records, rows, "latex")
    assert latex.startswith(to_latex(records).rstrip())
    assert r"SPGNet & published & 0.782 & 12.243 & 0.97 & 0.2105 \\" in latex
    assert r"$\uparrow$" in latex and "textbf" not in latex.split("reported by", 1)[1]
    assert reported_forms.with_papers(records, [], "markdown") == to_markdown(records)


def test_csv_keeps_both_apart():
    records, rows = [measured()], load()
    text = reported_forms.with_papers(records, rows, "csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    plain = list(csv.DictReader(io.StringIO(to_csv(records))))
    ours, theirs = lines[: len(plain)], lines[len(plain) :]
    assert [{k: line[k] for k in plain[0]} for line in ours] == plain, "to the last digit"
    assert len(theirs) == 302
    assert {(line["kind"], line["ranked"], line["rank"], line["group"]) for line in theirs} == {
        ("published", "False", "", "")
    }
    found = next(line for line in theirs if (line["model"], line["score"]) == ("PG2", "attrrec-5"))
    assert (found["value"], found["printed"], found["unit"], found["paper"]) == (
        "0.1356", "13.560", "percent", "Intr-Flow",
    )  # fmt: skip
    only = list(csv.DictReader(io.StringIO(reported_forms.with_papers([], rows, "csv", families=["structural"]))))
    assert {line["score"] for line in only} == {"pckh@0.5"}
    assert list(csv_frame(records).columns) == list(plain[0])


class Cells(HTMLParser):
    """Rows of the tables of class ``reported``."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = self.cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.inside = ("class", "reported") in attrs
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("td", "th"):
            self.cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data.strip()


def test_html_holds_them_below_the_boards(tmp_path: Path):
    rows = of("spgnet2021")
    page = to_html([measured()], papers=reported.reported(rows, [measured()]))
    cells = Cells(page).rows
    assert ["SPGNet", "published", "0.782", "12.243", "0.97", "0.2105"] in cells
    assert ["mine", "measured", "0.90", "3.25", "—", "—"] in cells
    assert page.index('class="board"') < page.index('id="papers"')
    assert 'id="papers"' not in to_html([measured()])
    alone = to_html([], papers=reported.reported(rows, []))
    assert len(Cells(alone).rows) == len(cells) - 1, "without any measured row"
    evil = rows[0].model_copy(update={"method": "<script>alert(1)</script>"})
    assert "<script>alert" not in to_html([], papers=reported.reported([evil], []))
    write([], tmp_path / "out", published=rows)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".html", ".csv", ".md", ".tex"}


def test_the_command(monkeypatch, capsys, tmp_path):
    code, out, _ = command(monkeypatch, capsys, "leaderboard", "--published")
    assert code == 0
    assert all(name in out for name in ("rate2020", "incarnation2021-market", "Intr-Flow"))
    code, out, _ = command(monkeypatch, capsys, "leaderboard", "--published", "--json")
    assert [json.loads(out)[0][key] for key in ("protocol", "numbers")] == ["rate2020", 32]
    write_record(measured(), tmp_path / "mine" / "record.json")
    words = ("leaderboard", tmp_path / "mine", "--protocol", "spgnet2021", "--published")
    code, out, _ = command(monkeypatch, capsys, *words)
    assert code == 0
    assert "published: as the paper prints it" in out and "12.243" in out and "measured" in out
    code, out, _ = command(monkeypatch, capsys, *words, "--json")
    both = json.loads(out)
    assert (len(both["records"]), len(both["published"])) == (1, 95)
    assert both["published"][0] == of("spgnet2021")[0].model_dump()
    code, out, error = command(monkeypatch, capsys, "leaderboard", "--published", "--protocol", "catwalk-v1")
    assert (code, out) == (2, "") and "there are some for" in error
