"""DeepFashion and Market-1501 as data sets: what a pair knows, what a split holds, what changes the hash."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import mini_deepfashion as mini
import mini_market
import numpy as np
import PIL.Image
import pytest

from fhpt_bench import data as commands
from fhpt_bench import images, registry
from fhpt_bench.datasets import lists, load
from fhpt_bench.datasets.deepfashion import DeepFashion
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.datasets.market1501 import Market1501
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import write_json
from fhpt_bench.prepare import tables
from fhpt_bench.types import OUTSIDE, VISIBLE

REACHING = "fashionMENTees_Tanksid0000000101_1front"


def relisted(root: Path, name: str, change: Callable[[str], str]) -> Path:
    """Change a table and say so in the manifest."""
    manifest = dict(Folder.open(root).manifest)
    sha256 = tables.put(root, name, change((root / name).read_text()))
    write_json(root / "manifest.json", {**manifest, "files": {**manifest["files"], name: sha256}})
    return root


def test_a_pair(fashion: Path) -> None:
    data = DeepFashion(fashion)
    assert (data.name, data.split, data.size, data.synthetic) == ("deepfashion", "test", (256, 176), False)
    pairs = {data[i].id: data[i] for i in range(len(data))}
    pair = pairs[f"{REACHING}_2_fashionMENTees_Tanksid0000000101_2side"]
    assert pair.source.person == pair.target.person == "MEN/Tees_Tanks/id_00000001"
    assert pair.target.image.shape == (256, 176, 3)
    assert pair.target.image.dtype == np.uint8
    assert {photo.person for photo in data.photos()} == {
        "MEN/Tees_Tanks/id_00000001",
        "WOMEN/Blouses_Shirts/id_00000002",
    }


@pytest.mark.parametrize(("size", "left", "scale"), [((256, 256), 0, 1), ((256, 176), 40, 1), ((512, 352), 40, 2)])
def test_points_regions_and_images_share_a_frame(fashion: Path, size: tuple[int, int], left: int, scale: int) -> None:
    data = DeepFashion(fashion, size=size)
    pair = data[0]
    for photo in (photo for photo in mini.of("test") if photo.valid):
        own, true = data.photo(photo.stem).pose, np.array(photo.points[::-1], np.float32).T
        gone = (true == -1).all(axis=1)
        expected = (true - [left, 0] + 0.5) * scale - 0.5
        np.testing.assert_allclose(own.keypoints[~gone], expected[~gone])
        assert np.isnan(own.keypoints[gone]).all()
        inside = (expected > -0.5).all(1) & (expected[:, 0] < size[1] - 0.5) & (expected[:, 1] < size[0] - 0.5)
        np.testing.assert_array_equal(own.visible, np.where(inside & ~gone, VISIBLE, OUTSIDE))
    if left:
        reaching = data.photo(REACHING).pose
        assert reaching.visible[4] == OUTSIDE
        assert reaching.keypoints[4, 0] < 0, "outside the frame is not missing"
    regions = data.regions(pair)
    assert set(regions) == {"foreground", "background", "face", "clothes"}
    assert all(mask.shape == size and mask.dtype == bool for mask in regions.values())
    assert (regions["foreground"] ^ regions["background"]).all()
    assert pair.target.image[regions["background"]].mean() > 250, "the ground is white, and the person is where it says"
    assert pair.target.image[regions["clothes"]].mean() < 200


def test_regions_are_those_of_the_parsing(fashion: Path) -> None:
    data = DeepFashion(fashion)
    photo = {p.stem: p for p in mini.photographs()}[data[0].target.id]
    regions, parsing = data.regions(data[0]), photo.parsing[:, 40:216]
    np.testing.assert_array_equal(regions["face"], parsing == 13)
    assert regions["clothes"].sum() == np.isin(parsing, (1, 3, 5, 6, 7, 8, 9, 11, 12)).sum()


def test_without_parsing_there_are_no_regions(market: Path) -> None:
    data = Market1501(market)
    assert data.regions(data[0]) == {}
    photo = data[0].target
    assert photo.labels == {"item": "0001", "outfit": "0001", "camera": "1"}
    assert photo.image.shape == (128, 64, 3)
    truth = {p.stem: p for p in mini_market.photographs()}[photo.id]
    seen = photo.pose.visible == VISIBLE
    np.testing.assert_array_equal(photo.pose.keypoints[seen], np.array(truth.points[::-1]).T[seen])


def test_splits(fashion: Path, market: Path) -> None:
    for kind, folder, count in ((DeepFashion, fashion, 5), (Market1501, market, 4)):
        train, val, whole, test = (kind(folder, split) for split in ("train", "val", "trainval", "test"))
        names = [{photo.id for photo in data.photos()} for data in (train, val, whole, test)]
        assert names[0] | names[1] == names[2]
        assert not names[0] & names[1] and not names[2] & names[3]
        people = [{photo.person for photo in data.photos()} for data in (train, val, test)]
        assert len(people[1]) == 1, "5 % of so few, but one at least"
        assert not people[1] & people[0] and not people[1] & people[2]
        assert len(train) + len(val) == len(whole) and len(val) > 0
        assert train.training().sha256 == whole.sha256 == test.training().sha256
        assert test.validation().sha256 == val.sha256
        assert len({data.sha256 for data in (train, val, whole, test)}) == 4
        assert len(people[0] | people[1]) == count
    with pytest.raises(BenchError, match="no split 'query'"):
        DeepFashion(fashion, "query")
    with pytest.raises(BenchError, match="64x64"):
        DeepFashion(fashion, size=(64, 64))


def test_nothing_is_decoded_before_it_is_asked_for(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, decoded = images.read, []
    monkeypatch.setattr(images, "read", lambda path, size=None: (decoded.append(path), read(path, size))[1])
    data = DeepFashion(fashion)
    pairs = [data[i] for i in range(len(data))]
    photos = data.photos()
    assert len(photos) == len(list(photos)) == 8
    assert [photo.id for photo in photos[2:4]] == [photos[2].id, photos[3].id]
    assert decoded == []
    _ = pairs[0].source.image, pairs[0].source.image
    assert len(decoded) == 1
    assert "image" not in vars(data[0].source), "a Photo keeps its pixels only as long as it lives"


def test_what_changes_the_hash(fashion: Path, copied: Callable[[Path], Path]) -> None:
    before = DeepFashion(fashion).sha256
    root = copied(fashion)
    assert DeepFashion(root).sha256 == before, "where it lies does not"
    assert pickle.loads(pickle.dumps(DeepFashion(root))).sha256 == before
    seen = {before}

    def keypoint(text: str) -> str:
        lines = text.splitlines(keepends=True)
        place = next(i for i, line in enumerate(lines) if line.startswith(REACHING))
        name, y, x = lines[place].split(":")
        moved = [value + 1 if value != -1 else -1 for value in json.loads(x)]
        return "".join([*lines[:place], f"{name}:{y}:{moved}\n", *lines[place + 1 :]])

    changes = {
        "keypoints.csv": keypoint,
        "lists/pairs-patn-test.csv": lambda text: "".join(text.splitlines(keepends=True)[:-1]),
        "attributes.csv": lambda text: text.replace("Blue", "Red"),
    }
    for name, change in changes.items():
        seen.add(DeepFashion(relisted(root, name, change)).sha256)
    assert len(seen) == 4


def test_a_changed_image_is_refused_where_it_is_read(fashion: Path, copied: Callable[[Path], Path]) -> None:
    root = copied(fashion)
    data = DeepFashion(root)
    path = root / "images" / "256x176" / f"{data[0].target.id}.png"
    with PIL.Image.open(path) as image:
        pixels = np.array(image)
    pixels[0, 0, 0] ^= 1
    PIL.Image.fromarray(pixels).save(path)
    with pytest.raises(BenchError, match="not the one that was prepared"):
        _ = DeepFashion(root)[0].target.image


def test_names_and_folders(fashion: Path, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FHPT_BENCH_DATA", raising=False)
    with pytest.raises(BenchError, match=r"fhpt-bench data prepare deepfashion SRC") as error:
        load("deepfashion", "test")
    assert "FHPT_BENCH_DATA" in str(error.value)
    monkeypatch.setenv("FHPT_BENCH_DATA", str(fashion.parent))
    assert load("deepfashion", "test").sha256 == load(str(fashion), "test").sha256
    assert registry.find("datasets", "deepfashion")("test").sha256 == load(str(fashion), "test").sha256
    assert load("deepfashion@256x256", "test").size == (256, 256)
    assert load("deepfashion", "test", size=(512, 352)).size == (512, 352)
    assert load("deepfashion@256x256", "test", size=(512, 352)).size == (256, 256), "what is named comes first"
    with pytest.raises(BenchError, match="market1501 is not prepared"):
        load("market1501", "test")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path):
        with pytest.raises(BenchError, match="no prepared data set"):
            load(str(folder), "test")
    with pytest.raises(BenchError, match="no choice"):
        load("catwalk@dsc", "test")
    with pytest.raises(BenchError, match=r"without dsc-test\.lst"):
        load(f"{fashion}@dsc", "test")
    states = {(row["data"], row["split"]): row for row in commands.rows()}
    assert states["deepfashion", "test"]["pairs"] == 18
    assert states["market1501", "test"]["state"] == "not here"
    assert "market1501" in states["market1501", "test"]["why"]


def test_export_of_a_prepared_set(fashion: Path, tmp_path: Path) -> None:
    said = commands.export(str(fashion), "test", tmp_path / "out", limit=3)
    assert "3 pairs" in said
    notes = lists.read_annotation((tmp_path / "out" / "annotation.csv").read_text().replace(".png:", ":"), "x")
    photo = {p.stem: p for p in mini.photographs()}
    for name, points in notes.items():
        own = np.array(photo[name].points[::-1]).T
        seen = ~lists.missing(points)
        np.testing.assert_array_equal(points[seen], (own - [40, 0])[seen])


@pytest.mark.parametrize(
    ("content", "word"),
    [("", "manifest"), ("[]", "manifest"), ('{"format": 99, "kind": "deepfashion"}', "this version"),
     ('{"format": 1, "kind": "market1501", "files": {}}', "market1501"),
     ('{"format": 1, "kind": "deepfashion", "files": {"lists/../../x.csv": ""}}', "names a table"),
     ('{"format": 1, "kind": "deepfashion", "files": {"/etc/passwd": ""}}', "names a table")],
)  # fmt: skip
def test_manifests_that_are_none(tmp_path: Path, content: str, word: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BenchError, match=word):
        DeepFashion(tmp_path)


@pytest.mark.parametrize("name", [f"../../{REACHING}", "/etc/passwd", "holiday", "a b"])
def test_names_that_somebody_else_made_up(fashion: Path, copied: Callable[[Path], Path], name: str) -> None:
    root = relisted(copied(fashion), "lists/patn-test.lst", lambda text: text.replace(REACHING, name))
    with pytest.raises(BenchError, match=r"cannot be a photograph|not in the list|is no photograph"):
        DeepFashion(root)
