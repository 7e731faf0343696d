"""OpenPose's folders: read as OpenPose writes them, found again by content, refused where they are not its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from fhpt_bench import detectors, features, points
from fhpt_bench.datasets.skeletons import BODY18, FACE_POINTS
from fhpt_bench.detectors import openpose
from fhpt_bench.errors import BenchError

SIZE = (64, 48)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    images, jsons = tmp_path / "images", tmp_path / "json"
    images.mkdir()
    jsons.mkdir()
    return images, jsons


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def numbers(count: int, *, start: float = 1.0, confidence: float = 0.5) -> list[float]:
    """x = start + i, y = 2 + i of point i, in the image while start + i < 48."""
    return [value for i in range(count) for value in (start + i % 40, 2.0 + i % 40, confidence)]


def person(**parts: list[float]) -> dict[str, Any]:
    """As OpenPose 1.7 writes one: every list is there, and empty for what was not looked for."""
    names = ("pose", "face", "hand_left", "hand_right")
    lists = {f"{name}_keypoints_{d}d": parts.get(name, []) if d == 2 else [] for name in names for d in (2, 3)}
    return {"person_id": [-1], **lists}


def write(folders: tuple[Path, Path], people: list[dict[str, Any]], name: str = "a", seed: int = 0) -> np.ndarray:
    image = picture(seed)
    Pillow.fromarray(image).save(folders[0] / f"{name}.png")
    (folders[1] / f"{name}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return image


def look_up(image: np.ndarray) -> np.ndarray:
    return features.build("pose[openpose-json]").extract(image[None])[0]


def test_a_person_with_everything(folders: tuple[Path, Path]) -> None:
    body = numbers(25)
    body[3 * 4 : 3 * 5] = [0, 0, 0]  # the right wrist was not found
    image = write(
        folders,
        [person(pose=body, face=numbers(70), hand_left=numbers(21, start=10), hand_right=numbers(21, start=20))],
    )
    assert openpose.take_in(folders[1], folders[0]).startswith("1 images, 1 with a person; 1 in ")
    places, confidence = (a[0] for a in points.unpack(look_up(image)))
    at = {name: places[i].tolist() for i, name in enumerate(BODY18)}
    assert at["nose"] == [1, 2] and at["r_hip"] == [10, 11] and at["l_ear"] == [19, 20]  # BODY_25's 0, 9, 18
    assert np.isnan(at["r_wrist"]).all() and confidence[BODY18.index("r_wrist")] == 0
    assert places[points.PARTS["right_hand"]][0].tolist() == [20, 2]
    assert places[points.PARTS["left_hand"]][0].tolist() == [10, 2]
    face = places[points.PARTS["face"]]
    assert face[FACE_POINTS.index("nose_tip")].tolist() == [31, 32]  # point 30
    assert face[FACE_POINTS.index("l_eye_bottom")].tolist() == [(7 + 8) / 2, (8 + 9) / 2]  # points 46 and 47
    assert confidence[0] == pytest.approx(0.5)


def test_the_older_body_of_18(folders: tuple[Path, Path]) -> None:
    image = write(folders, [person(pose=numbers(18))])
    openpose.take_in(folders[1], folders[0])
    places, confidence = (a[0] for a in points.unpack(look_up(image)))
    np.testing.assert_array_equal(places[:18], np.array(numbers(18)).reshape(18, 3)[:, :2])
    assert (confidence[18:] == 0).all()


def test_of_several_people_the_surest(folders: tuple[Path, Path]) -> None:
    few = person(pose=numbers(18, start=5, confidence=0.9)[:15] + [0.0] * 39)
    surest = person(pose=numbers(18, start=7, confidence=0.4), face=numbers(70, confidence=0.4))
    image = write(folders, [few, surest, person(pose=numbers(18, start=3, confidence=0.45))])
    openpose.take_in(folders[1], folders[0])
    assert look_up(image)[0] == 7


def test_nobody_is_nothing_found(folders: tuple[Path, Path]) -> None:
    image = write(folders, [])
    assert "0 with a person" in openpose.take_in(folders[1], folders[0])
    np.testing.assert_array_equal(look_up(image), points.pack())


def test_found_by_content_whatever_the_name(folders: tuple[Path, Path], tmp_path: Path) -> None:
    first = write(folders, [person(pose=numbers(18, start=3))], "a", seed=0)
    second = write(folders, [person(pose=numbers(18, start=9))], "b", seed=1)
    openpose.take_in(folders[1], folders[0])
    # Another folder with the names changed over: a lookup by name would give the other's points.
    both = features.build("pose[openpose-json]").extract(np.stack([second, first, second]))
    assert both[:, 0].tolist() == [9, 3, 9]
    changed = first.copy()
    changed[0, 0, 0] ^= 1
    with pytest.raises(BenchError, match=r"number 1 of its batch.*\n.*\n.*fhpt-bench data detections openpose"):
        features.build("pose[openpose-json]").extract(np.stack([first, changed]))


def test_taken_in_twice_adds_and_replaces_and_changes_the_key(folders: tuple[Path, Path], tmp_path: Path) -> None:
    first = write(folders, [person(pose=numbers(18, start=3))], "a", seed=0)
    openpose.take_in(folders[1], folders[0])
    key = features.build("pose[openpose-json]").key
    openpose.take_in(folders[1], folders[0])
    assert features.build("pose[openpose-json]").key == key
    write(folders, [person(pose=numbers(18, start=4))], "a", seed=0)
    second = write(folders, [person(pose=numbers(18, start=5))], "b", seed=1)
    assert "2 in" in openpose.take_in(folders[1], folders[0])
    assert (look_up(first)[0], look_up(second)[0]) == (4, 5)
    assert features.build("pose[openpose-json]").key != key


BODY = numbers(18)
BAD = {
    "not JSON": ("{", "not readable as JSON"),
    "not UTF-8": (b"\xff\xfe{", "not readable as JSON"),
    "a list": ("[]", "no list `people`"),
    "no people": ('{"version": 1.3}', "no list `people`"),
    "people of another kind": ('{"people": [1]}', "no list `people`"),
    "a person of an older version": ('{"people": [{"pose_keypoints": []}]}', "no list `people`"),
    "too short": (json.dumps({"people": [person(pose=BODY[:-1])]}), "not a list of 54 or 75 numbers"),
    "15 points": (json.dumps({"people": [person(pose=BODY[:45])]}), "not a list of 54 or 75 numbers"),
    "a hand of 20": (json.dumps({"people": [person(pose=BODY, hand_left=numbers(20))]}), "hand_left_keypoints_2d"),
    "words": (json.dumps({"people": [person(pose=["a"] * 54)]}), "not a list of 54 or 75 numbers"),
    "nested": (json.dumps({"people": [person(pose=[[1.0], [2.0, 3.0]])]}), "not a list of 54 or 75 numbers"),
    "NaN": (json.dumps({"people": [person(pose=[float("nan")] * 54)]}), "not a list of 54 or 75 numbers"),
    "shares": (json.dumps({"people": [person(pose=[0.4, 0.5, 0.9] * 18)]}), "shares, not pixels"),
    "of a larger image": (json.dumps({"people": [person(pose=[60.0, 9.0, 0.9] * 18)]}), "outside the image of 48x64"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_openpose_did_not_write(folders: tuple[Path, Path], kind: str, cache: Path) -> None:
    content, said = BAD[kind]
    write(folders, [person(pose=BODY)], "a", seed=0)
    write(folders, [], "b", seed=1)
    (folders[1] / "b_keypoints.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BenchError, match=said) as caught:
        openpose.take_in(folders[1], folders[0])
    assert str(caught.value.where).endswith("b_keypoints.json")
    assert not (cache / "detections").exists()  # nothing half taken in


def test_files_that_are_missing(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no image"):
        openpose.take_in(folders[1], folders[0])
    with pytest.raises(BenchError, match="no such folder"):
        openpose.take_in(folders[1], tmp_path / "nowhere")
    write(folders, [])
    (folders[1] / "a_keypoints.json").unlink()
    with pytest.raises(BenchError, match="OpenPose's file for an image is missing"):
        openpose.take_in(folders[1], folders[0])
    write(folders, [])
    Pillow.fromarray(picture(1)).save(folders[0] / "a.bmp")
    with pytest.raises(BenchError, match="two images are called a"):
        openpose.take_in(folders[1], folders[0])


def test_nothing_taken_in_and_a_damaged_store(cache: Path) -> None:
    with pytest.raises(BenchError, match=r"no OpenPose detections were taken in(.|\n)*data detections openpose"):
        detectors.build("openpose-json")
    store = cache / "detections" / "openpose.npz"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(BenchError, match="not readable"):
        detectors.build("openpose-json")


def test_the_command(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    from fhpt_bench.cli import app

    image = write(folders, [person(pose=BODY)])
    command = ["data", "detections", "openpose", str(folders[1]), "--images", str(folders[0])]
    app(command, standalone_mode=False)
    assert capsys.readouterr().out.startswith("1 images, 1 with a person")
    assert look_up(image)[0] == 1
    command[2] = "alphapose"
    with pytest.raises(BenchError, match="'alphapose' cannot be read"):
        app(command, standalone_mode=False)
