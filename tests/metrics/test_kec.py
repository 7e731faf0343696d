"""Keypoint error curves: areas and steps that shifts give by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from network_batches import context_for
from pose_batches import bare, batch, pose, some_points, take

from fhpt_bench import features, points
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.kec import ANCHORS, KEC, MISSING
from fhpt_bench.types import OCCLUDED, VISIBLE, Batch, Curve, Score

N = 6
PEOPLE = ["a", "a", "b", "b", "c", "c"]
PARTS = tuple(points.PARTS)


def measured(found: np.ndarray, exact: np.ndarray, on_truth: np.ndarray | None = None, visible=VISIBLE, **settings):
    """Scores and curves by name."""
    metric = KEC("kec", **settings)
    rows = metric.measure(batch([pose(xy, visible) for xy in exact], found, on_truth))
    assert rows.shape == (len(exact), metric.columns)
    assert rows.dtype == np.float32
    context = context_for(PEOPLE[: len(exact)])
    scores: dict[str, Score] = {score.name: score for score in metric.summarise(rows, context)}
    curves: dict[str, Curve] = {curve.name: curve for curve in metric.curves(rows, context)}
    return scores, curves


def test_the_truth_itself_is_1_everywhere() -> None:
    exact = some_points(N)
    scores, curves = measured(exact, exact)
    assert len(scores) == 3 * 3 * len(PARTS)
    assert {score.value for score in scores.values()} == {1}
    assert curves["kec[all]/body"].y == (0, *[1] * (ANCHORS - 1)), "no error is smaller than 0"


@pytest.mark.parametrize("shift", [(3, 4), (0, -5), (-4, 3)])
def test_a_shift_by_5_px_leaves_three_quarters_and_seven_eighths_for_hands(shift) -> None:
    exact = some_points(N)
    scores, _ = measured(exact + np.float32(shift), exact)
    for part in PARTS:
        area = 1 - 5 / (40 if "hand" in part else 20)
        for name in ("kec[all]", "kec[detected]", "kec[all,detector]"):
            assert scores[f"{name}/{part}"].value == pytest.approx(area, abs=1e-12), (name, part)
        assert scores[f"kec[all,floor]/{part}"].value == 1
        assert scores[f"points-found/{part}"].value == 1


def test_a_curve_steps_after_the_error_strictly() -> None:
    exact = some_points(N)
    _, curves = measured(exact + np.float32([3, 4]), exact)
    for part in ("body", "face", "right_hand", "left_hand"):
        curve = curves[f"kec[all]/{part}"]
        assert curve.x[-1] == (40 if "hand" in part else 20)
        assert [y for x, y in zip(curve.x, curve.y, strict=True) if x <= 5] == [0.0] * sum(x <= 5 for x in curve.x)
        assert {y for x, y in zip(curve.x, curve.y, strict=True) if x > 5} == {1.0}
        assert curve.weight == N * len(range(*points.PARTS[part].indices(90)))
        assert curve.x_label == "error, px"
    assert "kec[all,floor]/body" in curves
    assert "kec[all,detector]/body" not in curves, "the truth is known, so it is what is drawn"


def test_an_error_at_the_end_of_the_range_is_worth_nothing_and_beyond_it_no_less() -> None:
    exact = some_points(N)
    for shift in (20, 90):
        scores, curves = measured(exact + np.float32([shift, 0]), exact)
        assert scores["kec[all]/body"].value == 0
        assert curves["kec[all]/body"].y[-1] == 0
    assert scores["kec[all]/hands"].value == 0


def test_a_point_that_is_not_found_lowers_all_and_not_detected() -> None:
    exact = some_points(N)
    found = exact.copy()
    found[0, points.PARTS["right_hand"]] = np.nan
    found[1:3, points.PARTS["right_hand"].start] = np.nan  # the wrist of two more
    scores, curves = measured(found, exact)
    share = (6 * 21 - 21 - 2) / (6 * 21)
    assert scores["kec[detected]/right_hand"].value == 1
    assert scores["kec[all]/right_hand"].value == pytest.approx(share, abs=1e-12)
    assert scores["points-found/right_hand"].value == pytest.approx(share, abs=1e-12)
    assert scores["points-found/hands"].value == pytest.approx((1 + share) / 2, abs=1e-12)
    assert scores["kec[all]/left_hand"].value == 1
    assert curves["kec[all]/right_hand"].y[-1] == round(share, 4)
    assert curves["kec[detected]/right_hand"].y[-1] == 1
    assert scores["kec[detected]/right_hand"].pairs == 5
    assert scores["kec[all]/right_hand"].pairs == 6


def test_all_is_detected_times_found_and_pairs_weigh_by_their_points() -> None:
    rng = np.random.default_rng(3)
    exact = some_points(N)
    exact[0, 2:18] = np.nan  # one pair shows two body points only
    found = exact + rng.normal(0, 8, exact.shape).astype(np.float32)
    found[rng.random((N, 90)) < 0.3] = np.nan
    scores, _ = measured(found, exact)
    for part in PARTS:
        product = scores[f"kec[detected]/{part}"].value * scores[f"points-found/{part}"].value
        assert scores[f"kec[all]/{part}"].value == pytest.approx(product, abs=1e-12)
    distance = np.linalg.norm((found - exact)[:, :18].astype(float), axis=2)
    by_hand = [max(0.0, 1 - d / 20) if np.isfinite(d) else 0.0 for d in distance[np.isfinite(exact[:, :18, 0])]]
    assert len(by_hand) == 5 * 18 + 2
    assert scores["kec[all]/body"].value == pytest.approx(np.mean(by_hand), abs=1e-6)
    assert sum(scores["kec[all]/body"].counts) == len(by_hand)


def test_left_hand_found_in_the_place_of_the_right_is_wrong() -> None:
    exact = some_points(N)
    right, left, hands = (points.PARTS[part] for part in ("right_hand", "left_hand", "hands"))
    exact[:, right] = exact[:, right] % 20 + 20
    exact[:, left] = exact[:, right] + 80
    swapped = exact.copy()
    swapped[:, right], swapped[:, left] = exact[:, left], exact[:, right]
    scores, _ = measured(swapped, exact)
    assert scores["kec[all]/hands"].value == 0
    assert scores["points-found/hands"].value == 1
    assert scores["kec[all]/body"].value == 1
    assert not np.array_equal(exact[:, hands], swapped[:, hands])


def test_only_what_shows_counts_unless_asked_otherwise() -> None:
    exact = some_points(N)
    visible = np.full(90, VISIBLE, np.uint8)
    visible[9:18] = OCCLUDED
    found = exact.copy()
    found[:, 9:18] += 100
    assert measured(found, exact, visible=visible)[0]["kec[all]/body"].value == 1
    assert measured(found, exact, visible=visible, points="inside")[0]["kec[all]/body"].value == 0.5
    # Against the detector, what it found on the true image counts, whatever the truth says.
    assert measured(found, exact, visible=visible)[0]["kec[all,detector]/body"].value == 0.5


def test_floor_is_the_detectors_own_error_and_its_error_cancels_against_itself() -> None:
    exact = some_points(N)
    biased = exact + np.float32([0, 10])
    biased[:, points.PARTS["face"]] = np.nan
    scores, curves = measured(biased, exact, biased)
    assert scores["kec[all]/body"].value == scores["kec[all,floor]/body"].value == 0.5
    assert scores["kec[all,detector]/body"].value == 1
    assert scores["kec[all,floor]/body"].better == "neither"
    assert scores["points-found[floor]/face"].value == 0
    assert scores["kec[all]/face"].value == 0
    for name in ("kec[detected]/face", "kec[all,detector]/face", "points-found[detector]/face"):
        assert scores[name].value is None
        assert "mediapipe finds no point of the face" in scores[name].unavailable
    assert "kec[detected]/face" not in curves


def test_share_of_the_height_is_pixels_over_the_height() -> None:
    exact, found = some_points(N), some_points(N, 1)
    pixels, _ = measured(found, exact)
    share, curves = measured(found, exact, unit="height", reach=20 / 256)
    for name, score in pixels.items():
        assert share[name].value == pytest.approx(score.value, abs=1e-6)
    assert curves["kec[all]/body"].x_label == "error, share of the image's height"
    assert curves["kec[all]/body"].x[-1] == 20 / 256


def test_data_without_hands_and_face_says_so() -> None:
    exact = some_points(N)
    metric = KEC("kec")
    rows = metric.measure(batch([bare(xy) for xy in exact], exact, exact))
    scores = {score.name: score for score in metric.summarise(rows, context_for(PEOPLE))}
    assert scores["kec[all]/body"].value == 1
    for name in ("kec[all]/hands", "points-found/face", "kec[detected,floor]/left_hand"):
        assert scores[name].value is None
        assert "the data set gives no visible point of the" in scores[name].unavailable
    assert scores["kec[all,detector]/hands"].value == 1
    drawn = [curve.name for curve in metric.curves(rows, context_for(PEOPLE))]
    assert all(name.endswith("/body") for name in drawn)


def test_batches_cannot_matter() -> None:
    exact, found = some_points(N), some_points(N, 1)
    found[2, 5:60] = np.nan
    whole = batch([pose(xy) for xy in exact], found)
    metric = KEC("kec")
    alone = np.concatenate([metric.measure(take(whole, slice(i, i + 1))) for i in range(N)])
    np.testing.assert_array_equal(metric.measure(whole), alone)
    assert (alone[2, 5:60] == MISSING).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_lies_in_its_band_rises_and_holds_the_area(seed) -> None:
    rng = np.random.default_rng(seed)
    exact = some_points(N, seed)
    found = exact + rng.normal(0, 6, exact.shape).astype(np.float32) * rng.uniform(0.3, 2, (N, 1, 1)).astype(np.float32)
    found[rng.random((N, 90)) < 0.2] = np.nan
    scores, curves = measured(found, exact)
    for name, curve in curves.items():
        assert all(a <= b for a, b in zip(curve.y, curve.y[1:], strict=False))
        assert all(low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))
        x, y = np.array(curve.x), np.array(curve.y)
        drawn = np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)) / x[-1]
        # P rises, so trapezoids err by at most half a step of the grid times its whole rise.
        assert abs(drawn - scores[name].value) <= 0.5 * y[-1] / (ANCHORS - 1) + 1e-4, name
    moving = curves["kec[all]/body"]
    assert max(high - low for low, high in zip(moving.low, moving.high, strict=True)) > 0.05


def test_one_person_has_a_curve_and_no_band() -> None:
    exact = some_points(2)
    _, curves = measured(exact, exact)
    assert curves["kec[all]/body"].low == (None,) * ANCHORS
    assert curves["kec[all]/body"].y[-1] == 1


def test_against_the_detector_alone_needs_no_truth() -> None:
    exact = some_points(N)
    metric = KEC("kec[mmpose]", detector="mmpose", against="detector")
    assert metric.columns == 90
    assert metric.needs[0].feature == "pose[mmpose]"
    unknown = [bare(np.full((90, 2), np.nan, np.float32)) for _ in range(N)]
    rows = metric.measure(batch(unknown, exact, exact, feature="pose[mmpose]"))
    scores = metric.summarise(rows, context_for(PEOPLE))
    assert [s.name for s in scores[::5]] == ["kec[mmpose,all,detector]/body", "kec[mmpose,detected,detector]/body",
                                             "points-found[mmpose,detector]/body"]  # fmt: skip
    assert {s.value for s in scores} == {1}
    assert {c.name for c in metric.curves(rows, context_for(PEOPLE))} >= {"kec[mmpose,all,detector]/face"}


@pytest.mark.parametrize(
    "settings",
    [{"reach": 0}, {"reach": float("inf")}, {"reach": float("nan")}, {"unit": "mm"}, {"unit": "height"},
     {"against": "both"}, {"against": ()}, {"against": ("truth", "truth")}, {"points": "all"}, {"name": "keypoints"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings) -> None:
    with pytest.raises(BenchError):
        KEC(**{"name": "kec", **settings})


def test_mediapipe_follows_a_shift_and_a_mirror_image_scores_less() -> None:
    """The real detector on four true images: shifted by 6 px, points lie 6 px off where it found them before."""
    data = Catwalk("test")
    pairs = [data[i] for i in (0, 200, 400, 599)]
    target = np.stack([pair.target.image for pair in pairs])
    metric = KEC("kec")
    feature = metric.needs[0].feature
    detector = features.build(feature)
    try:
        on_truth = detector.extract(target)
        context = context_for([pair.target.person for pair in pairs])
        found = {}
        for name, generated in (("same", target), ("shift", np.roll(target, 6, 1)), ("mirror", target[:, :, ::-1])):
            rows = detector.extract(np.ascontiguousarray(generated))
            made = Batch(
                [pair.id for pair in pairs], generated, target, target, {},
                {(feature, "generated"): rows, (feature, "target"): on_truth}, pairs,
            )  # fmt: skip
            found[name] = {s.name: s.value for s in metric.summarise(metric.measure(made), context)}
    finally:
        detector.close()
    same, shift, mirror = (found[name] for name in ("same", "shift", "mirror"))
    assert same["kec[all]/body"] == same["kec[all,floor]/body"] > 0.6
    assert same["points-found/body"] > 0.8
    assert shift["kec[detected,detector]/body"] == pytest.approx(1 - 6 / 20, abs=0.05)
    assert mirror["kec[all]/body"] < same["kec[all]/body"] - 0.2
