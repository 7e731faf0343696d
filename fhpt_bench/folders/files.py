"""The files of a folder or a zip, read one at a time; nothing is ever extracted."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Lock

from fhpt_bench.errors import BenchError
from fhpt_bench.images import SUFFIXES

MAX_BYTES = 64 * 2**20
"""Of one file, unpacked: a strip of five 512x352 images without any compression has 3."""
MAX_FILES = 1_000_000


@dataclass(frozen=True, eq=False)
class Entry:
    """One image file. ``read`` gives its bytes; BenchError where it cannot be read or is too large."""

    name: str
    """Path inside the folder or zip, with forward slashes."""
    read: Callable[[], bytes] = field(repr=False)

    @property
    def stem(self) -> str:
        """The file's own name without its last suffix."""
        base = self.name.rpartition("/")[2]
        return base.rpartition(".")[0] or base


def printable(name: str) -> str:
    """``name`` as it may be shown: no terminal codes, no bytes that are no text, at most 200 characters."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    return text if len(text) <= 200 else f"{text[:100]}...{text[-97:]}"


class Files:
    """The image files of a folder (with all folders in it) or of a zip, by name in sorted order.

    Hidden files and what a Mac adds to its zips are left out; other files that are no images are counted in
    ``others``. BenchError where ``path`` is neither, or the zip holds an entry that climbs out of it, a link or an
    encrypted one: such an archive is refused whole.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._open = path, ExitStack()
        if path.is_dir():
            found = _in_folder(path)
        elif path.is_file() and path.suffix.lower() == ".zip":
            found = _in_zip(self._archive(path), path)
        elif path.exists():
            raise BenchError("neither a folder nor a zip", where=path, fix="name the folder that holds the images")
        else:
            raise BenchError("no such folder", where=path, fix="name the folder that holds the generated images")
        shown = [entry for entry in found if not _hidden(entry.name)]
        self.entries = sorted((e for e in shown if e.name.lower().endswith(SUFFIXES)), key=lambda entry: entry.name)
        self.others = len(shown) - len(self.entries)
        if not self.entries:
            self.close()
            raise BenchError("the folder holds no image", where=path, fix="put one image a pair there")

    def close(self) -> None:
        self._open.close()

    def _archive(self, path: Path) -> zipfile.ZipFile:
        try:
            return self._open.enter_context(zipfile.ZipFile(path))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BenchError(f"not a readable zip ({error})", where=path, fix="pack or copy it again") from None


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _in_folder(root: Path) -> list[Entry]:
    found: list[Entry] = []
    for folder, _, names in os.walk(root):  # does not follow links to folders: they may lead round in a circle
        for name in names:
            path = Path(folder) / name
            found.append(Entry(path.relative_to(root).as_posix(), partial(read_file, path)))
            _count(len(found), root)
    return found


def read_file(path: Path) -> bytes:
    """The bytes of a file; BenchError where it is none, cannot be read or is larger than ``MAX_BYTES``."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BenchError("not a file", where=path, fix="remove it")
        with path.open("rb") as file:
            return _capped(file.read(MAX_BYTES + 1), path)
    except OSError as error:
        raise BenchError(f"cannot be read: {error.strerror}", where=path, fix="mend or remove it") from None


def _in_zip(archive: zipfile.ZipFile, path: Path) -> list[Entry]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    _count(len(infos), path)
    for info in infos:
        if why := _hostile(info):
            raise BenchError(f"zip entry {printable(info.filename)} {why}", where=path, fix="pack plain image files")
    lock = Lock()
    return [Entry(info.filename, partial(_read_entry, archive, info, path, lock)) for info in infos]


def _hostile(info: zipfile.ZipInfo) -> str:
    """Why an archive that holds this entry is refused; empty where it is harmless."""
    name = info.orig_filename
    if "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
        return "is no plain path"
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        return "climbs out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    return "is encrypted" if info.flag_bits & 0x1 else ""


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, lock: Lock) -> bytes:
    where = f"{path}: {printable(info.filename)}"
    try:
        with lock, archive.open(info) as file:  # zipfile counts its open entries without one
            return _capped(file.read(MAX_BYTES + 1), where)
    except BenchError:
        raise
    except Exception as error:  # zlib, bz2 and lzma raise errors of their own for damaged data
        raise BenchError(f"cannot be unpacked ({error})", where=where, fix="pack the archive again") from None


def _capped(content: bytes, where: object) -> bytes:
    if len(content) > MAX_BYTES:
        raise BenchError(f"the file is larger than {MAX_BYTES >> 20} MiB", where=where, fix="no image here needs that")
    return content


def _count(files: int, where: object) -> None:
    if files > MAX_FILES:
        raise BenchError(f"more than {MAX_FILES:,} files", where=where, fix="name the folder of the images alone")
