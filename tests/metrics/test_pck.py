"""PCKh and PCK against a slow computation of our own, and steps that shifts give by arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from network_batches import context_for
from pose_batches import bare, batch, pose, some_points, take

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.pck import HEAD, PCK, PCKh
from fhpt_bench.types import OCCLUDED, VISIBLE

N = 6
PEOPLE = ["a", "a", "b", "b", "c", "c"]


def value(metric: PCK, found, exact, visible=VISIBLE, on_truth=None, score=0):
    rows = metric.measure(batch([pose(xy, visible) for xy in exact], found, on_truth))
    assert rows.shape == (len(exact), metric.columns)
    return metric.summarise(rows, context_for(PEOPLE[: len(exact)]))[score]


def with_head(xy: np.ndarray, width: float = 20, height: float = 40) -> np.ndarray:
    """Neck below, ears left and right: a box of that size."""
    xy = xy.copy()
    xy[:, HEAD] = (80, 60)
    xy[:, 1] = (80, 60 + height)
    xy[:, 16, 0], xy[:, 17, 0] = 80 - width / 2, 80 + width / 2
    return xy


@pytest.mark.parametrize(
    ("shift", "right"),
    [((0, 0), 1), ((9, 19), 1), ((10, 0), 0), ((0, 20), 0), ((-9, -19), 1), ((-10, 0), 0), ((0, 19), 1), ((9, 21), 0)],
)
def test_pckh_is_strict_on_each_axis(shift, right) -> None:
    exact = with_head(some_points(N))
    assert value(PCKh("pckh@0.5"), exact + np.float32(shift), exact).value == right


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("against", ["truth", "detector"])
def test_pckh_against_a_slow_computation(seed, against) -> None:
    rng = np.random.default_rng(seed)
    exact = some_points(N, seed)
    exact[rng.random((N, 90)) < 0.4] = np.nan
    exact[0, list(HEAD[1:])] = np.nan  # one head point only: no box
    seen = rng.integers(1, 3, (N, 90)).astype(np.uint8)
    found = some_points(N, seed + 100) * 0.3 + 0.7 * some_points(N, seed)
    found[rng.random((N, 90)) < 0.2] = np.nan
    metric = PCKh("pckh@0.5", against=against)
    rows = metric.measure(
        batch([pose(xy, v) for xy, v in zip(exact, seen, strict=True)], found.astype(np.float32), exact)
    )
    right = total = skipped = 0
    for i in range(N):
        head = [exact[i, j] for j in HEAD if not math.isnan(exact[i, j, 0])]
        if len(head) < 2:
            skipped += 1
            continue
        w = max(float(p[0]) for p in head) - min(float(p[0]) for p in head)
        h = max(float(p[1]) for p in head) - min(float(p[1]) for p in head)
        for j in range(18):
            if math.isnan(exact[i, j, 0]) or (against == "truth" and seen[i, j] != VISIBLE):
                continue
            total += 1
            x, y = (float(np.float32(v)) for v in found[i, j])
            right += abs(x - exact[i, j, 0]) < 0.5 * w and abs(y - exact[i, j, 1]) < 0.5 * h
    score = metric.summarise(rows, context_for(PEOPLE))[0]
    assert score.value == pytest.approx(right / total, abs=1e-12)
    assert 0 < right < total
    assert score.excluded >= skipped >= 1
    assert sum(score.counts) == total


def test_a_point_that_is_not_found_is_wrong_and_the_floor_is_the_detectors_own() -> None:
    exact = with_head(some_points(N))
    found = exact.copy()
    found[:, 4:7] = np.nan
    assert value(PCKh("pckh@0.5"), found, exact).value == pytest.approx(15 / 18)
    assert value(PCKh("pckh@0.5"), found, exact, score=1).value == 1
    floor = value(PCKh("pckh@0.5"), exact, exact, on_truth=found, score=1)
    assert floor.value == pytest.approx(15 / 18)
    assert (floor.name, floor.better) == ("pckh@0.5[floor]", "neither")


def test_mirrored_joints_are_wrong() -> None:
    exact = with_head(some_points(N))
    exact[:, 2:5, 0], exact[:, 5:8, 0] = 30, 130
    exact[:, 2:5, 1] = exact[:, 5:8, 1]
    mirrored = exact.copy()
    mirrored[:, 2:5], mirrored[:, 5:8] = exact[:, 5:8], exact[:, 2:5]
    assert value(PCKh("pckh@0.5"), mirrored, exact).value == pytest.approx(12 / 18)


def test_pck_is_strict_at_its_length() -> None:
    exact = some_points(N)
    exact[:, :18] = (60, 100)
    exact[:, 2], exact[:, 11] = (50, 80), (80, 120)  # box 30 x 40, torso 50
    cases = (("box", 0.25, 10), ("torso", 0.25, 12.5), ("height", 0.0625, 16))
    for of, alpha, limit in cases:
        metric = PCK(f"pck@{alpha:g}", alpha=alpha, of=of)
        for angle in ((1, 0), (0, -1), (0.6, 0.8)):
            inside, outside = ((limit + d) * np.array(angle, np.float32) for d in (-0.01, 0.01))
            assert value(metric, exact + inside, exact).value == 1, (of, angle)
            assert value(metric, exact + outside, exact).value == 0, (of, angle)
        assert value(metric, exact + np.float32([limit, 0]), exact).value == 0, "at the limit is not nearer"


def test_the_length_is_taken_from_hidden_points_too_and_only_seen_ones_are_judged() -> None:
    exact = some_points(N)
    exact[:, :18] = (60, 100)
    exact[:, 2], exact[:, 11] = (50, 80), (80, 120)
    visible = np.full(90, VISIBLE, np.uint8)
    visible[[2, 11]] = OCCLUDED
    found = exact + np.float32([9, 0])
    found[:, [2, 11]] = np.nan
    for of in ("box", "torso"):
        score = value(PCK("pck@0.25", alpha=0.25, of=of), found, exact, visible)
        assert score.value == 1
        assert sum(score.counts) == N * 16
    assert value(PCK("pck@0.25", alpha=0.25, points="inside"), found, exact, visible).value == pytest.approx(16 / 18)


def test_pairs_without_the_length_are_excluded_and_counted() -> None:
    exact = some_points(N)
    exact[:, 1:18] = np.nan
    exact[2:, 2:18] = some_points(N)[2:, 2:18]
    exact[3, 11] = np.nan
    for metric, excluded in ((PCK("pck@0.1", of="torso"), 3), (PCK("pck@0.1"), 2), (PCK("pck@0.1", of="height"), 0)):
        score = value(metric, exact, exact)
        assert (score.value, score.excluded) == (1, excluded)
    nobody = value(PCKh("pckh@0.5"), exact[:2], exact[:2])
    assert nobody.value is None
    assert "do not show enough of a body" in nobody.unavailable


def test_batches_cannot_matter_and_a_bare_body_is_enough() -> None:
    exact, found = some_points(N), some_points(N, 1)
    found[3, 2:9] = np.nan
    whole = batch([bare(xy) for xy in exact], found)
    for metric in (PCKh("pckh@0.5"), PCK("pck@0.1")):
        alone = np.concatenate([metric.measure(take(whole, slice(i, i + 1))) for i in range(N)])
        np.testing.assert_array_equal(metric.measure(whole), alone)


@pytest.mark.parametrize(
    "make",
    [lambda: PCKh("pckh@0.5", alpha=0.4), lambda: PCK("pck"), lambda: PCK("pck@0", alpha=0),
     lambda: PCK("pck@0.1", of="head"), lambda: PCKh("pckh@0.5", of="box"), lambda: PCK("pck@0.1", against="both"),
     lambda: PCK("pck@0.1", points="all")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(BenchError):
        make()
