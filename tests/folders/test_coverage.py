"""What a folder covers is told by name; what it does not cover is refused, or marks the row for good."""

from __future__ import annotations

import json
import sys

import boxes
import numpy as np
import pytest
from result_files import write

from fhpt_bench import BenchError, compare, score
from fhpt_bench.cli import main
from fhpt_bench.folders.coverage import CoverageError
from fhpt_bench.leaderboard import table, to_markdown
from fhpt_bench.record import Record, read_record


@pytest.fixture
def protocol(tmp_path):
    return boxes.write_protocol(tmp_path)


@pytest.fixture
def folder(tmp_path):
    data = boxes.Boxes()
    for i in range(len(data)):
        write(tmp_path / "mine" / f"{data[i].id}.png", data[i].source.image)
    return tmp_path / "mine"


@pytest.fixture
def spoilt(folder):
    """1 missing, 1 duplicate, 2 unmatched, 2 unreadable, 1 twice the same, 1 that is no image."""
    ids = [boxes.Boxes()[i].id for i in range(6)]
    (folder / f"{ids[0]}.png").unlink()
    write(folder / "again" / f"{ids[1]}.png", np.zeros((64, 48, 3), np.uint8))
    (folder / "copy").mkdir()
    (folder / "copy" / f"{ids[2]}.png").write_bytes((folder / f"{ids[2]}.png").read_bytes())
    (folder / f"{ids[3]}.png").write_bytes((folder / f"{ids[3]}.png").read_bytes()[:-30])
    write(folder / f"{ids[4]}.png", np.zeros((64, 64, 3), np.uint8))
    write(folder / "p9-v9_2_99.png", np.zeros((64, 48, 3), np.uint8))
    write(folder / "strip.png", np.zeros((64, 48, 3), np.uint8))
    (folder / "log.txt").write_text("epoch 3")
    (folder / ".DS_Store").write_bytes(b"hidden")
    return folder


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["fhpt-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def test_every_kind_of_trouble_is_counted_and_named(tmp_path, spoilt, protocol):
    ids = [boxes.Boxes()[i].id for i in range(6)]
    with pytest.raises(CoverageError) as caught:
        score(spoilt, protocol=protocol, data=boxes.NAME, out=tmp_path / "o")
    found, text = caught.value.coverage, str(caught.value)
    assert (found.pairs, found.matched, found.identical, found.others, found.lossy) == (42, 38, 1, 1, 0)
    assert found.missing == (ids[0],)
    assert found.duplicate == {ids[1]: (f"again/{ids[1]}.png", f"{ids[1]}.png")}
    assert found.unmatched == ("p9-v9_2_99.png", "strip.png")
    assert set(found.unreadable) == {f"{ids[3]}.png", f"{ids[4]}.png"}
    for words in ("38 of 42", "1 missing", "1 duplicate", "2 unmatched: p9-v9_2_99.png", "2 unreadable", "64x64"):
        assert words in text
    assert not (tmp_path / "o").exists()


def test_json_has_every_name(tmp_path, spoilt, protocol, monkeypatch, capsys):
    for i in range(10, 30):
        (spoilt / f"{boxes.Boxes()[i].id}.png").unlink()
    code, out, err = run(
        monkeypatch, capsys,
        "score", spoilt, "--protocol", protocol, "--data", boxes.NAME, "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    told = json.loads(out)["coverage"]
    assert code == 2
    assert len(told["missing"]) == 21
    assert "21 missing" in err and err.count("p3-") < 5, "the message stays short"
    assert told["matched"] == 18


def test_allow_missing_marks_the_row_and_unranks_it(tmp_path, folder, protocol, capsys):
    whole = score(folder, name="whole", protocol=protocol, data=boxes.NAME, out=tmp_path / "a")
    for i in (3, 20):
        (folder / f"{boxes.Boxes()[i].id}.png").unlink()
    write(folder / "extra.png", np.zeros((64, 48, 3), np.uint8))
    with pytest.raises(BenchError, match="--allow-missing"):
        score(folder, protocol=protocol, data=boxes.NAME, out=tmp_path / "b")
    part = score(folder, name="part", protocol=protocol, data=boxes.NAME, out=tmp_path / "b", allow_missing=True)
    assert "2 missing" in capsys.readouterr().err
    assert (part.data.pairs, part.data.missing, whole.data.missing) == (40, 2, 0)
    assert part.model.card["images"]["missing"] == [boxes.Boxes()[3].id, boxes.Boxes()[20].id]
    assert part.model.card["images"]["unmatched"] == ["extra.png"]
    assert "--allow-missing" in part.provenance.command
    frame = table([whole, part])
    assert frame.groupby("model")["ranked"].first().to_dict() == {"part": False, "whole": True}
    assert frame[frame.model == "part"]["rank"].isna().all()
    assert "2 missing" in to_markdown([whole, part])
    with pytest.raises(BenchError, match="without all its pairs"):
        compare(whole, part)
    values = {s.name: s.pairs for s in part.scores}
    assert values["ssim"] == 40


def test_allow_missing_does_not_allow_damage_or_doubt(tmp_path, spoilt, protocol):
    with pytest.raises(CoverageError, match=r"1 duplicate.*2 unreadable"):
        score(spoilt, protocol=protocol, data=boxes.NAME, out=tmp_path / "o", allow_missing=True)


def test_records_from_before_read_as_complete(tmp_path, folder, protocol):
    record = score(folder, protocol=protocol, data=boxes.NAME, out=tmp_path / "o")
    old = json.loads((tmp_path / "o" / "record.json").read_text())
    del old["data"]["missing"]
    (tmp_path / "o" / "record.json").write_text(json.dumps(old))
    again = read_record(tmp_path / "o")
    assert isinstance(again, Record)
    assert again == record


def test_another_layout_is_another_run(tmp_path, folder, protocol):
    score(folder, protocol=protocol, data=boxes.NAME, out=tmp_path / "o")
    strips = tmp_path / "mine2"
    data = boxes.Boxes()
    for i in range(len(data)):
        pair = data[i]
        image = np.concatenate([np.zeros((64, 4 * 48, 3), np.uint8), pair.source.image], axis=1)
        write(strips / f"{pair.source.id}___{pair.target.id}_vis.png", image)
    with pytest.raises(BenchError, match="belongs to another run"):
        score(strips, protocol=protocol, data=boxes.NAME, out=tmp_path / "o")


def test_limit_wants_the_first_pairs_only(folder):
    from fhpt_bench.folders.matching import find

    data = boxes.Boxes()
    for i in range(10, 42):
        (folder / f"{data[i].id}.png").unlink()
    found = find(folder, data, range(5))
    assert (found.coverage.matched, found.coverage.unmatched) == (5, ()), "the other five belong to the data set"
