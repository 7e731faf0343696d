"""Archives and names made to do harm: refused whole, or shown harmlessly; nothing is written beside the run folder."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile

import boxes
import numpy as np
import pytest
from PIL import Image as PILImage
from result_files import write

from fhpt_bench import BenchError, score
from fhpt_bench.folders import files
from fhpt_bench.folders.files import Files, printable
from fhpt_bench.folders.matching import find

DATA = boxes.Boxes()


def png(image=None) -> bytes:
    buffer = io.BytesIO()
    PILImage.fromarray(np.zeros((64, 48, 3), np.uint8) if image is None else image).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def good(tmp_path):
    """A right zip, as a Mac packs it: in a folder, with resource forks."""
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(len(DATA)):
            archive.writestr(f"results/{DATA[i].id}.png", png(DATA[i].source.image))
            archive.writestr(f"__MACOSX/results/._{DATA[i].id}.png", b"fork")
        archive.writestr("results/notes.txt", "epoch 20")
    return path


def test_a_zip_scores_as_its_folder(tmp_path, good):
    protocol = boxes.write_protocol(tmp_path)
    for i in range(len(DATA)):
        write(tmp_path / "mine" / f"{DATA[i].id}.png", DATA[i].source.image)
    before = set(tmp_path.iterdir())
    zipped = score(good, protocol=protocol, data=DATA, out=tmp_path / "a", workers=4)
    plain = score(tmp_path / "mine", protocol=protocol, data=DATA, out=tmp_path / "b")
    assert [s.value for s in zipped.scores] == [s.value for s in plain.scores]
    assert zipped.model.name == "theirs"
    assert set(tmp_path.iterdir()) - before == {tmp_path / "a", tmp_path / "b"}, "nothing was unpacked"
    assert not list((tmp_path / "a").glob("**/*.png"))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../../evil.png", "climbs out"),
        ("a/../../evil.png", "climbs out"),
        ("/etc/evil.png", "climbs out"),
        ("C:/evil.png", "no plain path"),
        ("..\\evil.png", "no plain path"),
        ("\x1b[2Jevil/../x.png", "climbs out"),
    ],
)
def test_entries_that_climb_out(good, name, word):
    with zipfile.ZipFile(good, "a") as archive:
        info = zipfile.ZipInfo("x.png")
        info.filename = info.orig_filename = name
        archive.writestr(info, png())
    with pytest.raises(BenchError, match=word) as caught:
        Files(good)
    assert "\x1b" not in str(caught.value)


def test_links_and_encrypted_entries(tmp_path, good):
    with zipfile.ZipFile(good, "a") as archive:
        info = zipfile.ZipInfo("link.png")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BenchError, match="is a link"):
        Files(good)
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png())
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8 : at + 10] = struct.pack("<H", 1)
    path.write_bytes(bytes(content))
    with pytest.raises(BenchError, match="encrypted"):
        Files(path)


def test_a_bomb_is_not_unpacked(good, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    name = f"{DATA[0].id}.png"
    with zipfile.ZipFile(good, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"more/{name}", b"\0" * 50_000_000)
    with pytest.raises(BenchError, match="larger than"):
        find(good, DATA, range(42))
    monkeypatch.setattr(files, "MAX_FILES", 20)
    with pytest.raises(BenchError, match="more than 20 files"):
        Files(good)


def test_damaged_archives_and_entries(tmp_path, good):
    (tmp_path / "not.zip").write_bytes(b"PK nothing of the kind")
    with pytest.raises(BenchError, match="not a readable zip"):
        Files(tmp_path / "not.zip")
    content = bytearray(good.read_bytes())
    at = content.index(f"results/{DATA[7].id}.png".encode()) + 60
    content[at : at + 8] = b"\xff" * 8
    good.write_bytes(bytes(content))
    with pytest.raises(BenchError, match=rf"1 unreadable: results/{DATA[7].id}.png: cannot be unpacked"):
        find(good, DATA, range(42))


def test_a_huge_picture_costs_nothing(tmp_path):
    """60,000 x 60,000 pixels in a header: refused by the header."""
    import zlib

    for i in range(len(DATA)):
        write(tmp_path / f"{DATA[i].id}.png", DATA[i].source.image)
    path = tmp_path / f"{DATA[0].id}.png"
    content = bytearray(path.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(content))
    with pytest.raises(BenchError, match=f"1 unreadable: {DATA[0].id}"):
        find(tmp_path, DATA, range(42))


def test_names_are_shown_harmlessly(tmp_path):
    for i in range(len(DATA)):
        write(tmp_path / f"{DATA[i].id}.png", DATA[i].source.image)
    names = [
        "\x1b[31mred.png",
        "{0.__class__}.png",
        "%s%n.png",
        "a' OR 1=1;--.png",
        "x" * 240 + ".png",
        "$(touch x).png",
    ]
    for name in names:
        (tmp_path / name).write_bytes(png())
    (tmp_path / os.fsdecode(b"bytes\xff.png")).write_bytes(png())
    with pytest.raises(BenchError, match="7 unmatched") as caught:
        find(tmp_path, DATA, range(42))
    text = str(caught.value)
    assert "\x1b" not in text
    text.encode("utf-8")
    assert len(text) < 2000
    assert printable("\udcff\x07") == "\\xdcff\\x07"


def test_links_to_folders_are_not_followed(tmp_path):
    for i in range(len(DATA)):
        write(tmp_path / "in" / f"{DATA[i].id}.png", DATA[i].source.image)
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in")
    assert len(Files(tmp_path / "in").entries) == 42


def test_neither_folder_nor_zip(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(BenchError, match="neither a folder nor a zip"):
        Files(tmp_path / "x.tar")
    with pytest.raises(BenchError, match="no such folder"):
        Files(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BenchError, match="not a file"):
        Files(tmp_path).entries[0].read()
