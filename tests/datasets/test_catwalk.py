"""The shipped data set is what its card says, and a changed byte does not get past the loader."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fhpt_bench import BenchError
from fhpt_bench.datasets.catwalk import Catwalk, pairs
from fhpt_bench.datasets.catwalk.dataset import DATA
from fhpt_bench.datasets.skeletons import BODY18, CIHP20, FACE_ALIGN5, FACE_POINTS
from fhpt_bench.types import OUTSIDE, VISIBLE, Pair, Photo

Splits = dict[str, Catwalk]
COAT, UPPER, FACE = CIHP20.index("coat"), CIHP20.index("upper_clothes"), CIHP20.index("face")


def everyone(catwalk: Splits) -> list[Photo]:
    return [photo for split in catwalk.values() for photo in split.photos()]


@pytest.mark.parametrize(("split", "people", "count"), [("train", 96, 10752), ("val", 12, 120), ("test", 32, 600)])
def test_sizes(catwalk: Splits, split: str, people: int, count: int) -> None:
    data = catwalk[split]
    assert len({p.person for p in data.photos()}) == people
    assert len(data.photos()) == people * 16
    assert set(Counter(p.labels["outfit"] for p in data.photos()).values()) == {8}
    if split == "train":  # all valid pairs, at most 8 x 7 an outfit
        assert 0.9 * people * 2 * 56 <= len(data) <= people * 2 * 56
    else:
        assert len(data) == count
    assert data.card["pairs"] == len(data)
    assert data.card["sha256"] == hashlib.sha256((DATA / "manifest.json").read_bytes()).hexdigest()


def test_no_person_is_in_two_splits(catwalk: Splits) -> None:
    people = [{p.person for p in data.photos()} for data in catwalk.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 140
    assert len({p.id for p in everyone(catwalk)}) == 2240


def test_gender_and_skin_tone_are_balanced_by_design(catwalk: Splits) -> None:
    for split, men in (("train", 14), ("val", 2), ("test", 16)):
        people = {p.person: p.labels for p in catwalk[split].photos()}.values()
        assert Counter(labels["gender"] for labels in people)["men"] == men
        for gender in ("men", "women"):
            tones = Counter(labels["skin_tone"] for labels in people if labels["gender"] == gender)
            wanted = sum(tones.values()) // 6
            assert all(wanted <= tones[str(k)] <= wanted + 1 for k in range(1, 7))


def test_two_patterns_are_only_in_test(catwalk: Splits) -> None:
    seen = {s: {p.labels[k] for p in d.photos() for k in ("top_pattern", "bottom_pattern")} for s, d in catwalk.items()}
    assert seen["test"] - seen["train"] == {"dots", "camouflage"}
    assert seen["val"] <= seen["train"]
    worn = Counter(p.labels["top_pattern"] for p in catwalk["test"].photos())
    assert min(worn["dots"], worn["camouflage"]) >= 32


def test_small_enough_to_ship_and_lossless_in_test() -> None:
    files = [p for p in DATA.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 32e6
    assert max(p.stat().st_size for p in files) <= 12e6
    with zipfile.ZipFile(DATA / "test/te00.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".webp"):
                assert archive.read(name)[12:16] in (b"VP8L", b"VP8X"), name
    with zipfile.ZipFile(DATA / "train/tr000.zip") as archive:
        assert archive.read("o1-v1.webp")[12:16] == b"VP8 "


def test_every_file_is_the_manifests(catwalk: Splits) -> None:
    catwalk["test"].check()


def test_images_and_labels_agree(catwalk: Splits) -> None:
    for data in catwalk.values():
        for photo in data.photos()[::97]:
            image, parsing = photo.image, data.parsing(photo)
            assert image.shape == (256, 176, 3)
            assert image.dtype == np.uint8
            assert parsing.shape == (256, 176)
            assert parsing.max() < 20
            white = image.min(-1) > 245
            assert (white == (parsing == 0)).mean() > 0.9  # white clothes are white, too
            assert image[parsing == 0].mean() > 250
            labels = photo.labels
            assert all(isinstance(v, str) for v in labels.values())
            assert (labels["person"], labels["split"]) == (photo.person, data.split)
            assert photo.id.startswith(labels["outfit"] + "-v")


def test_left_and_right_are_the_persons_own(catwalk: Splits) -> None:
    photo = next(p for p in catwalk["test"].photos() if p.labels["stance"] == "front")
    x = dict(zip(BODY18, photo.pose.keypoints[:, 0], strict=True))
    assert x["r_shoulder"] < x["l_shoulder"]
    assert x["r_hip"] < x["l_hip"]
    assert x["r_eye"] < x["l_eye"]
    face = dict(zip(FACE_POINTS, photo.pose.face.points, strict=True))  # type: ignore[union-attr]
    assert face["mouth_right"][0] < face["mouth_left"][0]
    assert face["r_eye_outer"][0] < face["r_eye_inner"][0] < face["l_eye_inner"][0] < face["l_eye_outer"][0]
    assert face["nose_bridge"][1] < face["nose_tip"][1] < face["mouth_top"][1] < face["chin"][1]
    assert set(FACE_ALIGN5) < set(FACE_POINTS)


def test_hands_hang_on_the_wrists(catwalk: Splits) -> None:
    for photo in catwalk["test"].photos()[::41]:
        pose = photo.pose
        assert pose.hands is not None
        assert pose.hands_visible is not None
        for hand, wrist in ((0, BODY18.index("r_wrist")), (1, BODY18.index("l_wrist"))):
            torso = np.linalg.norm(pose.keypoints[1] - pose.keypoints[[8, 11]].mean(0))
            assert np.linalg.norm(pose.hands[hand, 0] - pose.keypoints[wrist]) < 0.15 * torso
            assert np.linalg.norm(pose.hands[hand] - pose.hands[hand, 0], axis=1).max() < 0.6 * torso


def test_points_outside_are_marked(catwalk: Splits) -> None:
    for photo in catwalk["test"].photos():
        pose = photo.pose
        inside = ((pose.keypoints > -0.6) & (pose.keypoints < [175.6, 255.6])).all(1)
        assert (inside >= (pose.visible != OUTSIDE)).all()
        assert ((pose.visible != OUTSIDE) >= ((pose.keypoints >= 0) & (pose.keypoints <= [175, 255])).all(1)).all()


def test_face_box_only_where_a_face_shows(catwalk: Splits) -> None:
    for photo in everyone(catwalk):
        face = photo.pose.face
        assert face is not None
        if photo.labels["view"] == "back":
            assert face.box is None
        if photo.labels["stance"] in ("front", "hands-folded", "both-hips"):
            assert face.box is not None
        if face.frontal:
            assert face.box is not None
            x0, y0, x1, y1 = face.box
            for name in (*FACE_ALIGN5, "mouth_top"):
                x, y = face.points[FACE_POINTS.index(name)]
                assert x0 - 1.5 <= x <= x1 + 1.5, (photo.id, name)
                assert y0 - 1.5 <= y <= y1 + 1.5, (photo.id, name)
            assert face.visible[FACE_POINTS.index("nose_tip")] == VISIBLE


def test_frontal_is_told_from_quarter_and_side(catwalk: Splits) -> None:
    share = Counter(p.labels["stance"] for p in everyone(catwalk) if p.pose.face and p.pose.face.frontal)
    total = Counter(p.labels["stance"] for p in everyone(catwalk))
    assert share["front"] > 0.95 * total["front"]
    assert share["side-left"] == share["side-right"] == share["back"] == 0


def test_shirt_and_tie_are_not_the_jacket(catwalk: Splits) -> None:
    suits = [p for p in everyone(catwalk) if p.labels["top"] == "suit jacket" and p.labels["stance"] == "front"]
    assert suits
    for photo in suits:
        data = catwalk[photo.labels["split"]]
        parsing, box = data.parsing(photo), photo.pose.face
        assert box is not None
        neck, hip = photo.pose.keypoints[1], photo.pose.keypoints[8:12:3].mean(0)
        middle = parsing[int(neck[1]) : int(0.7 * neck[1] + 0.3 * hip[1]), int(neck[0]) - 2 : int(neck[0]) + 3]
        assert (middle == UPPER).mean() > 0.5, photo.id
        assert (parsing == COAT).sum() > 3 * (parsing == UPPER).sum()


def test_pairs_are_of_one_outfit_and_stratified(catwalk: Splits) -> None:
    strata: Counter[tuple[str, str]] = Counter()
    names = set()
    for pair in (catwalk["test"][i] for i in range(600)):
        source, target = pair.source, pair.target
        assert source.labels["outfit"] == target.labels["outfit"]
        assert source.id != target.id
        assert pair.id == f"{source.id}_2_{target.id}"
        for photo in (source, target):
            assert (photo.pose.visible[[2, 5, 8, 11]] != OUTSIDE).all()
        strata[source.labels["gender"], pairs.change(source.labels, target.labels)] += 1
        names.add(pair.id)
    assert len(names) == 600
    assert set(strata.values()) == {100}


def test_the_pair_lists_are_the_seeds(catwalk: Splits) -> None:
    for split, count in (("val", 120), ("test", 600)):
        data = catwalk[split]
        notes = {p.id: {"labels": p.labels, "body_visible": p.pose.visible} for p in data.photos()}
        listed = [(data[i].source.id, data[i].target.id) for i in range(len(data))]
        assert pairs.choose(notes, count) == listed
        assert pairs.choose(notes, count, seed=1) != listed


def test_regions_part_the_target(catwalk: Splits) -> None:
    data, shown = catwalk["test"], Counter[str]()
    for i in range(0, 600, 25):
        pair = data[i]
        regions = data.regions(pair)
        assert (regions["foreground"] ^ regions["background"]).all()
        assert ((regions["visible"] | regions["occluded"]) == regions["foreground"]).all()
        assert not (regions["visible"] & regions["occluded"]).any()
        for name in ("face", "hands", "clothes"):
            assert not (regions[name] & regions["background"]).any()
        assert not (regions["face"] & regions["hands"]).any()
        assert regions["face"].any() == (pair.target.pose.face.box is not None)  # type: ignore[union-attr]
        shown.update({name: int(mask.sum()) for name, mask in regions.items()})
    assert 0.4 < shown["visible"] / shown["foreground"] < 0.8
    assert 0.005 < shown["hands"] / shown["foreground"] < 0.1


def test_flow_of_a_photograph_to_itself_stays_put(catwalk: Splits) -> None:
    for data in (catwalk["test"], catwalk["train"]):
        photo = data.photos()[3]
        flow, state = data.flow(photo, photo)
        person = data.parsing(photo) > 0
        assert ((state == 2) == ~person).all()
        assert (state[person] == 0).mean() > 0.97
        ys, xs = np.nonzero(state == 0)
        error = np.linalg.norm(flow[ys, xs] - np.stack([xs, ys], 1), axis=1)
        assert np.median(error) < 0.3
        assert np.percentile(error, 95) < 1.0


def test_the_exact_warp_of_a_photograph_to_itself_is_itself(catwalk: Splits) -> None:
    data = catwalk["test"]
    photo = data.photos()[0]
    warped = data.exact_warp(Pair("x", photo, photo))
    difference = np.abs(warped.astype(int) - photo.image)[data.parsing(photo) > 0]
    assert difference.mean() < 4
    assert (warped[data.parsing(photo) == 0] == 255).all()


def test_the_exact_warp_is_closer_than_the_source(catwalk: Splits) -> None:
    data, ours, copied = catwalk["test"], 0.0, 0.0
    for i in range(0, 600, 50):
        pair = data[i]
        seen = data.regions(pair)["visible"]
        ours += np.abs(data.exact_warp(pair).astype(int) - pair.target.image)[seen].mean()
        copied += np.abs(pair.source.image.astype(int) - pair.target.image)[seen].mean()
    assert ours < 0.4 * copied


def test_no_flow_between_outfits(catwalk: Splits) -> None:
    photos = catwalk["test"].photos()
    with pytest.raises(BenchError, match="te00-o1-v1, te00-o2-v1"):
        catwalk["test"].flow(photos[0], photos[8])


def test_photos_and_data_go_to_other_processes(catwalk: Splits) -> None:
    photo = catwalk["val"].photos()[5]
    assert (pickle.loads(pickle.dumps(photo)).image == photo.image).all()
    again = pickle.loads(pickle.dumps(catwalk["val"]))
    assert again[7].id == catwalk["val"][7].id
    assert (again.regions(again[0])["visible"] == catwalk["val"].regions(catwalk["val"][0])["visible"]).all()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """One person, as a data set of its own."""
    (tmp_path / "test").mkdir()
    shutil.copy(DATA / "test/te03.zip", tmp_path / "test/te03.zip")
    sha256 = json.loads((DATA / "manifest.json").read_text())["files"]["test/te03.zip"]
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "catwalk", "files": {"test/te03.zip": sha256}}))
    return tmp_path


def test_another_root(copy: Path) -> None:
    data = Catwalk("test", copy)
    assert {p.person for p in data.photos()} == {"te03"}
    assert len(data) == len(
        pairs.valid({p.id: {"labels": p.labels, "body_visible": p.pose.visible} for p in data.photos()})
    )


def test_a_changed_byte_is_found(copy: Path) -> None:
    path = copy / "test/te03.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BenchError, match=r"te03\.zip"):
        Catwalk("test", copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    data = Catwalk("test", copy)
    (copy / "test/te03.zip").unlink()
    with pytest.raises(BenchError, match=r"te03\.zip"):
        data.check()


def test_a_damaged_archive_with_a_right_hash_is_an_error_too(copy: Path) -> None:
    (copy / "test/te03.zip").write_bytes(b"not a zip")
    sha256 = hashlib.sha256(b"not a zip").hexdigest()
    (copy / "manifest.json").write_text(json.dumps({"files": {"test/te03.zip": sha256}}))
    with pytest.raises(BenchError, match="not a zip"):
        Catwalk("test", copy)


def test_wrong_splits_and_roots(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="train, val, test"):
        Catwalk("tset")
    with pytest.raises(BenchError, match="no train people"):
        Catwalk("train", copy)
    with pytest.raises(BenchError, match="manifest"):
        Catwalk("test", tmp_path / "nowhere")
