"""Where the marks of the drawings stand."""

from __future__ import annotations

import pytest
from made_up_rows import make_record

from fhpt_bench.leaderboard.plots import axis, plot, strips, ticks
from fhpt_bench.leaderboard.view import Board, boards
from fhpt_bench.types import Score


def board(values: dict[str, tuple[float, float, float]], reference: tuple[str, ...] = ()) -> Board:
    rows = [
        make_record(
            name,
            [Score(name="x", value=value, low=low, high=high, better="lower", pairs=9)],
            kind="reference" if name in reference else "model",
            headline=["x"],
        )
        for name, (low, value, high) in values.items()
    ]
    return boards(rows)[0]


def test_marks_keep_order_and_proportion() -> None:
    found = plot(board({"a": (1, 2, 3), "b": (3, 4, 5)}), 0)
    assert found is not None
    a, b = found.marks
    assert (a.row.name, b.row.name) == ("a", "b")
    assert a.low < a.at < a.high == pytest.approx(b.low)
    assert b.at - a.at == pytest.approx(2 * (a.at - a.low))
    assert found.band == (a.low, a.high)
    assert a.best
    assert not b.best


def test_a_reference_far_away_does_not_squeeze_the_models() -> None:
    values = {"a": (10.0, 11.0, 12.0), "b": (11.0, 12.0, 13.0), "blank": (300.0, 301.0, 302.0)}
    squeezed = plot(board(values), 0)
    fair = plot(board(values, ("blank",)), 0)
    assert squeezed is not None
    assert fair is not None
    assert squeezed.marks[1].at < 0.1  # three models: nobody is left out
    assert fair.marks[1].at > 0.5
    assert [mark.off for mark in fair.marks] == ["", "", "right"]
    assert strips(board(values, ("blank",)))[2][0] == (1.0, 1.0, 1.0)


def test_one_row_alone_needs_no_plot_but_has_an_axis() -> None:
    alone = board({"a": (2.0, 2.0, 2.0)})
    assert plot(alone, 0) is None
    low, high = axis(alone, 0)
    assert low < 2 < high


@pytest.mark.parametrize("limits", [(0.0, 1.0), (0.7812, 0.8391), (-0.0005, 0.02), (6.0, 380.0), (1e-7, 2e-7)])
def test_ticks_are_few_round_and_inside(limits: tuple[float, float]) -> None:
    found = ticks(*limits)
    assert 2 <= len(found) <= 5
    for place, text in found:
        assert 0 <= place <= 1
        value = float(text.replace("\u2212", "-"))
        assert value == pytest.approx(
            limits[0] + place * (limits[1] - limits[0]), abs=1e-6 * (limits[1] - limits[0]) + 1e-12
        )
