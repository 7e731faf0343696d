"""MediaPipe as a detector: exact truth, one image at a time, quiet, closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

from fhpt_bench import detectors, points
from fhpt_bench.datasets.skeletons import BODY18_FLIP, FACE_POINTS
from fhpt_bench.detectors import mediapipe as module
from fhpt_bench.errors import BenchError
from fhpt_bench.types import VISIBLE, Photo


@pytest.fixture(scope="module")
def rows(mediapipe: detectors.Detector, pixels: np.ndarray) -> np.ndarray:
    return mediapipe.detect(pixels)


def test_finds_the_true_points(rows: np.ndarray, photos: list[Photo]) -> None:
    places, confidence = points.unpack(rows)
    truth, visible = (np.stack(a) for a in zip(*(points.truth(p.pose) for p in photos), strict=True))
    error = np.linalg.norm(places - truth, axis=2)
    error[visible != VISIBLE] = np.nan
    for part, most in (("body", 4.0), ("hands", 2.5), ("face", 1.4)):
        assert np.nanmedian(error[:, points.PARTS[part]]) < most, part
    assert (confidence[:, points.PARTS["body"]] > 0).any(axis=1).all()
    assert (confidence[:, points.PARTS["face"]] > 0).all()
    # No point of the face lies off by more than the distance between neighbours, whatever its name: the table is right.
    assert np.nanmax(np.nanmedian(error[:, points.PARTS["face"]], axis=0)) < 3.2


def test_finds_nothing_outside_the_frame(rows: np.ndarray, photos: list[Photo]) -> None:
    places, confidence = points.unpack(rows)
    height, width = photos[0].image.shape[:2]
    assert np.array_equal(np.isnan(places).any(axis=2), confidence == 0)
    seen = places[confidence > 0]
    assert (seen >= -0.5).all() and (seen <= (width - 0.5, height - 0.5)).all()
    outside = np.stack([p.pose.visible for p in photos]) == 0
    assert outside.any()
    assert (confidence[:, points.PARTS["body"]][outside] == 0).mean() > 0.9


def test_left_and_right_change_places_in_a_mirror(
    mediapipe: detectors.Detector, pixels: np.ndarray, rows: np.ndarray
) -> None:
    places, _ = points.unpack(rows)
    mirrored, _ = points.unpack(mediapipe.detect(pixels[:, :, ::-1]))
    mirrored[..., 0] = pixels.shape[2] - 1 - mirrored[..., 0]
    order = {name: i for i, name in enumerate(FACE_POINTS)}
    swap = {"r_": "l_", "l_": "r_", "mouth_right": "mouth_left", "mouth_left": "mouth_right"}
    swap |= {"jaw_right": "jaw_left", "jaw_left": "jaw_right"}
    face = []
    for name in FACE_POINTS:
        start = next((s for s in swap if name.startswith(s)), "")
        face.append(order[swap[start] + name.removeprefix(start)] if start else order[name])
    flip = [*BODY18_FLIP, *range(39, 60), *range(18, 39), *(60 + np.array(face))]
    distance = np.linalg.norm(places - mirrored[:, flip], axis=2)
    for part, most in (("body", 2.0), ("hands", 2.0), ("face", 1.0)):
        assert np.nanmedian(distance[:, points.PARTS[part]]) < most, part


def test_an_image_stands_alone(mediapipe: detectors.Detector, pixels: np.ndarray, rows: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(pixels))
    np.testing.assert_array_equal(mediapipe.detect(pixels[order]), rows[order])
    np.testing.assert_array_equal(mediapipe.detect(pixels[3:4]), rows[3:4])


def test_nobody_there(mediapipe: detectors.Detector) -> None:
    blank = np.full((1, 256, 176, 3), 255, np.uint8)
    np.testing.assert_array_equal(mediapipe.detect(blank)[0], points.pack())
    assert mediapipe.detect(np.empty((0, 256, 176, 3), np.uint8)).shape == (0, points.WIDTH)


@pytest.mark.parametrize("size", [(128, 64), (8, 8), (1, 5), (300, 700)])
def test_other_sizes(mediapipe: detectors.Detector, photos: list[Photo], size: tuple[int, int]) -> None:
    image = np.asarray(Pillow.fromarray(photos[0].image).resize(size[::-1]))
    row = mediapipe.detect(image[None])
    assert row.shape == (1, points.WIDTH) and row.dtype == np.float32
    if size == (128, 64):
        places, confidence = points.unpack(row)
        truth, _ = points.truth(photos[0].pose)
        shoulders = [2, 5]
        assert (confidence[0, shoulders] > 0).all()
        there = (truth[shoulders] + 0.5) * (64 / 176, 128 / 256) - 0.5
        assert np.abs(places[0, shoulders] - there).max() < 4


def test_a_face_alone_is_found_in_the_whole_image(
    mediapipe: detectors.Detector, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module._Person, "_body", lambda self, image: None)
    box = photos[0].pose.face.box
    x, y = int(box[0] + box[2]) // 2, int(box[1] + box[3]) // 2
    crop = photos[0].image[max(y - 44, 0) : y + 44, x - 44 : x + 44]
    places, confidence = points.unpack(mediapipe.detect(crop[None]))
    assert (confidence[0, : points.PARTS["face"].start] == 0).all()
    truth, _ = points.truth(photos[0].pose)
    moved = truth[points.PARTS["face"]] - (x - 44, max(y - 44, 0))
    assert np.nanmedian(np.linalg.norm(places[0, points.PARTS["face"]] - moved, axis=1)) < 2


def hand_at(x: float, y: float) -> list[SimpleNamespace]:
    """21 landmarks at one place of a 100 x 100 image."""
    return [SimpleNamespace(x=(x + 0.5) / 100, y=(y + 0.5) / 100)] * 21


@pytest.mark.parametrize(
    ("hands", "right", "left"),
    [
        ([(22, 50), (79, 50)], 22, 79),
        ([(79, 50), (22, 50)], 22, 79),  # whatever the order
        ([(25, 50), (21, 50)], 21, None),  # one a wrist, the nearest
        ([(31, 50)], None, None),  # too far from either
        ([], None, None),
    ],
)
def test_a_hand_goes_to_the_nearest_wrist(hands: list, right: float | None, left: float | None) -> None:
    body = np.zeros((33, 3), np.float32)
    body[16, :2], body[15, :2] = (20, 50), (80, 50)
    network = SimpleNamespace(detect=lambda image: SimpleNamespace(hand_landmarks=[hand_at(*h) for h in hands]))
    person = module._Person(None, network, None)
    found = person._both_hands(np.zeros((100, 100, 3), np.uint8), body, reach=10)
    for hand, x in zip(found, (right, left), strict=True):
        if x is None:
            assert hand is None
        else:
            np.testing.assert_allclose(hand, np.tile([x, 50, 1], (21, 1)), atol=1e-4)


def test_closed_means_closed(pixels: np.ndarray) -> None:
    detector = detectors.build("mediapipe")
    detector.close()
    detector.close()
    with pytest.raises(BenchError, match="closed"):
        detector.detect(pixels[:1])


def test_the_key_names_weights_and_settings(mediapipe: detectors.Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "59929e1d1ee95287" in mediapipe.key  # pose_landmarker_lite.task, as Google publishes it
    monkeypatch.setattr(module, "VISIBILITY", 0.25)
    other = detectors.build("mediapipe")
    other.close()
    assert other.key != mediapipe.key


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=False, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )


def test_users_hear_nothing_of_it() -> None:
    code = """
import sys
from fhpt_bench import detectors
from fhpt_bench.datasets.catwalk import Catwalk
detector = detectors.build("mediapipe")
assert detector.detect(Catwalk("val").photos()[0].image[None])[0, 2] > 0.5
print("ours", file=sys.stderr)
detector.close()
"""
    ran = python(code)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "ours\n", "")


@pytest.mark.parametrize(
    ("library", "debian"), [("libEGL.so.1", "libegl1"), ("libGL.so.1", "libgl1"), ("libgthread-2.0.so.0", "libglib2.0")]
)
def test_a_system_library_that_does_not_load(tmp_path: Path, library: str, debian: str) -> None:
    (tmp_path / library).write_bytes(b"")  # the loader looks here first, and cannot read it
    code = """
from types import SimpleNamespace
from fhpt_bench.harness.features import Networks
from fhpt_bench.types import Need
metric = SimpleNamespace(needs=[Need("pose[mediapipe]")])
networks = Networks([metric], "cpu")
print(networks.why_not(metric))
networks.close()
"""
    ran = python(code, LD_LIBRARY_PATH=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert f"apt-get install {debian}" in ran.stdout and library[: library.index(".so")] in ran.stdout
    assert not ran.stderr


def test_a_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OSError("libGLESv2.so.2: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(module, "_graphs", lambda files: iter(gone, None))
    with pytest.raises(BenchError, match="libGLESv2, which does not load") as caught:
        detectors.build("mediapipe")
    assert caught.value.fix.startswith("apt-get install libgles2")


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe.tasks.python", None)
    with pytest.raises(BenchError, match="mediapipe does not load") as caught:
        detectors.build("mediapipe")
    assert caught.value.fix == "pip install mediapipe"


def test_versions_that_report_home(monkeypatch: pytest.MonkeyPatch) -> None:
    from fhpt_bench import doctor

    assert module.installed() < module.REPORTS_FROM  # pyproject.toml asks for one that does not
    assert not doctor._reports()
    monkeypatch.setattr(module, "version", lambda package: "0.10.35")
    assert [f.ok for f in doctor._reports()] == [False]
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    with pytest.raises(BenchError, match=r"0\.10\.35 reports its use to Google"):
        detectors.build("mediapipe")


def test_errors_of_native_code_are_not_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    from fhpt_bench.detectors.native import without_chatter

    with without_chatter():
        os.write(2, b"INFO: created\nW0000 00:00 x.cc:1] hm\nE0000 00:00 x.cc:1] broken\nplain\n")
    os.write(2, b"W0000 after\n")
    assert capfd.readouterr().err == "E0000 00:00 x.cc:1] broken\nplain\nW0000 after\n"


def test_unknown_detectors() -> None:
    with pytest.raises(BenchError, match="no keypoint detector is called 'mediapip'"):
        detectors.build("mediapip")
    with pytest.raises(BenchError, match="has no setting 'heavy'"):
        detectors.build("mediapipe", "cpu", "heavy")
