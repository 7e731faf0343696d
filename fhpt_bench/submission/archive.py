"""The zip itself: which names it may hold, how large they may be, hashes; written to the same bits every time.

What comes in was made by somebody else: a name is checked against the few that there can be, nothing is extracted
under a name of the archive's, sizes are capped before anything is unpacked, and no pickle is ever read.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fhpt_bench.errors import BenchError
from fhpt_bench.folders.files import printable
from fhpt_bench.types import Rows

MANIFEST, RECORD, PROTOCOL, PAIRS = "manifest.json", "record.json", "protocol.toml", "pairs.txt"
NEEDED = (MANIFEST, RECORD, PROTOCOL, PAIRS)
MAX_FILES = 250_000
MAX_BYTES = 16 * 2**30
"""Unpacked, all together."""
_KINDS = {
    r"manifest\.json|record\.json|pairs\.txt": 256 * 2**20,
    r"protocol\.toml": 2**20,
    r"rows/[A-Za-z0-9][A-Za-z0-9.-]{0,99}\.npy": 4 * 2**30,
    r"images/[A-Za-z0-9][A-Za-z0-9._+=@-]{0,199}\.(png|jpg|jpeg|webp|bmp)": 64 * 2**20,
}
"""What an entry may be called, and how many bytes it may have unpacked."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 2**20


class Member(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(BaseModel):
    """``manifest.json``: the hash of every other file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["fhpt-bench submission"] = "fhpt-bench submission"
    version: Literal[1] = 1
    made_by: str
    files: dict[str, Member]


Source = bytes | Path | Callable[[], bytes]
"""What a file of the archive is made of: its bytes, a file on disk, or what reads them."""


def write(file: IO[bytes], members: Mapping[str, Source]) -> Manifest:
    """Write a submission; equal contents give equal bits (sorted names, one date, fixed rights)."""
    files = {name: _measure(members[name]) for name in sorted(members)}
    manifest = Manifest(made_by=f"fhpt-bench {version('fhpt-bench')}", files=files)
    text = json.dumps(manifest.model_dump(), indent=1) + "\n"
    with zipfile.ZipFile(file, "w") as archive:
        for name, source in sorted({**members, MANIFEST: text.encode()}.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            # Images are compressed already, and features of networks hardly shrink: 15 % for a minute a model.
            entry.compress_type = zipfile.ZIP_STORED if "/" in name else zipfile.ZIP_DEFLATED
            large = name in files and files[name].bytes > 2**31
            with _open(source) as given, archive.open(entry, "w", force_zip64=large) as taken:
                while chunk := given.read(_CHUNK):
                    taken.write(chunk)
    return manifest


def _open(source: Source) -> IO[bytes]:
    if isinstance(source, Path):
        return source.open("rb")
    return io.BytesIO(source if isinstance(source, bytes) else source())


def _measure(source: Source) -> Member:
    digest, count = hashlib.sha256(), 0
    with _open(source) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            count += len(chunk)
    return Member(sha256=digest.hexdigest(), bytes=count)


class Archive:
    """A submission somebody sent. BenchError for anything that is no submission, or would be unsafe to unpack."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._zip = path, archive
        self._infos = {info.orig_filename: info for info in archive.infolist()}
        if why := _refused(archive.infolist()):
            raise self._bad(why)
        if missing := [name for name in NEEDED if name not in self._infos]:
            raise self._bad(f"it holds no {missing[0]}")
        try:
            self.manifest = Manifest.model_validate_json(self.read(MANIFEST))
        except ValidationError as error:
            first = error.errors()[0]
            raise self._bad(f"{MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @property
    def names(self) -> list[str]:
        """Every file but the manifest, sorted."""
        return sorted(name for name in self._infos if name != MANIFEST)

    def read(self, name: str) -> bytes:
        """The whole of a file; BenchError where it is absent or damaged."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        if name not in self._infos:
            raise self._bad(f"it holds no {printable(name)}")
        left = self._infos[name].file_size
        try:
            with self._zip.open(self._infos[name]) as file:
                while chunk := file.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise self._bad(f"{name} is longer than it says")
                    yield chunk
        except BenchError:
            raise
        except Exception as error:  # zlib has errors of its own for damaged data
            raise self._bad(f"{name} cannot be unpacked ({error})") from None

    def hashes(self) -> dict[str, Member]:
        """What the files really are, whatever the manifest says."""
        found = {}
        for name in self.names:
            digest, count = hashlib.sha256(), 0
            for chunk in self.chunks(name):
                digest.update(chunk)
                count += len(chunk)
            found[name] = Member(sha256=digest.hexdigest(), bytes=count)
        return found

    def rows(self, name: str, place: Path, shape: tuple[int, int]) -> Rows:
        """The rows in ``name``, unpacked to the file ``place`` and mapped; BenchError unless float32 of ``shape``."""
        with place.open("wb") as file:
            for chunk in self.chunks(name):
                file.write(chunk)
        try:
            rows = np.lib.format.open_memmap(place, mode="r")  # never a pickle: objects cannot be mapped
        except (ValueError, OSError, SyntaxError, EOFError) as error:
            raise self._bad(f"{name} holds no rows ({error})") from None
        if rows.dtype != np.float32 or rows.shape != shape:
            raise self._bad(f"{name} holds {rows.dtype} {rows.shape}, not float32 {shape}")
        return rows

    def _bad(self, what: str) -> BenchError:
        return BenchError(f"not a submission that can be checked: {what}", where=self.path, fix="pack it again: submit")


@contextmanager
def opened(path: Path, file: IO[bytes] | None = None) -> Iterator[Archive]:
    """The submission in the file ``path``; file: where that is open already."""
    try:
        archive = zipfile.ZipFile(path if file is None else file)
    except FileNotFoundError:
        raise BenchError("no such file", where=path, fix="name a zip of fhpt-bench submit, or a row's JSON") from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BenchError(f"not a readable zip ({error})", where=path, fix="copy it again") from None
    with archive:
        yield Archive(path, archive)


def _refused(infos: list[zipfile.ZipInfo]) -> str:
    """Why nothing of this archive is read; empty where it is harmless."""
    if len(infos) > MAX_FILES:
        return f"it holds {len(infos)} files"
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        cap = next((cap for kind, cap in _KINDS.items() if re.fullmatch(kind, name)), None)
        if cap is None or ".." in name:
            return f"{printable(name)!r} is no file of a submission"
        if name in seen:
            return f"{name} is there twice"
        seen.add(name)
        if info.file_size > cap:
            return f"{name} would unpack to {info.file_size} bytes"
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"{name} is encrypted, or packed in another way than ours"
    total = sum(info.file_size for info in infos)
    return f"it would unpack to {total} bytes" if total > MAX_BYTES else ""
