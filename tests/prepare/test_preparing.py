"""From every layout to one; resumable, parallel, and honest about what is missing or damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import mini_deepfashion as mini
import mini_market
import numpy as np
import PIL.Image
import pytest
from filelock import FileLock

from fhpt_bench.datasets import load
from fhpt_bench.datasets.deepfashion import DeepFashion
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import prepare, work

FEW = ("MEN/Tees_Tanks/id_00000001/01",)


def tree(root: Path) -> dict[str, str]:
    """Every file but the journal, whose order is that of the work, and the lock."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("prepare.jsonl", ".lock")
    }


def few() -> list[mini.MiniPhoto]:
    """One outfit of four photographs, for tests that need no more."""
    return [photo for photo in mini.photographs() if (photo.item, photo.outfit) == (1, 1)]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    photos = few()
    return mini.write_lists(mini.write_inshop(tmp_path / "small", photos=photos), photos=photos, with_pairs=False)


def test_every_layout_gives_the_same_data(tmp_path: Path, fashion: Path) -> None:
    """Unpacked, zipped, PATN's two folders; both spellings; lists in both frames; pairs published or derived."""
    expected = DeepFashion(fashion)
    sources = {
        "zips": mini.write_lists(
            mini.write_inshop(tmp_path / "zips", zipped=True, squeezed=True), resized=False, fasion=True
        ),
        "patn": mini.write_lists(mini.write_patn(tmp_path / "patn", fasion=True), with_pairs=False),
        "zeros": mini.write_lists(mini.write_patn(tmp_path / "zeros", flat=True), missing=0, resized=False),
    }
    for name, source in sources.items():
        prepare("deepfashion", source, tmp_path / "out" / name, sizes=["256x256", "256x176"])
        data = DeepFashion(tmp_path / "out" / name)
        mine, theirs = ({pair.id: pair for pair in (d[i] for i in range(len(d)))} for d in (data, expected))
        assert mine.keys() == theirs.keys() == {f"{a}_2_{b}" for a, b in mini.pairs("test")}, name
        for pair_id, pair in mine.items():
            np.testing.assert_array_equal(pair.target.image, theirs[pair_id].target.image)
            np.testing.assert_array_equal(pair.target.pose.keypoints, theirs[pair_id].target.pose.keypoints)
    assert "square" in Folder.open(tmp_path / "out" / "patn").manifest["made_from"]


def test_sizes_stand_in_one_frame(tmp_path: Path, fashion: Path, small: Path) -> None:
    photo = few()[0]
    at = {size: np.asarray(PIL.Image.open(fashion / "images" / size / f"{photo.stem}.png"))
          for size in ("256x256", "256x176", "512x352")}  # fmt: skip
    np.testing.assert_array_equal(at["256x176"], at["256x256"][:, 40:216])
    archive = PIL.Image.open(fashion.parent / "deepfashion-source" / "Img" / "img" / photo.path)
    np.testing.assert_array_equal(at["256x256"], np.asarray(archive))
    large = PIL.Image.open(fashion.parent / "deepfashion-source" / "Img" / "img_highres" / photo.path)
    assert large.size == (750, 1101)
    np.testing.assert_array_equal(at["512x352"], np.asarray(large.resize((352, 512), PIL.Image.Resampling.BICUBIC)))

    # Only the high-resolution file, and only PATN's resized one.
    shutil.copytree(fashion.parent / "deepfashion-source" / "Img" / "img_highres", tmp_path / "high" / "img_highres")
    summary = prepare("deepfashion", tmp_path / "high", tmp_path / "from-high", sizes=["256x256", "256x176"])
    assert summary.made_from == {"high": 23}
    square, slim = (np.asarray(PIL.Image.open(tmp_path / "from-high" / "images" / size / f"{photo.stem}.png"))
                    for size in ("256x256", "256x176"))  # fmt: skip
    np.testing.assert_array_equal(slim, np.asarray(large.resize((176, 256), PIL.Image.Resampling.BICUBIC)))
    np.testing.assert_array_equal(square[:, 40:216], slim)
    assert (square[:, :40] == 255).all() and (square[:, 216:] == 255).all()

    summary = prepare("deepfashion", mini.write_patn(tmp_path / "slim", width=176), tmp_path / "from-slim")
    assert summary.made_from == {"slim": 23}
    assert summary.sizes == {"256x256": 23, "256x176": 23, "512x352": 0}, "nothing is enlarged"
    assert any("23 photographs at 512x352" in lack.what and "MMLAB" in lack.where for lack in summary.missing)


def test_everything_of_the_archive_arrives(fashion: Path) -> None:
    data = DeepFashion(fashion)
    labels = {photo.id: photo.labels for photo in data.photos()}
    assert labels["fashionMENTees_Tanksid0000000101_1front"] == {
        "gender": "men", "item": "MEN/Tees_Tanks/id_00000001", "outfit": "MEN/Tees_Tanks/id_00000001/01",
        "category": "Tees_Tanks", "view": "front", "attributes": "floral", "colours": "Blue",
    }  # fmt: skip
    assert labels["fashionWOMENBlouses_Shirtsid0000000203_2side"]["attributes"] == "cotton;v-neck"
    partition = {row["photo"]: row["partition"] for row in Folder.open(fashion).rows("photos.csv")}
    assert set(partition.values()) == {"train", "query", "gallery"}
    for photo in mini.of("test"):
        parsing = np.asarray(PIL.Image.open(fashion / "parsing" / f"{photo.stem}.png"))
        np.testing.assert_array_equal(parsing, photo.parsing)


def test_parsing_in_the_other_frame_and_no_parsing(tmp_path: Path, small: Path) -> None:
    mini.write_parsing(small, width=176)
    photo = few()[0]
    bad = small / "parsing" / f"{few()[1].stem}.png"
    PIL.Image.new("RGB", (256, 256)).save(bad)
    high = np.full((256, 256), 21, np.uint8)
    PIL.Image.fromarray(high).save(small / "parsing" / f"{few()[2].stem}.png")
    summary = prepare("deepfashion", small, tmp_path / "out")
    np.testing.assert_array_equal(
        np.asarray(PIL.Image.open(tmp_path / "out" / "parsing" / f"{photo.stem}.png")), photo.parsing
    )
    assert len(summary.problems) == 2
    assert any("21" in problem for problem in summary.problems)
    assert summary.counts["parsings"] == 2


def test_dsc_lists_are_a_split_of_their_own(tmp_path: Path) -> None:
    source = mini.write_dsc(mini.write_lists(mini.write_patn(tmp_path / "src")))
    prepare("deepfashion", source, tmp_path / "out", sizes=["256x256"])
    dsc = load(f"{tmp_path / 'out'}@dsc,256x256", "test")
    patn = load(f"{tmp_path / 'out'}@256x256", "test")
    assert {dsc[i].id for i in range(len(dsc))} == {f"{a}_2_{b}" for a, b in mini.pairs("train")}
    assert len(patn) == 18
    assert dsc.name == patn.name == "deepfashion"
    assert dsc.sha256 != patn.sha256
    by_protocol = load(str(tmp_path / "out"), "test", size=(256, 256), made_for="deepfashion@dsc")
    assert by_protocol.sha256 == dsc.sha256

    # The same lists without a telling folder: `fasion-pairs-test.csv` names photographs that PATN's test list does not.
    for file in (source / "pose-gan").iterdir():
        file.rename(source / file.name)
    (source / "pose-gan").rmdir()
    summary = prepare("deepfashion", source, tmp_path / "out", sizes=["256x256"])
    assert summary.counts["dsc-test pairs"] == 30
    assert load(f"{tmp_path / 'out'}@dsc,256x256", "test").sha256 == dsc.sha256


def test_market(tmp_path: Path, market: Path) -> None:
    data = load(str(market), "test")
    assert len(data.photos()) == 11, "with distractors, as the published list"
    assert [data[i].id for i in range(len(data))] == [f"{a}_2_{b}" for a, b in mini_market.pairs("test")[3:13]]
    source = mini_market.write_lists(mini_market.write_archive(tmp_path / "src"), with_pairs=False)
    summary = prepare("market1501", source, tmp_path / "out")
    assert summary.derived == ("patn-test", "patn-train")
    derived = load(str(tmp_path / "out"), "test")
    assert {derived[i].id for i in range(len(derived))} == {f"{a}_2_{b}" for a, b in mini_market.pairs("test")}
    assert any("12,000" in note for note in summary.notes), "the published pairs are a sample of these"
    assert summary.problems == (), "Thumbs.db is no photograph"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    source = mini.write_inshop(tmp_path / "src", photos=few())
    shutil.rmtree(source / "Anno")
    summary = prepare("deepfashion", source, tmp_path / "out")
    said = {lack.what: lack for lack in summary.missing}
    assert any("PATN's test photographs" in what and "Pose-Transfer" in lack.where for what, lack in said.items())
    assert "keypoints of 4 photographs" in said
    assert {"parsing", "face boxes", "attributes and colours"} < set(said)
    assert not (tmp_path / "out" / "lists").exists(), "the archive's own partition is another split"
    with pytest.raises(BenchError, match=r"without patn-test\.lst"):
        DeepFashion(tmp_path / "out")
    with pytest.raises(BenchError, match="MMLAB"):
        prepare("deepfashion", mini.write_lists(tmp_path / "only-lists"), tmp_path / "none")
    assert not (tmp_path / "none" / "manifest.json").exists()


def test_pairs_are_derived_only_where_keypoints_are(tmp_path: Path) -> None:
    source = mini.write_lists(mini.write_patn(tmp_path / "src"), with_pairs=False)
    annotation = source / "fasion-resize-annotation-train.csv"
    half = annotation.read_text().splitlines(keepends=True)[:7]  # the header and two outfits of three
    annotation.write_text("".join(half))
    summary = prepare("deepfashion", source, tmp_path / "out")
    assert summary.counts["patn-train pairs"] == 12
    assert any("patn-train: 9 of 15 photographs have no keypoints" in note for note in summary.notes)
    annotation.unlink()
    summary = prepare("deepfashion", source, tmp_path / "out")
    assert summary.derived == ("patn-test",)
    assert "patn-train pairs" not in summary.counts
    assert any(lack.what == "PATN's train pairs" for lack in summary.missing)


def test_goes_on_where_it_stopped(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("deepfashion", small, tmp_path / "whole", workers=1)
    make, made = work._make, []

    def killed(*given):
        made.append(given[1].photo)
        if len(made) == 3:
            raise KeyboardInterrupt
        return make(*given)

    monkeypatch.setattr(work, "_make", killed)
    monkeypatch.setattr(work, "_WINDOW", 1)
    with pytest.raises(KeyboardInterrupt):
        prepare("deepfashion", small, tmp_path / "parts", workers=1)
    assert not (tmp_path / "parts" / "manifest.json").exists()
    journal = tmp_path / "parts" / "prepare.jsonl"
    with journal.open("a") as file:
        file.write('{"photo": "fashion')  # killed while writing
    made.clear()
    made += ["", "", ""]
    summary = prepare("deepfashion", small, tmp_path / "parts", workers=1)
    assert (summary.photographs, summary.resumed, len(made) - 3) == (4, 2, 2)
    assert tree(tmp_path / "parts") == tree(tmp_path / "whole")

    # Again: nothing is made. A file that is gone, one cut short, and one whose source changed are made again.
    made.clear()
    made += ["", "", ""]
    assert prepare("deepfashion", small, tmp_path / "parts").resumed == 4
    images = sorted((tmp_path / "parts" / "images" / "256x176").iterdir())
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:100])
    source = small / "Img" / "img" / few()[3].path
    PIL.Image.fromarray(255 - few()[3].image()).save(source, quality=95)
    assert prepare("deepfashion", small, tmp_path / "parts").resumed == 1
    now, before = tree(tmp_path / "parts"), tree(tmp_path / "whole")
    assert {name for name in now if now[name] != before[name]} == {
        "manifest.json", "photos.csv",
        f"images/256x256/{few()[3].stem}.png", f"images/256x176/{few()[3].stem}.png",
    }  # fmt: skip


def test_workers_change_nothing(tmp_path: Path, small: Path) -> None:
    for workers in (1, 4):
        prepare("deepfashion", small, tmp_path / str(workers), workers=workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "4")


def test_a_damaged_photograph_is_named_and_keeps_no_other_away(tmp_path: Path, small: Path) -> None:
    first, second, third, _ = (small / "Img" / "img" / photo.path for photo in few())
    first.write_bytes(first.read_bytes()[:2000])
    second.write_bytes(b"<html>not found</html>")
    PIL.Image.new("RGB", (300, 300)).save(third)
    summary = prepare("deepfashion", small, tmp_path / "out")
    assert len(summary.problems) == 3
    assert all(any(path.name in problem for problem in summary.problems) for path in (first, second, third))
    assert summary.sizes["256x176"] == 1
    with pytest.raises(BenchError, match="3 of 4 photographs of test have no 256x176 image"):
        DeepFashion(tmp_path / "out")
    for photo in few()[:3]:
        PIL.Image.fromarray(photo.image()).save(small / "Img" / "img" / photo.path)
    assert prepare("deepfashion", small, tmp_path / "out").problems == ()
    assert len(DeepFashion(tmp_path / "out")) == 12


def test_a_huge_image_is_not_decoded(tmp_path: Path, small: Path) -> None:
    big = small / "Img" / "img" / few()[0].path
    PIL.Image.new("1", (9_000, 9_000)).save(big, format="PNG")
    summary = prepare("deepfashion", small, tmp_path / "out")
    assert len(summary.problems) == 1
    assert "9000 x 9000 pixels" in summary.problems[0]


@pytest.mark.parametrize("options", [{"sizes": ["64x64"]}, {"kind": "imagenet"}])
def test_unknown_names_are_refused(tmp_path: Path, small: Path, options: dict[str, object]) -> None:
    given = {"kind": "deepfashion", "source": small, "out": tmp_path / "out", **options}
    with pytest.raises(BenchError):
        prepare(**given)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, small: Path, market: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(BenchError, match="something else"):
        prepare("deepfashion", small, tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]
    with pytest.raises(BenchError, match="holds market1501"):
        prepare("deepfashion", small, market)
    with pytest.raises(BenchError, match="no such file"):
        prepare("deepfashion", tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(BenchError, match="another process"):
        prepare("deepfashion", small, tmp_path / "out")


def test_lists_that_contradict_each_other(tmp_path: Path, small: Path) -> None:
    (small / "more").mkdir()
    (small / "more" / "test.lst").write_text(f"{few()[0].stem}.jpg\n")
    with pytest.raises(BenchError, match="two lists of patn-test names differ"):
        prepare("deepfashion", small, tmp_path / "out")
    (small / "more" / "test.lst").unlink()
    text = (small / "fasion-resize-annotation-test.csv").read_text()
    (small / "more" / "fasion-annotation-test.csv").write_text(text)  # the frame of the other name
    with pytest.raises(BenchError, match="two annotations"):
        prepare("deepfashion", small, tmp_path / "out")
    (small / "more" / "fasion-annotation-test.csv").write_text("name:keypoints_y:keypoints_x\nholiday.jpg:[1]:[2]\n")
    with pytest.raises(BenchError, match="line 2"):
        prepare("deepfashion", small, tmp_path / "out")


def test_face_boxes_that_were_brought_along(tmp_path: Path, small: Path) -> None:
    first, second, *_ = (photo.stem for photo in few())
    (small / "faces.csv").write_text(f"photo,x0,y0,x1,y1\n{first}.jpg,100,20.5,130,60\n{second},,,,\n")
    prepare("deepfashion", small, tmp_path / "out")
    data = DeepFashion(tmp_path / "out")
    assert data.photo(first).pose.face.box == (60, 20.5, 90, 60), "in the frame of 256x176"
    assert data.photo(second).pose.face is None
    for row in (f"{first},a,0,1,1", f"{first},nan,0,1,1", f"{first},1,2,3", "holiday,1,2,3,4"):
        (small / "faces.csv").write_text(f"photo,x0,y0,x1,y1\n{row}\n")
        with pytest.raises(BenchError, match=r"face box|no photograph"):
            prepare("deepfashion", small, tmp_path / "out")


def test_progress_is_counted_and_threads_end(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    class Bar:
        def __init__(self, label: str, total: int, **_: object) -> None:
            self.total = total

        def __enter__(self) -> Callable[[int], None]:
            return counted.append

        def __exit__(self, *_: object) -> None:
            assert sum(counted) == self.total

    monkeypatch.setattr(work, "progress", Bar)
    before = threading.active_count()
    prepare("deepfashion", small, tmp_path / "out", workers=3)
    assert sum(counted) == 4
    assert threading.active_count() == before
    lines = [json.loads(line) for line in (tmp_path / "out" / "prepare.jsonl").read_text().splitlines() if line]
    assert {line["photo"] for line in lines} == {photo.stem for photo in few()}
