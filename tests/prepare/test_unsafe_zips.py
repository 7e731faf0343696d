"""Archives that nobody should trust: refused by the name of the entry, with nothing written."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import mini_deepfashion as mini
import pytest

from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import prepare, source

GOOD = "img/MEN/Tees_Tanks/id_00000001/01_1_front.jpg"


def archive(folder: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "img.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(GOOD, mini._jpeg(mini.photographs()[0].image()))
        for name, content in entries:
            file.writestr(name, content)
    return folder


def refused(folder: Path, out: Path, match: str) -> None:
    for given in (folder, folder / "img.zip"):
        with pytest.raises(BenchError, match=match) as error:
            prepare("deepfashion", given, out)
        assert "img.zip" in str(error.value)
        assert not out.exists()


@pytest.mark.parametrize(
    "name",
    ["../img/WOMEN/Denim/id_00000001/01_1_front.jpg", "img/../../x.jpg", "/etc/x.jpg", "C:/x.jpg", "..\\x.jpg",
     "\\\\server\\x.jpg", "img/..", "a\0b.jpg"],
)  # fmt: skip
def test_entries_that_climb_are_refused_by_name(tmp_path: Path, name: str) -> None:
    harmless = "q" * len(name)  # zipfile would clean the name when writing
    folder = archive(tmp_path / "src", (harmless, b"x"))
    raw = (folder / "img.zip").read_bytes()
    assert raw.count(harmless.encode()) == 2
    (folder / "img.zip").write_bytes(raw.replace(harmless.encode(), name.encode()))
    refused(folder, tmp_path / "out", "leave its folder")


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("img/WOMEN/Denim/id_00000002/01_1_front.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    refused(archive(tmp_path / "src", (link, b"/etc/passwd")), tmp_path / "out", "is a link")


def test_bombs_are_refused_before_they_grow(tmp_path: Path) -> None:
    folder = archive(tmp_path / "src", ("fasion-resize-pairs-test.csv", bytes(8 << 20)))
    refused(folder, tmp_path / "out", "claims to grow")


def test_an_entry_that_lies_about_its_size(tmp_path: Path) -> None:
    """The header says 10 bytes, the stream holds more: the checksum gives it away, and no more than that is read."""
    folder = archive(tmp_path / "src", ("train.lst", b"x" * 5000))
    raw = (folder / "img.zip").read_bytes()
    place = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"train.lst"))
    (folder / "img.zip").write_bytes(raw[: place + 24] + struct.pack("<I", 10) + raw[place + 28 :])
    with pytest.raises(BenchError, match="damaged"):
        prepare("deepfashion", folder, tmp_path / "out")


def test_encrypted_zips_say_what_to_do(tmp_path: Path) -> None:
    folder = archive(tmp_path / "src")
    raw = bytearray((folder / "img.zip").read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    (folder / "img.zip").write_bytes(raw)
    refused(folder, tmp_path / "out", "password that its makers gave")


def test_not_a_zip_and_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = archive(tmp_path / "src", ("a.txt", b"x"))
    monkeypatch.setattr(source, "MOST_ENTRIES", 1)
    refused(folder, tmp_path / "out", "too many")
    (folder / "img.zip").write_bytes(b"PK\x03\x04 and then nothing")
    refused(folder, tmp_path / "out", "not a readable zip")


def test_a_damaged_photograph_in_a_zip_is_named(tmp_path: Path) -> None:
    folder = archive(tmp_path / "src")
    raw = bytearray((folder / "img.zip").read_bytes())
    raw[len(GOOD) + 200] ^= 0xFF
    (folder / "img.zip").write_bytes(raw)
    summary = prepare("deepfashion", folder, tmp_path / "out")
    assert len(summary.problems) == 1 and GOOD in summary.problems[0]


def test_an_image_larger_than_any_photograph_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhpt_bench.prepare.work.LARGEST_IMAGE", 1000)
    summary = prepare("deepfashion", archive(tmp_path / "src"), tmp_path / "out")
    assert len(summary.problems) == 1 and "longer than 1000 bytes" in summary.problems[0]


def test_zips_in_folders_are_read_in_place(tmp_path: Path) -> None:
    folder = archive(tmp_path / "src" / "Img")
    with source.opened(tmp_path / "src") as entries:
        assert [entry.name for entry in entries] == [f"Img/{GOOD}"]
        assert entries[0].read(1 << 20).startswith(b"\xff\xd8")
    assert sorted(path.name for path in folder.iterdir()) == ["img.zip"]
