"""Who is ranked against whom, and who is tied: on numbers whose answer is known."""

from __future__ import annotations

import pytest
from made_up_rows import HEADLINE, context, make_record, make_scores

from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import difference, mean_score
from fhpt_bench.leaderboard import table, wide
from fhpt_bench.leaderboard.table import standings
from fhpt_bench.record import Record
from fhpt_bench.types import Score


def plain(name: str, value: float | None, better: str = "higher", **more: object) -> Score:
    return Score(name=name, value=value, better=better, pairs=10, **more)


def test_ranks_follow_the_direction_and_leave_out_references(records: list[Record]) -> None:
    frame = table(records)
    for name, better in (("ssim[gauss1.5]", "higher"), ("lpips[alex]", "lower"), ("kid", "lower")):
        rows = frame[frame["score"] == name]
        models = rows[rows["kind"] == "model"].sort_values("value", ascending=better == "lower")
        assert list(models["rank"]) == [1, 2, 3]
        assert list(models["best"]) == [True, False, False]
        assert rows[rows["kind"] != "model"]["rank"].isna().all()
        assert not rows[rows["kind"] != "model"]["best"].any()


def test_a_reference_that_wins_takes_nothing_from_the_best_model() -> None:
    rows = [make_record("m", [plain("x", 0.5)]), make_record("truth", [plain("x", 1.0)], kind="oracle")]
    assert [(s.rank, s.best) for s in standings(rows, "x")] == [(1, True), (None, False)]


def test_equal_values_share_a_rank_and_both_are_best() -> None:
    rows = [make_record(n, [plain("x", v)]) for n, v in (("a", 0.5), ("b", 0.5), ("c", 0.4))]
    assert [(s.rank, s.best) for s in standings(rows, "x")] == [(1, True), (1, True), (3, False)]


def test_no_rank_without_a_value_or_a_direction() -> None:
    rows = [
        make_record("a", [plain("x", None, unavailable="no face found"), plain("y", 1.0, "neither")]),
        make_record("b", [plain("x", 0.1), plain("y", 2.0, "neither")]),
    ]
    assert [s.rank for s in standings(rows, "x")] == [None, 1]
    assert [s.rank for s in standings(rows, "y")] == [None, None]
    assert [s.rank for s in standings(rows, "z")] == [None, None]


def test_tied_is_exactly_the_paired_difference(records: list[Record]) -> None:
    frame = table(records)
    by_name = {record.model.name: record for record in records}
    seen = set()
    for name in ("ssim[gauss1.5]", "lpips[alex]", "fid"):
        rows = frame[(frame["score"] == name) & (frame["kind"] == "model")]
        best = rows[rows["best"]]["model"].item()
        for row in rows[~rows["best"]].itertuples():
            expected = difference(by_name[best].score(name), by_name[row.model].score(name)).tie
            assert row.tied == expected
            seen.add((row.model, bool(row.tied)))
    assert ("patn", False) in seen  # well below
    assert any(tied for _, tied in seen)


def test_intervals_that_overlap_are_no_tie_when_the_pairs_agree() -> None:
    over = context()
    low = [0.1 * (k % 7) for k in range(len(over.people))]
    rows = [
        make_record("a", [mean_score("x", [v + 0.01 + 0.001 * (k % 3) for k, v in enumerate(low)], over, "higher")]),
        make_record("b", [mean_score("x", low, over, "higher")]),
    ]
    a, b = rows[0].score("x"), rows[1].score("x")
    assert a.low is not None
    assert b.high is not None
    assert a.low < b.high  # the intervals overlap
    assert [s.tied for s in standings(rows, "x")] == [False, False]  # and still b is worse on every pair


def test_published_rows_are_ranked_and_their_ties_unknown() -> None:
    rows = [make_record(n, [plain("x", v)], people=0) for n, v in (("a", 0.780), ("b", 0.779))]
    assert [(s.rank, s.tied) for s in standings(rows, "x")] == [(1, False), (2, None)]


@pytest.mark.parametrize("other", [{"protocol": "e" * 64}, {"data": "e" * 64}, {"limit": 20}])
def test_what_must_not_be_compared_is_in_another_group(other: dict[str, object]) -> None:
    scores = make_scores(0.5)
    frame = table([make_record("a", scores), make_record("b", scores, **other), make_record("c", make_scores(0.1))])
    assert dict(zip(frame["model"], frame["group"], strict=True)) == {"a": 0, "b": 1, "c": 0}
    ssim = frame[frame["score"] == "ssim[gauss1.5]"].set_index("model")
    assert list(ssim.loc[["a", "c"], "rank"]) == [1, 2]
    if "limit" in other:
        assert frame[frame["model"] == "b"]["rank"].isna().all()
        assert not frame[frame["model"] == "b"]["ranked"].any()
    else:
        assert ssim.loc["b", "rank"] == 1  # alone in its own table


def test_split_separates_too() -> None:
    first = make_record("a", make_scores(0.5))
    second = first.model_copy(update={"data": first.data.model_copy(update={"split": "val"})})
    assert set(table([first, second])["group"]) == {0, 1}


def test_wide_has_a_row_a_record_and_the_headline_first(records: list[Record]) -> None:
    values = wide(table(records))
    assert tuple(values.columns[:6]) == HEADLINE
    assert len(values) == len(records)
    drn = values.xs("drn", level="model").iloc[0]
    assert drn["fid"] == records[0].score("fid").value


def test_two_rows_of_one_name_stay_two() -> None:
    rows = [make_record("drn", make_scores(0.5, seed)) for seed in (1, 2)]
    assert len(wide(table(rows))) == 2


def test_no_record_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BenchError, match="fhpt-bench run"):
        table([])
