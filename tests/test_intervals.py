"""Intervals: they cover what they should, and a paired difference is narrower than an unpaired one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import (
    MAX_GROUPS,
    difference,
    jackknife_from,
    jackknife_score,
    leave_out,
    mean_score,
    ratio_band,
    ratio_score,
)
from fhpt_bench.types import Context, Score


def context(people: int, each: int = 1, seed: int = 0) -> Context:
    return context_of([f"p{i // each:04d}" for i in range(people * each)], seed)


def context_of(who: list[str], seed: int = 0) -> Context:
    ids = [str(i) for i in range(len(who))]
    return Context(pair_ids=ids, people=who, target_ids=ids, source_ids=ids, seed=seed)


def clustered(rng: np.random.Generator, people: int, each: int) -> NDArray[np.float64]:
    """Standard deviation 1 between people, 1 within."""
    return np.repeat(rng.normal(size=people), each) + rng.normal(size=people * each)


def test_mean_score_is_the_mean_with_sums_and_counts_by_person() -> None:
    values = np.array([1, 2, np.nan, 4, 8], np.float32)
    score = mean_score("ssim", values, context_of(["b", "a", "a", "b", "c"]), "higher")
    assert score.value == 15 / 4
    assert (score.pairs, score.excluded) == (4, 1)
    assert score.sums == (2, 5, 8)
    assert score.counts == (1, 2, 1)
    assert score.low is not None
    assert score.high is not None
    assert score.low <= score.value <= score.high
    assert Score.model_validate_json(score.model_dump_json()) == score


@pytest.mark.parametrize("seed", range(60))
def test_the_point_is_the_mean_and_lies_inside_its_interval_whatever_the_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    who = rng.choice(list("abcdefg"[: rng.integers(1, 8)]), count).tolist()
    drawn = [
        rng.normal(size=count),
        rng.choice([0.0, 1.0], count),
        10 ** rng.uniform(-6, 6, count),
        np.full(count, 0.1),
    ]
    values = np.where(rng.random(count) < rng.choice([0, 0.3, 0.95]), np.nan, drawn[seed % 4])
    score = mean_score("x", values, context_of(who), "lower")
    finite = np.array([v for v in values if not np.isnan(v)])
    assert (score.pairs, score.excluded) == (len(finite), len(values) - len(finite))
    if len(finite) == 0:
        assert score.value is None
        return
    assert score.value == pytest.approx(finite.mean(), rel=1e-9, abs=1e-6)
    assert sum(score.sums) / sum(score.counts) == pytest.approx(score.value, rel=1e-9, abs=1e-6)
    assert len(score.sums) == len(set(who))
    with_value = {w for w, v in zip(who, values, strict=True) if not np.isnan(v)}
    if len(with_value) == 1:
        assert score.low is None
    else:
        assert finite.min() - 1e-6 <= score.low <= score.value <= score.high <= finite.max() + 1e-6


def test_ratio_score_weighs_pairs_by_what_they_hold_and_leaves_out_those_that_hold_nothing() -> None:
    who = ["b", "a", "a", "b", "c"]
    score = ratio_score("kec", [1, 3, 0, 2, 0], [2, 6, 1, 2, 0], context_of(who), "higher")
    assert score.value == 6 / 11
    assert (score.sums, score.counts) == ((3, 3, 0), (7, 4, 0))
    assert (score.pairs, score.excluded) == (4, 1)
    nothing = ratio_score("kec", [0] * 5, [0] * 5, context_of(who), "higher", why="no hands")
    assert (nothing.value, nothing.unavailable, nothing.excluded) == (None, "no hands", 5)
    for wrong in ([1, 2], [1, 3, np.nan, 2, 0]):
        with pytest.raises(BenchError, match="kec"):
            ratio_score("kec", wrong, [1] * 5, context_of(who), "higher")


def test_a_mean_is_the_ratio_with_one_a_pair_and_the_interval_of_a_ratio_covers_its_truth() -> None:
    rng = np.random.default_rng(5)
    values = clustered(rng, 20, 3)
    assert ratio_score("x", values, np.ones(60), context(20, 3), "lower") == mean_score(
        "x", values, context(20, 3), "lower"
    )
    people, each, runs, hits = 32, 4, 400, 0
    for _ in range(runs):  # how many points a pair has goes with how good they are: a mean of pairs would be another
        shown = rng.integers(1, 22, people * each)
        right = rng.binomial(shown, 0.2 + 0.6 * (shown > 10))
        score = ratio_score("x", right, shown, context(people, each), "higher")
        hits += score.low <= (0.2 * 55 + 0.8 * 176) / 231 <= score.high
    assert 0.925 <= hits / runs <= 0.975


def test_a_band_is_the_interval_of_each_of_its_ratios() -> None:
    rng = np.random.default_rng(6)
    where, below = context(9, 4), rng.integers(0, 9, 36).astype(float)
    above = rng.random((36, 5)) * below[:, None]
    values, low, high = ratio_band(above, below, where)
    for k in range(5):
        score = ratio_score("x", above[:, k], below, where, "higher")
        assert (values[k], low[k], high[k]) == (score.value, score.low, score.high)


def test_mean_of_many_float32_values_is_taken_in_float64() -> None:
    values = np.full(100_000, 0.1, np.float32)
    assert mean_score("x", values, context(10, 10_000), "lower").value == pytest.approx(
        float(np.float32(0.1)), rel=1e-12
    )


def test_interval_of_a_mean_covers_clustered_gaussians_and_an_interval_over_pairs_would_not() -> None:
    rng = np.random.default_rng(1)
    people, each, runs = 32, 8, 600
    by_people, by_pairs = context(people, each), context(people * each)
    hits = naive = 0
    for _ in range(runs):
        values = clustered(rng, people, each)
        score, wrong = mean_score("x", values, by_people, "lower"), mean_score("x", values, by_pairs, "lower")
        hits += score.low <= 0 <= score.high
        naive += wrong.low <= 0 <= wrong.high
    assert 0.925 <= hits / runs <= 0.975
    assert naive / runs < 0.7


def test_jackknife_covers_a_ratio_of_clustered_gaussians() -> None:
    """A smooth statistic that is no mean: the standard deviation of people's means, true value sqrt(1 + 1/4)."""
    rng = np.random.default_rng(2)
    people, each, runs = 64, 4, 400
    where = context(people, each)
    hits = 0
    for _ in range(runs):
        means = clustered(rng, people, each).reshape(people, each).mean(1)
        score = jackknife_score("sd", lambda keep, m=means: m[np.unique(keep // each)].std(ddof=1), where, "neither")
        hits += score.low <= np.sqrt(1.25) <= score.high
    assert 0.92 <= hits / runs <= 0.98


def test_jackknife_of_a_mean_is_the_standard_error() -> None:
    values = np.random.default_rng(3).normal(size=40)
    score = jackknife_score("mean", lambda keep: values[keep].mean(), context(40), "neither")
    half = 2.0226909 * values.std(ddof=1) / np.sqrt(40)  # Student's t at 39 degrees
    assert score.value == pytest.approx(values.mean())
    assert (score.high - score.low) / 2 == pytest.approx(half, rel=1e-6)


def frechet(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.abs(np.linalg.eigvals(ca @ cb))).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(ca) + np.trace(cb) - 2 * root)


def test_frechet_distance_has_its_point_inside_the_jackknife_but_outside_a_percentile_bootstrap() -> None:
    rng = np.random.default_rng(4)
    people, each, dims = 24, 4, 40
    who = np.repeat(np.arange(people), each)
    a, b = rng.normal(size=(2, people * each, dims))
    score = jackknife_score("fid", lambda keep: frechet(a[keep], b[keep]), context(people, each), "lower")
    assert score.low < score.value < score.high
    draws = []
    for _ in range(100):
        rows = np.concatenate([np.flatnonzero(who == p) for p in rng.integers(people, size=people)])
        draws.append(frechet(a[rows], b[rows]))
    assert np.percentile(draws, 2.5) > score.value, "so a percentile bootstrap must not be used for it"


def test_jackknife_of_a_frechet_distance_covers_its_expectation() -> None:
    rng = np.random.default_rng(5)
    people, dims, runs = 60, 4, 150
    where = context(people)
    scores = []
    for _ in range(runs):
        a, b = rng.normal(size=(2, people, dims)) + np.array([[[1.0]], [[0.0]]])
        scores.append(jackknife_score("fid", lambda keep, a=a, b=b: frechet(a[keep], b[keep]), where, "lower"))
    expected = np.mean([s.value for s in scores])
    assert 0.90 <= np.mean([s.low <= expected <= s.high for s in scores]) <= 0.99


@pytest.mark.parametrize("kind", ["mean", "jackknife"])
def test_paired_difference_is_narrower_and_finds_what_unpaired_cannot(kind: str) -> None:
    rng = np.random.default_rng(6)
    where = context(32, 6)
    shared = clustered(rng, 32, 6)
    values = [shared + shift + 0.1 * rng.normal(size=len(shared)) for shift in (0.1, 0.0)]
    if kind == "mean":
        a, b = (mean_score("x", v, where, "higher") for v in values)
    else:
        a, b = (jackknife_score("x", lambda keep, v=v: v[keep].mean(), where, "higher") for v in values)
    found = difference(a, b)
    assert found.value == pytest.approx(a.value - b.value)
    assert found.low <= found.value <= found.high
    assert not found.tie
    assert found.high - found.low < 0.2 * (a.high - a.low)
    assert a.low < b.high, "the two intervals overlap, and yet the paired difference is not a tie"
    back = difference(b, a)
    assert (back.value, back.tie) == (-found.value, False)
    assert back.low == pytest.approx(-found.high, rel=0.05)


def test_models_that_differ_by_noise_only_tie_about_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    where, runs = context(32, 4), 400
    ties = 0
    for _ in range(runs):
        shared = clustered(rng, 32, 4)
        a, b = (mean_score("x", shared + clustered(rng, 32, 4), where, "higher") for _ in range(2))
        ties += difference(a, b).tie
    assert 0.92 <= ties / runs <= 0.98


def test_a_score_against_itself_is_a_tie_of_width_zero() -> None:
    score = mean_score("x", np.arange(12.0), context(4, 3), "lower")
    found = difference(score, score)
    assert (found.value, found.low, found.high, found.tie) == (0, 0, 0, True)


def test_the_interval_depends_on_the_seed_and_nothing_else() -> None:
    values = np.random.default_rng(8).normal(size=60)
    first, again = (mean_score("x", values, context(20, 3), "lower") for _ in range(2))
    other = mean_score("y", values, context(20, 3), "higher")
    assert first == again
    assert (other.low, other.high) == (first.low, first.high)
    assert mean_score("x", values, context(20, 3, seed=1), "lower").low != first.low


def test_equal_values_have_an_interval_of_width_zero_around_the_point() -> None:
    score = mean_score("x", np.full(30, 0.1), context(10, 3), "lower")
    assert score.low <= score.value <= score.high
    assert score.high - score.low < 1e-15


def test_one_person_has_a_value_and_no_interval() -> None:
    where = context(1, 5)
    mean = mean_score("x", np.arange(5.0), where, "lower")
    other = jackknife_score("x", lambda keep: float(len(keep)), where, "lower")
    for score in (mean, other):
        assert score.value is not None
        assert score.low is None
        assert score.high is None
        assert difference(score, score).tie


def test_people_without_a_value_do_not_count_as_people() -> None:
    values = np.full(12, np.nan)
    values[:3] = 1, 2, 3
    score = mean_score("x", values, context(4, 3), "lower")
    assert (score.value, score.low, score.pairs, score.excluded) == (2, None, 3, 9)


def test_no_value_at_all_is_unavailable_and_cannot_be_compared() -> None:
    where = context(3)
    none = mean_score("face", np.full(3, np.nan), where, "higher")
    assert (none.value, none.pairs, none.excluded) == (None, 0, 3)
    assert none.unavailable
    assert jackknife_score("fid", lambda keep: float("nan"), where, "lower").value is None
    with pytest.raises(BenchError, match="face has no value"):
        difference(mean_score("face", np.zeros(3), where, "higher"), none)


def test_infinite_or_too_few_values_are_refused() -> None:
    with pytest.raises(BenchError, match="psnr is infinite"):
        mean_score("psnr", [1.0, np.inf], context(2), "higher")
    with pytest.raises(BenchError, match="one row a pair"):
        mean_score("psnr", [1.0], context(2), "higher")
    with pytest.raises(BenchError, match="leave-one-out"):
        jackknife_from("fid", 1.0, [1.0], context(3), "lower")


def test_scores_of_other_people_or_another_kind_do_not_compare() -> None:
    few, many = (mean_score("x", np.arange(float(n)), context(n), "lower") for n in (3, 4))
    jack = jackknife_score("x", lambda keep: float(keep.mean()), context(3), "lower")
    for a, b in ((few, many), (few, jack)):
        with pytest.raises(BenchError, match="same people"):
            difference(a, b)


def test_many_people_are_merged_into_groups_that_keep_the_width() -> None:
    people = MAX_GROUPS * 5 + 7
    kept = leave_out(context(people, 2).people)
    assert len(kept) == MAX_GROUPS
    left = np.concatenate([np.setdiff1d(np.arange(people * 2), keep) for keep in kept])
    assert sorted(left) == list(range(people * 2)), "every pair is left out exactly once"
    values = np.random.default_rng(9).normal(size=people * 2)
    score = jackknife_score("mean", lambda keep: values[keep].mean(), context(people, 2), "lower")
    assert len(score.without) == MAX_GROUPS
    assert (score.high - score.low) / 4 == pytest.approx(values.std() / np.sqrt(people * 2), rel=0.3)
