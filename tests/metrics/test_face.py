"""Face identity: by mathematics on embeddings made by hand, and a real run over a few photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_batches import context_for

from fhpt_bench import BenchError, features
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.features.face import BOX, EMBEDDING, SCORE, WIDTH
from fhpt_bench.generators import Stranger
from fhpt_bench.metrics.face import FaceIdentity, equal_error, verification
from fhpt_bench.types import Batch, Context, PhotoRows, Prompt

METRIC = FaceIdentity("face")
NONE = None


def face(*at: float) -> np.ndarray:
    """A row whose embedding begins with ``at``: distances are those of the plane."""
    row = np.zeros(WIDTH, np.float32)
    row[: len(at)] = at
    row[BOX], row[SCORE] = (1, 2, 3, 4), 0.5
    return row


def rows_of(*places: float | None) -> np.ndarray:
    return np.stack([np.full(WIDTH, np.nan, np.float32) if x is None else face(x) for x in places])


def batch_of(generated, target, source) -> Batch:
    roles = {"generated": generated, "target": target, "source": source}
    images = np.zeros((len(generated), 2, 2, 3), np.uint8)
    found = {("face[dlib]", role): rows_of(*places) for role, places in roles.items()}
    return Batch([str(i) for i in range(len(generated))], images, images, images, {}, found)


def scores_of(generated, target, source, context: Context | None = None) -> dict:
    rows = METRIC.measure(batch_of(generated, target, source))
    context = context or context_for([str(i) for i in range(len(rows))])
    return {score.name: score for score in METRIC.summarise(rows, context)}


def validated(places, people) -> PhotoRows:
    ids = [str(i) for i in range(len(people))]
    return PhotoRows(rows_of(*places), ids, list(people), [{}] * len(people))


def test_distances_are_euclidean():
    batch = batch_of([0], [0], [0])
    batch.features["face[dlib]", "generated"][0] = face(3, 0, 12)
    batch.features["face[dlib]", "source"][0] = face(0, 4, 0)
    assert METRIC.measure(batch)[0].tolist() == [np.float32(153**0.5), 13, 4, 1, 1]


def test_boxes_and_detector_scores_do_not_matter():
    batch = batch_of([0.2], [0.5], [0.9])
    before = METRIC.measure(batch)
    batch.features["face[dlib]", "generated"][:, 128:] = 99
    assert np.array_equal(METRIC.measure(batch), before)


def test_means_and_shares():
    # distance to target .1 .65 .9 - - ; to source .5 .05 - .2 -
    found = scores_of([0.1, 0.65, 0.9, 0.2, NONE], [0, 0, 0, NONE, 0], [0.6, 0.7, NONE, 0, 0])
    expected = {
        "face-distance[target]": (0.55, 3), "face-distance[source]": (0.25, 3),
        "face-distance[truth]": ((0.6 + 0.7 + 0) / 3, 3),
        "face-same@0.6[target]": (1 / 3, 3), "face-same@0.7[target]": (2 / 3, 3),
        "face-same@0.6[source]": (1, 3), "face-same@0.7[source]": (1, 3),
        "face-same@0.6[target,all]": (1 / 4, 4), "face-same@0.7[target,all]": (2 / 4, 4),
        "face-found": (3 / 4, 4),
    }  # fmt: skip
    for name, (value, pairs) in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-6), name
        assert (found[name].pairs, found[name].excluded) == (pairs, 5 - pairs), name


def test_a_threshold_is_not_below_itself():
    rows = np.array([[0.6, 0.6, 0.6, 1, 1]], np.float64)
    exact = {s.name: s.value for s in METRIC.summarise(rows, context_for(["a"]))}
    assert exact["face-same@0.6[target]"] == 0 and exact["face-same@0.7[target]"] == 1


def test_a_vanished_face_never_raises_the_share_of_all():
    rng = np.random.default_rng(3)
    target = [0.0 if shown else NONE for shown in rng.random(60) < 0.8]
    generated = list(rng.uniform(0, 1.2, 60))
    last = scores_of(generated, target, target)
    for i in np.argsort(generated)[::-1]:  # the worst face vanishes first, as in a model that blurs what it cannot do
        generated[i] = NONE
        now = scores_of(generated, target, target)
        for name in ("face-same@0.6[target,all]", "face-same@0.7[target,all]", "face-found"):
            assert now[name].value <= last[name].value, name
            assert now[name].pairs == last[name].pairs, name
        if now["face-distance[target]"].value is not None and len([g for g in generated if g is not None]) > 30:
            assert now["face-distance[target]"].value <= last["face-distance[target]"].value, "the trap of the mean"
        last = now
    assert last["face-found"].value == 0 and last["face-same@0.6[target,all]"].value == 0
    assert last["face-distance[target]"].value is None and "face" in last["face-distance[target]"].unavailable


def test_perfect_and_copied():
    target, source = [0.1, 0.2, NONE], [0.5, NONE, 0.3]
    perfect, copied = scores_of(target, target, source), scores_of(source, target, source)
    assert perfect["face-distance[target]"].value == 0 and perfect["face-found"].value == 1
    assert perfect["face-same@0.6[target,all]"].value == 1
    assert copied["face-distance[source]"].value == 0, "by construction"
    assert copied["face-distance[target]"].value == perfect["face-distance[source]"].value
    assert copied["face-distance[truth]"] == perfect["face-distance[truth]"]


def test_nobody_in_the_truth():
    found = scores_of([0.1, 0.2], [NONE, NONE], [NONE, NONE])
    for name in ("face-found", "face-same@0.6[target,all]", "face-distance[target]", "face-distance[truth]"):
        assert found[name].value is None and found[name].unavailable and found[name].excluded == 2, name


def test_batches_do_not_matter():
    whole = batch_of([0.1, NONE, 0.3], [0, 0, NONE], [0.5, 0.5, 0.5])
    rows = METRIC.measure(whole)
    for i in range(3):
        one = {key: found[i : i + 1] for key, found in whole.features.items()}
        part = replace(whole, ids=[str(i)], features=one)
        assert np.array_equal(METRIC.measure(part)[0], rows[i], equal_nan=True)


def test_verification_pairs_every_two_photographs():
    same, different = verification(validated([0, 0.3, NONE, 1], "aaab"))
    assert same == pytest.approx([0.3]) and sorted(different) == pytest.approx([0.7, 1.0])


@pytest.mark.parametrize(
    ("same", "different", "threshold", "error"),
    [
        ([0.1, 0.2], [0.6, 0.9], 0.4, 0),  # apart: the middle of the gap
        ([0.1, 0.2, 0.3, 0.7], [0.4, 0.8, 0.9, 1.0], 0.55, 0.25),  # one of four is wrong either way
        ([0.9, 1.0], [0.1, 0.2], 0.55, 1),  # the wrong way round
        ([0.5], [0.5], 0.5, 0.5),
    ],
)
def test_equal_error_by_hand(same, different, threshold, error):
    found = equal_error(np.array(same), np.array(different))
    assert found == (pytest.approx(threshold), pytest.approx(error))


def test_equal_error_against_scikit_learn():
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(1)
    same, different = rng.normal(0.35, 0.1, 700), rng.normal(0.65, 0.1, 4000)
    threshold, error = equal_error(same, different)
    assert equal_error(rng.permutation(same), rng.permutation(different)) == (threshold, error)
    alike, missed, _ = roc_curve([1] * 700 + [0] * 4000, -np.concatenate([same, different]), drop_intermediate=False)
    at = np.argmin(np.abs(alike - (1 - missed)))
    assert error == pytest.approx((alike[at] + 1 - missed[at]) / 2, abs=1e-12)
    assert threshold == pytest.approx(0.5, abs=0.01), "equal spreads meet in the middle"
    assert abs((different < threshold).mean() - (same >= threshold).mean()) <= 1 / 700


def test_the_validation_people_set_the_threshold():
    photos = validated([0, 0.2, 1.0, 1.2, NONE], "aabbb")
    asked = []
    context = replace(context_for(["x", "y", "z"]), validation=lambda name: asked.append(name) or photos)
    found = scores_of([0.4, 0.6, NONE], [0, 0, 0], [0.4, 0, 0], context)
    assert asked == ["face[dlib]"]
    assert found["face-eer-threshold"].value == pytest.approx(0.5) and found["face-eer"].value == 0
    assert found["face-eer-threshold"].pairs == 6, "of five photographs four show a face"
    assert found["face-eer-threshold"].better == found["face-eer"].better == "neither"
    assert found["face-same@eer[target]"].value == 0.5 and found["face-same@eer[source]"].value == 0.5
    assert found["face-same@eer[target,all]"].value == pytest.approx(1 / 3)


def refuse(_: str) -> PhotoRows:
    raise BenchError("market1501 has no validation photographs", fix="use a fixed threshold")


@pytest.mark.parametrize(
    ("validation", "why"),
    [
        (None, "no validation photographs"),
        (refuse, "market1501 has no validation"),
        (lambda _: validated([0, 1], "ab"), "the same person"),
        (lambda _: validated([0, 1], "aa"), "different people"),
        (lambda _: validated([NONE, NONE], "ab"), "the same person"),
    ],
)
def test_without_validation_people_only_their_columns_go(validation, why):
    found = scores_of([0.1], [0], [0.2], replace(context_for(["x"]), validation=validation))
    lost = [score for score in found.values() if score.value is None]
    assert [score.name for score in lost] == [
        "face-same@eer[target]", "face-same@eer[source]", "face-same@eer[target,all]", "face-eer-threshold", "face-eer",
    ]  # fmt: skip
    assert all(why in score.unavailable for score in lost)
    context = replace(context_for(["x"]), validation=lambda _: validated([0, 0.1, 1], "aab"))
    with_all = scores_of([0.1], [0], [0.2], context)
    assert list(with_all) == list(found), "the same columns, in the same order"
    assert {n: s.better for n, s in with_all.items()} == {n: s.better for n, s in found.items()}


def test_the_other_backend_has_its_own_columns():
    metric = FaceIdentity("face[face_recognition]", backend="face_recognition")
    assert metric.needs[0].feature == "face[face_recognition]"
    names = [score.name for score in metric.summarise(np.zeros((1, 5), np.float32), context_for(["x"]))]
    assert names[0] == "face-distance[face_recognition,target]" and "face-found[face_recognition]" in names
    with pytest.raises(BenchError, match="dlib, face_recognition"):
        FaceIdentity("face", backend="insightface")


def test_real_people_and_strangers():
    data, val = Catwalk("test"), Catwalk("val")
    pairs = [data[i] for i in range(len(data)) if data[i].source.pose.face.frontal and data[i].target.pose.face.frontal]
    pairs = pairs[:: len(pairs) // 6][:6]
    photos = [photo for photo in val.photos() if photo.pose.face.frontal and photo.id.endswith(("v1", "v2", "v3"))][:18]
    feature = features.build(METRIC.feature)

    def seen(images):
        return feature.extract(np.stack(images))

    true = {role: [getattr(pair, role).image for pair in pairs] for role in ("target", "source")}
    known = {role: seen(images) for role, images in true.items()}
    stranger = Stranger(data).generate([Prompt(pair.id, pair.source, pair.target.pose, 0) for pair in pairs])
    calibration = PhotoRows(seen([p.image for p in photos]), [p.id for p in photos], [p.person for p in photos], [])
    context = replace(context_for([pair.target.person for pair in pairs]), validation=lambda _: calibration)

    def scores(generated):
        batch = batch_of([0] * len(pairs), [0] * len(pairs), [0] * len(pairs))
        roles = {"generated": generated, **known}
        rows = METRIC.measure(replace(batch, features={("face[dlib]", role): found for role, found in roles.items()}))
        return {score.name: score.value for score in METRIC.summarise(rows, context)}

    truth, copied, other = scores(known["target"]), scores(known["source"]), scores(seen(stranger))
    assert truth["face-distance[target]"] == 0 and copied["face-distance[source]"] == 0
    assert copied["face-distance[target]"] == truth["face-distance[source]"] < other["face-distance[target]"] - 0.1
    assert 0.3 < truth["face-eer-threshold"] < 0.6, "rendered people are closer together than photographed ones"
    assert truth["face-same@eer[source]"] > other["face-same@eer[source]"] + 0.4
    assert not np.isnan(known["target"][:, EMBEDDING]).any(), "all six are frontal"
