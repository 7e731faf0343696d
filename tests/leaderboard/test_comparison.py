"""Two rows side by side, as the terminal prints them."""

from __future__ import annotations

import io
import re

import pytest
from many_rows import HEADLINE, NO_DETECTOR, NO_PAIR, many
from rich.console import Console

from fhpt_bench import compare
from fhpt_bench.leaderboard.comparison import comparison
from fhpt_bench.record import Record


def printed(a: Record, b: Record, width: int = 140, **options: bool) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    console.print(comparison(compare(a, b), ("first", a), ("[b]second[/b]", b), **options))
    return console.export_text()


@pytest.fixture(scope="module")
def rows() -> dict[str, Record]:
    return {record.model.name: record for record in many()}


def names(text: str) -> list[str]:
    return re.findall(r"^  ?([a-z][a-z-]+[\w@\[\],./=-]*)  ", text, re.M)


def test_headline_first_in_the_families_order(rows: dict[str, Record]) -> None:
    text = printed(rows["drn"], rows["patn"])
    shown = [name for group in HEADLINE.values() for name in group if name != "kec[all]/left_hand"]
    assert [name for name in names(text) if name != "score"] == shown
    assert [text.index(title) for title in ("Perceptual", "Structural", "Semantic")] == sorted(
        text.index(title) for title in ("Perceptual", "Structural", "Semantic")
    )
    assert "a = first   b = [b]second[/b]" in text
    total = len(rows["drn"].scores)
    assert f"{total - len(shown) - 1} more scores: --all" in text
    everything = printed(rows["drn"], rows["patn"], everything=True)
    assert "--all" not in everything
    assert "map[resnet,other-views]/top_pattern=dots" in everything


def test_what_is_lacking_says_why_once(rows: dict[str, Record]) -> None:
    text = printed(rows["drn"], rows["drn-with-a-very-long-name-indeed"])
    assert text.count(NO_DETECTOR) == 1
    assert f"{NO_DETECTOR}: a and b (kec[all]/left_hand)" in text
    assert f"{NO_PAIR}: b (attrrec-5)" in text
    (line,) = [line for line in text.splitlines() if re.match(r"\s*attrrec-5", line)]
    assert line.split()[1:] == [f"{rows['drn'].score('attrrec-5').value:.4f}", "\u2014"]


def test_numbers_are_those_of_compare_and_are_never_cut(rows: dict[str, Record]) -> None:
    a, b = rows["drn"], rows["patn"]
    table = compare(a, b).set_index("score")
    for width in (80, 140):
        text = printed(a, b, width)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        for name in (name for group in HEADLINE.values() for name in group if name != "kec[all]/left_hand"):
            row = table.loc[name]
            numbers = (
                rf"{row['a']:.4f} +{row['b']:.4f} +{row['difference']:.4f} +{row['low']:.4f} \.\. {row['high']:.4f}"
            )
            assert re.search(numbers.replace("+-", "+-?") + rf" +{row['verdict']}", text), name


def test_a_plain_headline_has_no_families(records: list[Record]) -> None:
    text = printed(records[0], records[1])
    assert "Perceptual" not in text
    assert "ssim[gauss1.5]/foreground" in text
    assert "ms-ssim" not in text
