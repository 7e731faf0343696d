"""A zip from a stranger: what climbs out, is too large, hides a pickle or names code is refused or left alone."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from repack import MINI, contents, npy, raw, record, repack

from fhpt_bench import BenchError
from fhpt_bench.submission import archive, verify


def rejects(path: Path, words: str, protocol: Path | None = None) -> None:
    with pytest.raises(BenchError) as caught:
        verify(path, data=MINI, protocol=protocol, device="cpu")
    assert words in str(caught.value), caught.value


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png", "/etc/evil", "images/../../evil.png", "images/..png", "C:/evil.png", "images\\evil.png",
        "images/a/b.png", "rows/../evil.npy", "rows/.hidden.npy", "evil.py", "images/evil.svg", "images/\x1b[2J.png",
        "record.json/", "Record.json", "images/" + "a" * 201 + ".png",
    ],
)  # fmt: skip
def test_an_entry_that_is_none_of_ours(packed, tmp_path, name):
    with (tmp_path / "in.zip").open("wb") as file:
        raw(file, [*contents(packed).items(), (name, b"x")])
    before = set(tmp_path.rglob("*"))
    rejects(tmp_path / "in.zip", "is no file of a submission")
    assert set(tmp_path.rglob("*")) == before


def test_an_entry_twice(packed, tmp_path):
    with (tmp_path / "in.zip").open("wb") as file, pytest.warns(UserWarning, match="Duplicate"):
        raw(file, [*contents(packed).items(), ("record.json", b"{}")])
    rejects(tmp_path / "in.zip", "is there twice")


def test_too_large_once_unpacked(packed, tmp_path, monkeypatch):
    bomb = tmp_path / "in.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents(packed).items():
            file.writestr(name, content if name != "protocol.toml" else b"#" * 2**21)
    assert bomb.stat().st_size < 2**21
    rejects(bomb, "protocol.toml would unpack to 2097152 bytes")
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    rejects(packed, "it would unpack to")
    monkeypatch.setattr(archive, "MAX_FILES", 10)
    rejects(packed, "files")


def test_an_entry_that_lies_about_its_size(packed, tmp_path):
    with zipfile.ZipFile(packed) as file:
        info = file.getinfo("pairs.txt")
    content = bytearray(packed.read_bytes())
    place = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02"))
    while content[place + 46 : place + 46 + 9] != b"pairs.txt":
        place = content.index(b"PK\x01\x02", place + 4)
    content[place + 24 : place + 28] = struct.pack("<I", info.file_size - 10)
    (tmp_path / "in.zip").write_bytes(content)
    with pytest.raises(BenchError):
        verify(tmp_path / "in.zip", data=MINI, device="cpu")


def test_encrypted_and_strangely_packed(packed, tmp_path):
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as file:
        for name, content in contents(packed).items():
            file.writestr(name, content)
    rejects(tmp_path / "lzma.zip", "packed in another way")
    content = bytearray(packed.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    rejects(tmp_path / "locked.zip", "encrypted")


class Evil:
    def __reduce__(self):
        return (Path("pickle-was-here").write_text, ("x",))


def rows_name(path: Path) -> str:
    return next(name for name in contents(path) if name.startswith("rows/ssim"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (npy(np.array([[Evil()] * 3] * 42, object), pickle=True), "holds no rows"),
        (npy(np.zeros((42, 3), np.float64)), "holds float64 (42, 3)"),
        (npy(np.zeros((41, 3), np.float32)), "holds float32 (41, 3)"),
        (npy(np.zeros((42, 3), np.float32))[:-4], "holds no rows"),
        (b"no array", "holds no rows"),
        (b"", "holds no rows"),
    ],
)
def test_rows_that_are_none(packed, protocol, tmp_path, monkeypatch, rows, words):
    monkeypatch.chdir(tmp_path)
    rejects(repack(packed, tmp_path / "in.zip", {rows_name(packed): rows}), words, protocol)
    assert not (tmp_path / "pickle-was-here").exists()


def test_a_zip_of_arrays_in_the_place_of_rows(packed, protocol, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    rejects(repack(packed, tmp_path / "in.zip", {rows_name(packed): buffer.getvalue()}), "holds no rows", protocol)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"record.json": b"{}"}, "not a valid record"),
        ({"record.json": b'{"scores": NaN'}, "not a valid record"),
        ({"record.json": None}, "it holds no record.json"),
        ({"pairs.txt": None}, "it holds no pairs.txt"),
        ({"pairs.txt": b"../../x\n"}, "cannot name a file"),
        ({"pairs.txt": b"a\na\n"}, "or one twice"),
        ({"pairs.txt": b"\xff\xfe"}, "is no text"),
    ],
)
def test_parts_that_are_not_what_they_should_be(packed, tmp_path, change, words):
    rejects(repack(packed, tmp_path / "in.zip", change), words)


@pytest.mark.parametrize("manifest", [b"[]", b"{", b'{"made_by": "x", "files": {"a": {"sha256": "00", "bytes": 1}}}'])
def test_a_manifest_that_is_none(packed, tmp_path, manifest):
    rejects(repack(packed, tmp_path / "in.zip", {"manifest.json": manifest}, honest=False), "manifest.json: ")


def test_no_zip_half_a_zip_and_nothing(packed, tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    rejects(tmp_path / "text.zip", "not a readable zip")
    (tmp_path / "half.zip").write_bytes(packed.read_bytes()[:-300])
    rejects(tmp_path / "half.zip", "not a readable zip")
    rejects(tmp_path / "none.zip", "no such file")
    content = bytearray(packed.read_bytes())
    middle = content.index(b"rows/") + 60
    content[middle : middle + 20] = bytes(20)
    (tmp_path / "rot.zip").write_bytes(content)
    with pytest.raises(BenchError, match="cannot be unpacked"):
        verify(tmp_path / "rot.zip", data=MINI, device="cpu")


def test_code_that_a_record_or_protocol_names_is_never_run(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('code-was-here', 'w').close()\nclass Evil: pass\n")
    toml = contents(packed)["protocol.toml"].replace(b'use = "ssim"', b'use = "evil.py:Evil"')

    def edit(said):
        import hashlib

        said["data"]["name"] = "evil.py:Evil"
        said["protocol"] |= {"name": "evil", "sha256": hashlib.sha256(toml).hexdigest()}

    path = repack(packed, tmp_path / "in.zip", {"protocol.toml": toml, **record(packed, edit)})
    (tmp_path / "evil.toml").write_bytes(toml)
    verdict = verify(path, device="cpu", deep=True)
    states = {check.name: check.state for check in verdict.checks}
    assert states["protocol file"] == states["data"] == states["scores"] == states["rows"] == "unchecked"

    def climb(said):
        said["protocol"]["name"], said["data"]["split"] = "../evil", "../../x"

    verify(repack(packed, tmp_path / "b.zip", record(packed, climb)), device="cpu")
    assert not (tmp_path / "code-was-here").exists()


def test_an_image_that_is_none_or_of_another_size(packed, protocol, tmp_path):
    import hashlib

    everything = contents(packed)
    ids = everything["pairs.txt"].decode().split()
    everything[f"images/{ids[0]}.png"] = b"\x89PNG\r\n\x1a\n"
    said = "".join(f"{i} {hashlib.sha256(everything[f'images/{i}.png']).hexdigest()}\n" for i in ids)

    def edit(of):
        of["provenance"]["images_sha256"] = hashlib.sha256(said.encode()).hexdigest()

    change = {f"images/{ids[0]}.png": everything[f"images/{ids[0]}.png"], **record(packed, edit)}
    path = repack(packed, tmp_path / "in.zip", change)
    with pytest.raises(BenchError, match="not a readable image"):
        verify(path, data=MINI, protocol=protocol, deep=True, pairs=42, device="cpu")


def test_a_record_on_a_leaderboard_runs_nothing(tmp_path, monkeypatch, packed):
    """Pictures are looked for by the names of data set and model: only by those known here."""
    from fhpt_bench.pictures import galleries
    from fhpt_bench.record import Record

    monkeypatch.chdir(tmp_path)
    made = Record.model_validate_json(contents(packed)["record.json"])
    data = made.data.model_copy(update={"name": "os:system", "split": "touch code-was-here"})
    assert galleries([made.model_copy(update={"data": data})], []) == {}
    (tmp_path / "evil.py").write_text("open('code-was-here', 'w').close()\nclass Evil: pass\n")
    from fhpt_bench.datasets.catwalk import Catwalk

    data = made.data.model_copy(update={"name": "catwalk", "split": "test", "sha256": Catwalk().sha256})
    model = made.model.model_copy(update={"name": "evil.py:Evil"})
    assert galleries([made.model_copy(update={"data": data, "model": model})], []) == {}
    assert not (tmp_path / "code-was-here").exists()
