"""The face feature: against dlib and face_recognition themselves, and against Catwalk's annotation."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import ImageFile

from fhpt_bench import BenchError, features, weights
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.features.face import BOX, EMBEDDING, SCORE, WIDTH, enlarge, preference


@pytest.fixture(scope="module")
def photos():
    """Six frontal faces of six people, then two people from behind."""
    every = Catwalk("val").photos()
    first = {}
    for photo in every:
        if photo.pose.face.frontal:
            first.setdefault(photo.person, photo)
    return [*list(first.values())[:6], *[photo for photo in every if photo.labels["view"] == "back"][:2]]


@pytest.fixture(scope="module")
def images(photos):
    return np.stack([photo.image for photo in photos])


@pytest.fixture(scope="module")
def rows(images):
    return features.build("face[dlib]").extract(images)


def at_four_times(box: np.ndarray) -> tuple[int, ...]:
    """A row's box -> left, top, right, bottom in the image that was searched."""
    return tuple(np.rint((box + 0.5) * 4 - 0.5).astype(int).tolist())


def test_finds_the_annotated_faces_and_nobody_from_behind(photos, rows):
    assert rows.shape == (8, WIDTH) and rows.dtype == np.float32
    assert np.isnan(rows[6:]).all()
    assert not np.isnan(rows[:6]).any() and (rows[:6, SCORE] > 0).all()
    for photo, row in zip(photos[:6], rows, strict=False):
        true, found = np.array(photo.pose.face.box), row[BOX]
        overlap = np.clip(np.minimum(true[2:], found[2:]) - np.maximum(true[:2], found[:2]), 0, None).prod()
        union = (true[2:] - true[:2]).prod() + (found[2:] - found[:2]).prod() - overlap
        assert overlap / union > 0.5, photo.id


def test_a_row_depends_on_its_image_alone(images, rows):
    feature = features.build("face[dlib]")
    assert np.array_equal(feature.extract(images[[3, 7, 0]]), rows[[3, 7, 0]], equal_nan=True)
    assert np.array_equal(feature.extract(images[3:4]), rows[3:4])
    assert feature.extract(images[:0]).shape == (0, WIDTH)


def test_equals_dlib_called_by_hand(images, rows):
    import dlib

    align = dlib.shape_predictor(str(weights.get("dlib-5-points")))
    network = dlib.face_recognition_model_v1(str(weights.get("dlib-face")))
    for image, row in zip(images[:2], rows, strict=False):
        large = enlarge(image, 4)
        box = dlib.rectangle(*at_four_times(row[BOX]))
        assert box in list(dlib.get_frontal_face_detector()(large, 0))
        crop = dlib.get_face_chip(large, align(large, box), size=150, padding=0.25)
        assert np.array_equal(np.array(network.compute_face_descriptor(crop), np.float32), row[EMBEDDING])


def test_equals_face_recognition_bit_by_bit(images, rows):
    pytest.importorskip("face_recognition_models", reason="make extras")
    other = features.build("face[face_recognition]")
    assert np.array_equal(other.extract(images[4:7]), rows[4:7], equal_nan=True)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES, "the package turns it on for the whole process"
    import face_recognition

    left, top, right, bottom = at_four_times(rows[5, BOX])
    known = face_recognition.face_encodings(enlarge(images[5], 4), [(top, right, bottom, left)], model="small")
    assert np.array_equal(np.float32(known[0]), rows[5, EMBEDDING])
    files = {"dlib-face", "dlib-5-points"}
    assert all(weights.digest(name) in other.key for name in files), "the same model files"


def test_both_backends_are_cached_apart():
    pytest.importorskip("face_recognition_models", reason="make extras")
    assert features.build("face[dlib]").key != features.build("face[face_recognition]").key
    assert features.networks("face[dlib]") == ("dlib-face", "dlib-5-points")
    assert features.networks("face[face_recognition]") == ()


def test_of_several_faces_the_surest_then_the_largest():
    import dlib

    small, large = dlib.rectangle(0, 0, 9, 9), dlib.rectangle(50, 0, 69, 19)
    right, lower = dlib.rectangle(20, 0, 29, 9), dlib.rectangle(0, 20, 9, 29)
    for better, worse in (
        ((small, 1.0), (large, 0.9)),
        ((large, 1.0), (small, 1.0)),
        ((small, 1.0), (right, 1.0)),
        ((small, 1.0), (lower, 1.0)),
    ):
        assert max([better, worse], key=preference) is max([worse, better], key=preference) is better


def test_two_people_in_one_picture_give_the_surer_one(images):
    import dlib

    both = np.concatenate([images[0], images[1]], axis=1)
    found, scores, _ = dlib.get_frontal_face_detector().run(enlarge(both, 4), 0, 0.0)
    assert len(found) == 2
    row = features.build("face[dlib]").extract(both[None])[0]
    surest = found[int(np.argmax(scores))]
    assert at_four_times(row[BOX]) == (surest.left(), surest.top(), surest.right(), surest.bottom())
    assert row[SCORE] == np.float32(max(scores))


def test_small_and_large_pictures():
    feature = features.build("face")
    for height, width in ((1, 1), (64, 48), (1101, 40), (3000, 30)):
        assert np.isnan(feature.extract(np.full((1, height, width, 3), 255, np.uint8))).all()


@pytest.mark.parametrize("name", ["face[mmod]", "face[dlib,face_recognition]"])
def test_unknown_settings(name):
    with pytest.raises(BenchError, match="dlib"):
        features.build(name)


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_recognition_models", None)
    with pytest.raises(BenchError, match="make extras"):
        features.build("face[face_recognition]")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(BenchError, match="pip install dlib-bin"):
        features.build("face[dlib]")


def test_a_package_that_ends_the_process_ends_a_column_only(tmp_path, monkeypatch):
    (tmp_path / "face_recognition_models.py").write_text("")
    (tmp_path / "face_recognition.py").write_text(
        "from PIL import ImageFile\nImageFile.LOAD_TRUNCATED_IMAGES = True\nquit()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("face_recognition_models", "face_recognition"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(BenchError, match="make extras"):
        features.build("face[face_recognition]")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
