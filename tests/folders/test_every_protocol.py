"""The same images under several protocols: each protocol's numbers as measured alone, each network run once."""

from __future__ import annotations

import json
import sys
from typing import ClassVar

import boxes
import numpy as np
import pytest
from result_files import files, lay, write

from fhpt_bench import BenchError, features, score
from fhpt_bench.cli import main
from fhpt_bench.folders.every_protocol import measure
from fhpt_bench.leaderboard import protocols
from fhpt_bench.record import read_record

COLOURS = """
[[metrics]]
use = "fid"
name = "fid[clean]"
extractor = "clean"
"""
WIDE_SSIM = """
[[metrics]]
use = "psnr"
name = "psnr[cropped]"
regions = false
prepare = { crop = [4, 40] }
[[metrics]]
use = "kid"
name = "kid[clean]"
extractor = "clean"
[[metrics]]
use = "ssim"
name = "ssim[uniform7]"
window = "uniform7"
regions = false
"""
ABSENT = """
[[metrics]]
use = "is"
name = "is"
"""


class Counted:
    """Stands in for every network: an image's mean colour; counts the images it is run on."""

    small, alone = True, True
    ran: ClassVar[list[bytes]] = []

    def __init__(self, name, device="cpu", data=""):
        if name.startswith("inception.logits"):
            raise BenchError("no weights here", fix="pull them")
        self.name, self.key = name, f"counted {name}"

    def extract(self, images):
        Counted.ran += [image.tobytes() for image in images]
        rng = np.random.default_rng(0).normal(size=(3, 2048))
        return (images.mean((1, 2)) @ rng).astype(np.float32)


@pytest.fixture
def some(tmp_path, monkeypatch):
    """Two protocols that share a metric under two settings of one name, one of another size."""
    monkeypatch.setattr(features, "build", Counted)
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Counted, "ran", [])
    first = boxes.write_protocol(tmp_path, more=COLOURS, name="first")
    second = boxes.write_protocol(tmp_path, more=COLOURS + WIDE_SSIM + ABSENT, name="second")
    second.write_text(second.read_text().replace('name = "ssim"\n', 'name = "ssim"\nwindow = "gauss3"\n', 1))
    other = boxes.write_protocol(tmp_path, 256, 176)
    data = boxes.Boxes()
    for pair_id, image in boxes.moved(data).items():
        write(tmp_path / "mine" / f"{pair_id}.png", image)
    return tmp_path, [first, second, other]


def numbers(record):
    return {s.name: (s.value, s.low, s.high) for s in record.scores}


def test_each_as_measured_alone_and_networks_once(some):
    root, three = some
    found, where = measure(root / "mine", data=boxes.NAME, out=root / "all", only=three, show=False)
    ran = len(Counted.ran)
    generated = {image.tobytes() for image in boxes.moved(boxes.Boxes()).values()}
    assert sum(image in generated for image in Counted.ran) == len(generated), "each once, for two protocols"
    assert [line.protocol.name for line in found.lines] == ["first", "second", "pixels-256x176"]
    for path, line in zip(three[:2], found.lines, strict=False):
        alone = score(root / "mine", protocol=path, data=boxes.NAME, out=root / path.stem, show=False)
        assert numbers(line.record) == numbers(alone)
        assert line.record.provenance.images_sha256 == alone.provenance.images_sha256
        assert line.record.provenance.features == alone.provenance.features
        assert line.record.group == alone.group
        assert read_record(where / f"{path.stem}.json") == line.record
    assert numbers(found.records[0])["ssim"] != numbers(found.records[1])["ssim"], "one name, two settings"
    assert ran < len(Counted.ran)
    assert found.lines[2].why == "measures 256x176 images, boxes has 64x48"
    assert found.lines[2].record is None


def test_the_table_says_what_differs_and_why_something_is_not_there(some, capsys):
    root, three = some
    found, where = measure(root / "mine", data=boxes.NAME, out=root / "all", only=three, name="Mine|<b>", show=False)
    shown = protocols.table(found)
    assert [column.label for column in shown.columns] == ["SSIM", "PSNR", "FID", "KID"]
    spread = shown.columns[0].spread
    values = sorted(s.value for r in found.records for s in r.scores if s.name.startswith("ssim"))
    assert spread == f"{values[0]:.3f} … {values[-1]:.3f}".replace("-", "−")
    assert shown.columns[1].spread and not shown.columns[2].spread, "FID is the same in both"
    notes = " ".join(shown.notes)
    assert "second is: unavailable: no weights here" in notes
    assert "pixels-256x176: unavailable: " in notes
    page = protocols.write(found, where)
    html, markdown = page.read_text(), (where / "protocols.md").read_text()
    assert "Mine|&lt;b&gt;" in html and "Mine|<b>" not in html
    assert "uniform7" in html and "uniform7" in markdown
    assert "\u2014" in html and "None" not in html, "the first protocol has no KID"
    assert markdown.count("\n| first ") == 1 and "Mine\\|" in markdown
    told = json.loads((where / "protocols.json").read_text())
    assert [p["protocol"] for p in told["protocols"] if p["record"]] == ["first", "second"]
    protocols.show(found)
    assert "least … largest" in capsys.readouterr().out


def test_again_costs_no_network(some):
    root, three = some
    measure(root / "mine", data=boxes.NAME, out=root / "all", only=three, show=False)
    ran = len(Counted.ran)
    again, _ = measure(root / "mine", data=boxes.NAME, out=root / "all", only=three, show=False)
    # What each metric can take is tried on one true image.
    assert len(Counted.ran) <= ran + 1
    assert len(again.records) == 2


def test_nothing_fits(some):
    root, three = some
    with pytest.raises(BenchError, match="no protocol measures images of this size"):
        measure(root / "mine", data=boxes.NAME, out=root / "all", only=three[2:], show=False)
    with pytest.raises(BenchError, match="no data"):
        measure(root / "mine", data="catwlk", out=root / "all", only=three, show=False)
    (root / "mine" / f"{boxes.Boxes()[0].id}.png").unlink()
    with pytest.raises(BenchError, match="1 missing"):
        measure(root / "mine", data=boxes.NAME, out=root / "all", only=three, show=False)


def test_each_protocol_gets_the_size_it_measures(tmp_path, fashion_root, fashion, crops, frames):
    """DeepFashion's 256 x 256 frames: whole under one protocol, columns 40..216 under another."""
    folder = lay(tmp_path / "square", files("gfla", fashion, crops, frames))
    both = [boxes.write_protocol(tmp_path, 256, width) for width in (176, 256)]
    found, _ = measure(folder, data=str(fashion_root), out=tmp_path / "all", only=both, show=False)
    narrow, wide = found.records
    assert narrow.score("ssim").value < wide.score("ssim").value, "the white sides are easy"
    assert narrow.model.card["images"]["decided"].endswith("columns 40..216 of 256x256")
    strips = lay(tmp_path / "strips", files("patn", fashion, crops, frames))
    found, _ = measure(strips, data=str(fashion_root), out=tmp_path / "all2", only=both, show=False)
    assert numbers(found.records[0]) == numbers(narrow)
    assert found.lines[1].record is None
    assert "layout patn under a 256x256 protocol has" in found.lines[1].why


def test_on_the_command_line(some, monkeypatch, capsys):
    root, three = some
    monkeypatch.setattr("fhpt_bench.protocol.names", lambda: [str(path) for path in three])
    command = ["fhpt-bench", "score", root / "mine", "--protocol", "all", "--data", boxes.NAME, "--out", root / "o"]
    for more in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", [*map(str, command), *more])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code in (0, None)
        said = capsys.readouterr()
        assert ("least … largest" in said.out) == (not more)
    assert [p["protocol"] for p in json.loads(said.out)["protocols"]] == ["first", "second", "pixels-256x176"]
    assert (root / "o" / "protocols.html").is_file()
