"""``data poses`` and ``data faces``: only what no list has, in PATN's form, resumable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import mini_deepfashion as mini
import numpy as np
import pytest

from fhpt_bench import detectors, points
from fhpt_bench.datasets import lists, load
from fhpt_bench.datasets.deepfashion import DeepFashion
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.datasets.market1501 import Market1501
from fhpt_bench.detectors import openpose
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import write_json
from fhpt_bench.prepare import detect, prepare


class Oracle:
    """Knows the truth of the mini's photographs by their pixels; counts what it sees."""

    name, key = "oracle", "oracle"
    networks: ClassVar = ()
    seen: ClassVar[list[int]] = []
    stop_at: ClassVar[int] = 10**9
    closed: ClassVar[int] = 0

    def __init__(self, device: str = "cpu") -> None:
        pass

    def detect(self, images: np.ndarray) -> np.ndarray:
        rows = []
        for image in images:
            Oracle.seen.append(1)
            if len(Oracle.seen) > Oracle.stop_at:
                raise KeyboardInterrupt
            # JPEG has changed the pixels: the nearest photograph is meant.
            near = min(mini.photographs(), key=lambda p: np.abs(p.image().astype(int) - image).mean())
            y, x = (np.array(axis, np.float32) for axis in near.points)
            body = np.column_stack([x + 0.25, y - 0.25, np.ones(18)])
            body[y == -1] = np.nan
            face = near.catwalk.pose.face
            found = np.column_stack([face.points + np.array([40, 0]), np.ones(30)]) if face.box is not None else None
            rows.append(points.pack(body, face=found))
        return np.stack(rows)

    def close(self) -> None:
        Oracle.closed += 1


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> type[Oracle]:
    monkeypatch.setitem(detectors.BACKENDS, "oracle", f"{__name__}:Oracle")
    monkeypatch.setattr(Oracle, "seen", [])
    monkeypatch.setattr(Oracle, "closed", 0)
    monkeypatch.setattr(detect, "AT_ONCE", 4)
    return Oracle


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Photographs and lists of names, but neither keypoints nor pairs."""
    source = mini.write_lists(mini.write_patn(tmp_path / "src"), with_pairs=False)
    for file in source.glob("*annotation*"):
        file.unlink()
    prepare("deepfashion", source, tmp_path / "bare", sizes=["256x256", "256x176"])
    return tmp_path / "bare"


def test_keypoints_bring_the_pairs(bare: Path, oracle: type[Oracle]) -> None:
    with pytest.raises(BenchError, match="without pairs-patn-test"):
        load(str(bare), "test")
    done = detect.poses(bare, "oracle")
    assert (done.photographs, done.resumed, done.found) == (23, 0, 22)
    assert done.derived == {"patn-train": 30, "patn-test": 18}
    text = (bare / "keypoints-oracle.csv").read_text()
    assert text.startswith("name:keypoints_y:keypoints_x\n")
    found = lists.read_annotation(text, "x")
    for photo in mini.photographs():
        np.testing.assert_array_equal(found[photo.stem], np.array(photo.points[::-1], np.int16).T)
    data = DeepFashion(bare)
    assert {data[i].id for i in range(len(data))} == {f"{a}_2_{b}" for a, b in mini.pairs("test")}
    assert Folder.open(bare).manifest["derived"] == ["patn-test", "patn-train"]
    assert oracle.closed == 1
    assert detect.poses(bare, "oracle").resumed == 23
    assert len(oracle.seen) == 23, "nothing is looked at twice"


def test_goes_on_where_it_stopped(
    bare: Path, oracle: type[Oracle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(shutil.copytree(bare, tmp_path / "whole"))
    detect.poses(whole, "oracle")
    oracle.seen.clear()
    monkeypatch.setattr(oracle, "stop_at", 10)
    with pytest.raises(KeyboardInterrupt):
        detect.poses(bare, "oracle")
    with (bare / "keypoints-oracle.csv").open("a") as file:
        file.write("fashionMENTees_Tanksid0000000101_1fr")  # killed while writing
    assert "keypoints-oracle.csv" not in Folder.open(bare).manifest["files"]
    monkeypatch.setattr(oracle, "stop_at", 10**9)
    done = detect.poses(bare, "oracle")
    assert done.resumed == 8
    for name in ("keypoints-oracle.csv", "manifest.json", "lists/pairs-patn-test.csv"):
        assert (bare / name).read_bytes() == (whole / name).read_bytes()


def test_lists_come_first(tmp_path: Path, oracle: type[Oracle]) -> None:
    """A photograph that a list has is not looked at; preparing again keeps what was found."""
    photos = [photo for photo in mini.photographs() if photo.split == "test"]
    source = mini.write_lists(mini.write_patn(tmp_path / "src"), photos=photos, with_pairs=False)
    folder = tmp_path / "out"
    prepare("deepfashion", source, folder, sizes=["256x256", "256x176"])
    done = detect.poses(folder, "oracle")
    assert (done.photographs, len(oracle.seen)) == (15, 15)
    before = (folder / "keypoints-oracle.csv").read_bytes()
    changed = [photo for photo in mini.photographs() if photo.item != 5]
    mini.write_lists(source, photos=changed, with_pairs=False)
    (source / "train.lst").write_text("".join(f"{photo.stem}.jpg\n" for photo in mini.of("train")))
    again = prepare("deepfashion", source, folder, sizes=["256x256", "256x176"])
    assert again.counts["patn-train pairs"] == 30, "the found keypoints of item 5 still make pairs"
    assert (folder / "keypoints-oracle.csv").read_bytes() == before
    assert "keypoints-oracle.csv" in Folder.open(folder).manifest["files"]


def test_faces(fashion: Path, copied: Callable[[Path], Path], oracle: type[Oracle]) -> None:
    root = copied(fashion)
    before = load(str(root), "test").sha256
    done = detect.faces(root, "oracle")
    shown = [photo.stem for photo in mini.photographs() if photo.catwalk.pose.face.box is not None]
    assert (done.photographs, done.found) == (23, len(shown))
    data = DeepFashion(root)
    assert data.sha256 != before, "face boxes decide scores"
    for photo in mini.of("test"):
        true, face = photo.catwalk.pose.face.box, data.photo(photo.stem).pose.face
        assert (face is not None) == (true is not None)
        if face is not None:
            np.testing.assert_allclose(face.box, true, atol=8)
    large = DeepFashion(root, size=(512, 352)).photo(shown[0]).pose.face
    small = data.photo(shown[0]).pose.face
    np.testing.assert_allclose(large.box, [2 * value + 0.5 for value in small.box], atol=1e-3)


def test_mediapipe_finds_the_minis(market: Path, fashion: Path, copied: Callable[[Path], Path]) -> None:
    """The real detector, on photographs whose truth is known."""
    root = copied(fashion)
    (root / "keypoints.csv").unlink()
    manifest = dict(Folder.open(root).manifest)
    manifest["files"] = {name: sha for name, sha in manifest["files"].items() if name != "keypoints.csv"}
    write_json(root / "manifest.json", manifest)
    done = detect.poses(root, "mediapipe")
    assert (done.photographs, done.derived) == (23, {})
    assert done.found >= 22
    found = lists.read_annotation((root / "keypoints-mediapipe.csv").read_text(), "x")
    distances = []
    for photo in mini.photographs():
        own, true = found[photo.stem], np.array(photo.points[::-1], np.int16).T
        both = ~lists.missing(own) & ~lists.missing(true)
        distances += np.linalg.norm((own - true)[both].astype(float), axis=1).tolist()
    assert np.median(distances) < 5
    assert len(distances) > 150


def test_an_unknown_detector_writes_nothing(market: Path, copied: Callable[[Path], Path]) -> None:
    root = copied(market)
    before = {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()}
    with pytest.raises(BenchError, match="no keypoint detector"):
        detect.faces(root, "mediapip")
    assert {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()} == before
    with pytest.raises(BenchError, match="something else"):
        detect.poses(root / "images", "mediapipe")
    assert len(Market1501(root)) == 10


def test_openpose_that_the_user_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenPose on the prepared images, its JSON taken in, then looked up by content."""
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    few = [photo for photo in mini.photographs() if (photo.item, photo.outfit) == (1, 1)]
    source = mini.write_inshop(tmp_path / "src", photos=few)
    (source / "test.lst").write_text("".join(f"{photo.stem}.jpg\n" for photo in few))
    prepare("deepfashion", source, tmp_path / "out", sizes=["256x256", "256x176"])
    with pytest.raises(BenchError, match="no OpenPose detections"):
        detect.poses(tmp_path / "out", "openpose-json")
    (tmp_path / "json").mkdir()
    for photo in few:
        body = [number for x, y in zip(photo.points[1], photo.points[0], strict=True)
                for number in ((x, y, 0.9) if y != -1 else (0, 0, 0))]  # fmt: skip
        text = json.dumps({"people": [{"pose_keypoints_2d": body}]})
        (tmp_path / "json" / f"{photo.stem}_keypoints.json").write_text(text)
    openpose.take_in(tmp_path / "json", tmp_path / "out" / "images" / "256x256")
    done = detect.poses(tmp_path / "out", "openpose-json")
    assert (done.found, done.derived) == (4, {"patn-test": 12})
    found = lists.read_annotation((tmp_path / "out" / "keypoints-openpose-json.csv").read_text(), "x")
    for photo in few:
        np.testing.assert_array_equal(found[photo.stem], np.array(photo.points[::-1], np.int16).T)
