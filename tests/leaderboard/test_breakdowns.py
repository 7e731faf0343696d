"""A score over groups of pairs: which lines, on which axis."""

from __future__ import annotations

import pytest
from made_up_rows import make_record
from many_rows import GROUPS, NO_PAIR, many

from fhpt_bench.leaderboard.breakdowns import breakdowns
from fhpt_bench.leaderboard.view import boards
from fhpt_bench.types import Score


def test_lines_are_all_pairs_and_every_group_in_the_records_order() -> None:
    board = boards(many())[0]
    found = {each.key: each for each in breakdowns(board, board.of("semantic"))}
    assert list(found) == ["top_pattern", "top_colour", "presentation", "source_face", "skin_tone"]
    split = found["source_face"].splits[0]
    assert split.column.whole == "gender-error[vgg]"
    assert [(line.whole, board.columns[line.place].name) for line in split.lines] == [
        (True, "gender-error[vgg]"),
        (False, "gender-error[vgg]/source_face=shown"),
        (False, "gender-error[vgg]/source_face=hidden"),  # though the headline names this one
    ]
    assert [line.group for line in found["presentation"].splits[0].lines[1:]] == ["men", "women", "balanced"]
    assert [line.group for line in found["skin_tone"].splits[0].lines[1:]] == list(GROUPS["skin_tone"])
    assert breakdowns(board, board.of("perceptual")) == ()
    assert breakdowns(board, board.of("structural")) == ()


def test_a_group_without_a_pair_keeps_its_line_and_says_why() -> None:
    board = boards(many())[0]
    tones = next(each for each in breakdowns(board, board.of("semantic")) if each.key == "skin_tone")
    assert tones.reasons == {NO_PAIR: 1}
    assert set(tones.splits[0].lines[6].strips) == {None}
    assert None not in tones.splits[0].lines[5].strips


def record(name: str, **values: tuple[float, float, float] | None) -> object:
    def score(group: str, span: tuple[float, float, float] | None) -> Score:
        if span is None:
            return Score(name=group, value=None, better="lower", pairs=0, unavailable="no such network")
        return Score(name=group, value=span[1], low=span[0], high=span[2], better="lower", pairs=9)

    scores = [score("x" if group == "all" else f"x/light={group}", span) for group, span in values.items()]
    return make_record(name, scores, headline={"semantic": ("x",)})


def test_one_axis_for_all_lines_and_rows() -> None:
    rows = [
        record("a", all=(1, 2, 3), day=(3, 4, 5), night=None),
        record("b", all=(0, 1, 2), day=None, night=(8, 9, 10)),
    ]
    board = boards(rows)[0]
    (found,) = breakdowns(board, board.of("semantic"))
    spans = {
        (board.rows[k].name, line.group): span for line in found.splits[0].lines for k, span in enumerate(line.strips)
    }
    assert spans["a", "night"] is spans["b", "day"] is None
    unit = 1 / (10 * 1.08)  # 0..10 and a margin of 4 % on both sides
    margin = 0.4 * unit
    for key, (low, value, high) in {("a", ""): (1, 2, 3), ("a", "day"): (3, 4, 5), ("b", "night"): (8, 9, 10)}.items():
        assert spans[key] == pytest.approx([margin + unit * v for v in (low, value, high)])


def test_a_score_that_no_row_has_is_no_table() -> None:
    board = boards([record("a", all=None, day=None, night=None)])[0]
    assert breakdowns(board, board.of("semantic")) == ()
