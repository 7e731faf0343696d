"""95 % intervals over people, and differences between two models over the same people.

Pairs share people, so pairs are not independent: the unit that is resampled is always the person. A mean over pairs
gets a percentile bootstrap. Anything else (a Frechet distance, a kernel distance, an area under a curve) gets the
delete-one-person jackknife, because resampling with replacement repeats images, and a distance between distributions
that repeat themselves is biased upwards: a percentile bootstrap of FID leaves out its own point estimate.

An interval says what another draw of people from the same population would change. It leaves out what another training
run, another draw of noise or another evaluator network would; and it is about the expected score at this number of
pairs, so it does not cover the bias that FID has at small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Context, Score

REPLICATES = 2000
MAX_GROUPS = 64
"""The jackknife leaves out at most this many groups of people in turn; beyond it people are merged, round robin."""

Better = Literal["higher", "lower", "neither"]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Difference:
    """How much two scores differ over the same people: ``a - b``, and its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    tie: bool
    """The interval holds 0, or there is none because there is only one person: the two cannot be told apart."""


def mean_score(
    name: str, values: ArrayLike, context: Context, better: Better, *, why: str = "no pair has a value"
) -> Score:
    """The mean of one value a pair, with a percentile bootstrap over people.

    values: N, the unit and range of the metric; NaN means excluded, and is counted. value = mean over the other pairs,
    in float64. Interval: ``REPLICATES`` draws of the people with replacement, each the ratio of their sums to their
    counts, seeded by ``context.seed`` and nothing else; the percentiles are widened for the number of people as
    Hesterberg's expanded percentile interval does ("What Teachers Should Know About the Bootstrap", The American
    Statistician 69(4), 2015), without which 95 % would be 94 % at 32 people and 89 % at 8. None of the people has a
    value: ``unavailable``, for the reason ``why``. One person: no interval. Raises BenchError if the values are not
    one a pair, or infinite.
    """
    data = np.asarray(values, np.float64)
    has = ~np.isnan(data)
    return ratio_score(name, np.where(has, data, 0), has, context, better, why=why)


def ratio_score(
    name: str,
    numerators: ArrayLike,
    denominators: ArrayLike,
    context: Context,
    better: Better,
    *,
    why: str = "no pair has a value",
) -> Score:
    """A ratio of sums over all pairs, so that a pair counts as much as it holds: the interval of ``mean_score``.

    numerators, denominators: N; the sum and the number of whatever a pair holds (points, say), finite, the number 0
    where it holds none: such pairs are excluded, and counted. value = sum of all numerators / sum of all denominators,
    in float64; nothing to divide by: ``unavailable``, for the reason ``why``. Raises BenchError if they are not one a
    pair, or not finite.
    """
    above, below = (np.asarray(each, np.float64) for each in (numerators, denominators))
    for each in (above, below):
        _check(name, each, context)
    sums, counts = _by_person(above, context), _by_person(below, context)
    pairs = int(np.count_nonzero(below))
    if not pairs:
        return _unavailable(name, better, len(below), why)
    value = float(sums.sum() / counts.sum())
    low, high = _percentiles(value, _bootstrap(sums, counts, context.seed), int(np.count_nonzero(counts)))
    return Score(
        name=name,
        value=value,
        low=low,
        high=high,
        better=better,
        pairs=pairs,
        excluded=len(below) - pairs,
        sums=tuple(sums.tolist()),
        counts=tuple(counts.tolist()),
    )


def ratio_band(
    numerators: Floats, denominators: Floats, context: Context
) -> tuple[list[float], list[float | None], list[float | None]]:
    """A curve of K ratios over one denominator, each with the interval of ``ratio_score``: values, lows, highs.

    numerators: N x K; denominators: N, not all 0. The same draws of people serve all K, and every score of the seed.
    """
    counts = _by_person(denominators, context)
    columns = [_by_person(column, context) for column in numerators.T]
    values = [float(sums.sum() / counts.sum()) for sums in columns]
    people = int(np.count_nonzero(counts))
    bounds = [
        _percentiles(value, _bootstrap(sums, counts, context.seed), people)
        for value, sums in zip(values, columns, strict=True)
    ]
    return values, [low for low, _ in bounds], [high for _, high in bounds]


def _check(name: str, data: Floats, context: Context) -> None:
    if data.shape != (len(context.people),):
        raise BenchError(
            f"{name}: {data.shape} values for {len(context.people)} pairs", fix="a metric gives one row a pair"
        )
    if not np.isfinite(data).all():
        at = context.pair_ids[int(np.flatnonzero(~np.isfinite(data))[0])]
        raise BenchError(
            f"{name} is infinite", where=at, fix="a metric gives finite numbers, or NaN where a pair has no value"
        )


def _by_person(data: Floats, context: Context) -> Floats:
    """Sums over the pairs of each person, in sorted order of person ids."""
    people, member = np.unique(np.asarray(context.people), return_inverse=True)
    sums: Floats = np.bincount(member, data, len(people)).astype(np.float64)
    return sums


def leave_out(people: Sequence[str]) -> list[Indices]:
    """The rows to keep when each person (or group of people, beyond ``MAX_GROUPS``) is left out in turn.

    people: the person of each pair. Person k in sorted order belongs to group k modulo ``MAX_GROUPS``. What a metric
    that computes its leave-one-out values itself (sums updated, not summed again) must follow for ``jackknife_from``.
    """
    names, member = np.unique(np.asarray(people), return_inverse=True)
    groups = min(len(names), MAX_GROUPS)
    return [np.flatnonzero(member % groups != group) for group in range(groups)]


def jackknife_score(
    name: str, estimate: Callable[[Indices], float], context: Context, better: Better, *, excluded: int = 0
) -> Score:
    """Any statistic of the pairs, with a delete-one-person jackknife: see ``jackknife_from``.

    estimate: indices of the pairs to keep, ascending -> the statistic over them. Called once with all, then once a
    group. excluded: how many pairs the statistic leaves out by its own rule; only reported.
    """
    value = float(estimate(np.arange(len(context.people))))
    kept = leave_out(context.people)
    without = [float(estimate(keep)) for keep in kept] if len(kept) > 1 else []
    return jackknife_from(name, value, without, context, better, excluded=excluded)


def jackknife_from(
    name: str, value: float, without: Sequence[float], context: Context, better: Better, *, excluded: int = 0
) -> Score:
    """A statistic and its leave-one-out values, one for each entry of ``leave_out(context.people)``, as a Score.

    Interval: value +- t * sqrt((G-1)/G * sum((without - mean)^2)) (Efron and Tibshirani, An Introduction to the
    Bootstrap, Eq. 11.5), with Student's t at G - 1 degrees, which is 1.96 where people are many and honest where they
    are few. A value that is not finite is ``unavailable``. No interval where there is one group only, or where leaving
    one out leaves nothing to measure. Raises BenchError if ``without`` has the wrong length.
    """
    if not np.isfinite(value):
        return _unavailable(name, better, excluded, "too few pairs have a value")
    groups = min(len(set(context.people)), MAX_GROUPS)
    if len(without) not in ({groups} if groups > 1 else {0, 1}):
        raise BenchError(
            f"{name}: {len(without)} leave-one-out values for {groups} groups of people",
            fix="one for each of leave_out()",
        )
    low, high = _jackknife_bounds(value, np.asarray(without, np.float64))
    return Score(
        name=name,
        value=value,
        low=low,
        high=high,
        better=better,
        pairs=len(context.people) - excluded,
        excluded=excluded,
        without=tuple(float(v) for v in without) if low is not None else None,
    )


def difference(a: Score, b: Score, seed: int = 0) -> Difference:
    """``a - b`` with its 95 % interval, paired: both scores see the same draw of people, so what people share cancels.

    Both scores must come from the same data set and limit (the caller compares hashes), and both from ``mean_score``
    or both from the jackknife. Raises BenchError where one has no value, or where the people of the two do not match.
    """
    for score in (a, b):
        if score.value is None:
            raise BenchError(
                f"{score.name} has no value: {score.unavailable or 'unknown reason'}",
                fix="compare scores that both models have",
            )
    assert a.value is not None
    assert b.value is not None
    value = a.value - b.value
    if _people(a) != _people(b):
        raise BenchError(
            f"{a.name} and {b.name} are not over the same people ({_people(a)} against {_people(b)})",
            fix="compare two runs of one protocol, data set and --limit",
        )
    low: float | None = None
    high: float | None = None
    if a.sums is not None and a.counts is not None and b.sums is not None and b.counts is not None:
        draws = _bootstrap(np.array(a.sums), np.array(a.counts), seed) - _bootstrap(
            np.array(b.sums), np.array(b.counts), seed
        )
        both = np.count_nonzero(np.minimum(a.counts, b.counts))
        low, high = _percentiles(value, draws, int(both))
    elif a.without is not None and b.without is not None:
        low, high = _jackknife_bounds(value, np.array(a.without) - np.array(b.without))
    return Difference(value, low, high, tie=low is None or high is None or low <= 0 <= high)


def _people(score: Score) -> str:
    if score.sums is not None:
        return f"{len(score.sums)} people, means"
    return f"{len(score.without)} groups, jackknife" if score.without is not None else "no people kept"


def _unavailable(name: str, better: Better, excluded: int, why: str) -> Score:
    return Score(name=name, value=None, better=better, pairs=0, excluded=excluded, unavailable=why)


@lru_cache(maxsize=4)
def _draws(people: int, seed: int) -> Floats:
    """REPLICATES x people: how often each person is drawn. The same for every score: so are comparisons paired."""
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn: Floats = generator.multinomial(people, np.full(people, 1 / people), REPLICATES).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def _bootstrap(sums: Floats, counts: Floats, seed: int) -> Floats:
    """REPLICATES means; NaN where the people drawn have no value at all."""
    drawn = _draws(len(sums), seed)
    # Not a matrix product: BLAS adds in an order that depends on the machine and its threads.
    totals, numbers = (np.einsum("rp,p->r", drawn, each, optimize=False) for each in (sums, counts))
    means: Floats = np.divide(totals, numbers, out=np.full(len(drawn), np.nan), where=numbers > 0)
    return means


def _percentiles(value: float, draws: Floats, people: int) -> Bounds:
    if people < 2:
        return None, None
    draws = draws[~np.isnan(draws)]
    tail = ndtr(-np.sqrt(people / (people - 1)) * stdtrit(people - 1, 0.975))
    low, high = np.quantile(draws, [tail, 1 - tail])
    # Where all draws are equal, rounding may put the point a last bit outside.
    return min(float(low), value), max(float(high), value)


def _jackknife_bounds(value: float, without: Floats) -> Bounds:
    groups = len(without)
    if groups < 2 or not np.isfinite(without).all():
        return None, None
    error = np.sqrt((groups - 1) / groups * np.square(without - without.mean()).sum())
    half = float(stdtrit(groups - 1, 0.975) * error)
    return value - half, value + half
