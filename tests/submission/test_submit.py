"""Submit: the same bits every time, and a refusal where the folder is not what its record says."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import mini
import numpy as np
import pytest
from repack import MINI

from fhpt_bench import BenchError, score
from fhpt_bench.images import write_png
from fhpt_bench.submission import submit, verify


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_the_zip_holds_what_it_says_and_is_the_same_every_time(copy, finished, protocol, tmp_path):
    first, verdict = submit(copy, protocol=protocol, data=MINI)
    assert first == copy / "submission.zip"
    assert not verdict.differences and verdict.file == str(first)
    for path in copy.rglob("*"):
        path.touch()
    second, _ = submit(copy, out=tmp_path / "again.zip", protocol=protocol, data=MINI)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("record.json") == (finished / "record.json").read_bytes()
        assert archive.read("protocol.toml") == protocol.read_bytes()
        assert archive.read("pairs.txt").decode().split() == [mini.Mini()[i].id for i in range(42)]
    kinds = {name.partition("/")[0] for name in names}
    assert kinds == {"manifest.json", "record.json", "protocol.toml", "pairs.txt", "rows"}
    with_images, _ = submit(copy, out=tmp_path / "images.zip", images=True, protocol=protocol, data=MINI)
    with zipfile.ZipFile(with_images) as archive:
        assert sum(name.startswith("images/") for name in archive.namelist()) == 42


def test_images_that_lie_in_a_folder_of_somebody_else(finished, protocol, tmp_path):
    folder = Path(shutil.copytree(finished / "images", tmp_path / "theirs"))
    score(folder, name="Theirs!", protocol=protocol, data=MINI, out=tmp_path / "scored")
    path, _ = submit(tmp_path / "scored", images=True, protocol=protocol, data=MINI)
    verdict = verify(path, protocol=protocol, data=MINI, deep=True, device="cpu")
    assert {c.name: c.state for c in verdict.checks}["rows"] == "holds"
    shutil.rmtree(folder)
    refused("not there any more", tmp_path / "scored", protocol, images=True)


def refused(words: str, run: Path, protocol: Path | None, **options) -> None:
    out = run.parent / "refused.zip"
    with pytest.raises(BenchError) as caught:
        submit(run, out=out, protocol=protocol, **{"data": MINI, **options})
    assert words in str(caught.value)
    assert not out.exists()
    assert not list(run.parent.glob(".refused*")), "no half zip stays"


def test_an_unfinished_run(copy, protocol):
    (copy / "record.json").unlink()
    refused("no record here", copy, protocol)


def test_rows_that_are_missing_or_of_another_run(copy, protocol):
    rows = next(copy.glob("rows/ssim-*/rows.npy"))
    kept = np.load(rows)
    np.save(rows, kept[:-1])
    refused("the rows of ssim are (41, ", copy, protocol)
    changed = kept.copy()
    changed[0, 0] += 0.5
    np.save(rows, changed)
    refused("the run does not verify: scores: ssim: value", copy, protocol)
    rows.unlink()
    refused("the rows of ssim are missing", copy, protocol)


@pytest.mark.parametrize("key", ["model", "model_key", "protocol", "data", "split", "limit", "seed"])
def test_a_record_that_is_not_the_folders(copy, protocol, key):
    owner = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(owner | {key: "other"}))
    refused(f"the record is not this folder's: {key} (other there", copy, protocol)


def test_no_run_folder(copy, protocol):
    (copy / "run.json").write_text("[]")
    refused("no run folder", copy, protocol)


def test_a_record_that_was_touched(copy, protocol):
    said = json.loads((copy / "record.json").read_text())
    said["scores"][0]["value"] += 0.001
    (copy / "record.json").write_text(json.dumps(said))
    refused("the run does not verify", copy, protocol)


def test_another_protocol_or_data(copy, protocol, tmp_path):
    refused("no protocol called 'mini-v1' ships here", copy, None)
    other = tmp_path / "other.toml"
    other.write_text(mini.PROTOCOL + "\n")
    refused("measured under another mini-v1", copy, other)
    refused("not the data that was measured", copy, protocol, data=mini.Mini("train"))


def test_images_that_were_changed_or_are_too_many(copy, protocol):
    refused("more than 0.1", copy, protocol, images=True, max_images=2**16)
    image = sorted((copy / "images").iterdir())[0]
    write_png(image, np.zeros((*mini.SIZE, 3), np.uint8))
    refused("the run does not verify: images", copy, protocol, images=True)


def test_a_row_without_all_its_pairs(finished, protocol, tmp_path):
    folder = Path(shutil.copytree(finished / "images", tmp_path / "theirs"))
    next(folder.iterdir()).unlink()
    score(folder, protocol=protocol, data=MINI, out=tmp_path / "scored", allow_missing=True)
    refused("1 pairs have no image", tmp_path / "scored", protocol)
