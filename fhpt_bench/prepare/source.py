"""What the user downloaded, a folder or zips, as one listing; nothing is unpacked to disk, and nothing climbs out."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fhpt_bench.errors import BenchError

LARGEST_IMAGE = 64 << 20
LARGEST_LIST = 512 << 20
"""Bytes, uncompressed. The longest real list has 40 MB."""
LARGEST_RATIO = 1000
"""Uncompressed to compressed; deflate's own limit is 1032, a list's 10."""
MOST_ENTRIES = 2_000_000
_FIX = "fetch the archive again from its makers, and unzip it yourself if you trust it"


@dataclass(frozen=True)
class Entry:
    """A file of the source."""

    name: str
    """Path below the source, ``/`` between parts; what is in a zip follows the folder that the zip is in."""
    size: int
    """Bytes, uncompressed."""
    stamp: str
    """Changes with the content: CRC-32 of a zip's entry, time of a file."""
    read: Callable[[int], bytes]
    """``read(limit)``: the content; BenchError where it is longer than ``limit`` or damaged."""

    @property
    def base(self) -> str:
        return PurePosixPath(self.name).name


@contextmanager
def opened(source: Path) -> Iterator[list[Entry]]:
    """Every file in ``source``: a zip, or a folder with files, folders and zips; sorted by name.

    BenchError that names the first entry of a zip that is absolute, climbs (``..``), is a link, is encrypted or would
    grow beyond measure, and for a source that holds nothing.
    """
    if not source.exists():
        raise BenchError("no such file or folder", where=source, fix="name what you downloaded: a folder, or a zip")
    with ExitStack() as stack:
        entries = list(_zip(source, "", stack) if source.is_file() else _folder(source, stack))
        if not entries:
            raise BenchError("nothing is in it", where=source, fix="name what you downloaded: a folder, or a zip")
        yield sorted(entries, key=lambda entry: entry.name)


def _folder(root: Path, stack: ExitStack) -> Iterator[Entry]:
    for folder, _, files in os.walk(root):  # does not follow links to folders
        for file in files:
            path = Path(folder) / file
            name = path.relative_to(root).as_posix()
            if file.lower().endswith(".zip"):
                yield from _zip(path, f"{PurePosixPath(name).parent}/".removeprefix("./"), stack)
            elif path.is_file():
                about = path.stat()
                yield Entry(name, about.st_size, str(about.st_mtime_ns), _reader(path))


def _reader(path: Path) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        try:
            with path.open("rb") as file:
                return _whole(file.read(limit + 1), limit, path)
        except OSError as error:
            raise BenchError(f"cannot be read: {error.strerror}", where=path, fix="check the disk") from error

    return read


def _zip(path: Path, under: str, stack: ExitStack) -> Iterator[Entry]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise BenchError(f"not a readable zip: {error}", where=path, fix="fetch it again") from error
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise BenchError(f"{len(infos)} entries are too many", where=path, fix=_FIX)
    for info in infos:
        if not info.is_dir():
            where = f"{path}, entry {info.filename!r}"
            yield Entry(under + _safe(info, where), info.file_size, f"{info.CRC:08x}", _unzip(archive, info, where))
        else:
            _safe(info, f"{path}, entry {info.filename!r}")


def _safe(info: zipfile.ZipInfo, where: str) -> str:
    """The entry's name; BenchError where it may not be trusted."""
    name = info.orig_filename  # as the file has it: zipfile cuts what follows a NUL, and turns some separators
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ":" in parts[0] or ".." in parts or "\0" in name:
        raise BenchError("an entry of the zip would leave its folder", where=where, fix=_FIX)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BenchError("an entry of the zip is a link", where=where, fix=_FIX)
    if info.flag_bits & 1:
        fix = "unzip it with the password that its makers gave you, and name the folder"
        raise BenchError("the zip is encrypted", where=where, fix=fix)
    if info.file_size > LARGEST_LIST or info.file_size > LARGEST_RATIO * max(info.compress_size, 64):
        raise BenchError(f"an entry of the zip claims to grow to {info.file_size} bytes", where=where, fix=_FIX)
    return "/".join(parts)


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Callable[[int], bytes]:
    def read(limit: int) -> bytes:
        try:
            with archive.open(info) as file:
                return _whole(file.read(limit + 1), limit, where)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BenchError(f"an entry of the zip is damaged: {error}", where=where, fix="fetch it again") from error
        except Exception as error:  # zlib.error and lzma.LZMAError have no common base
            raise BenchError(f"an entry of the zip is damaged: {error}", where=where, fix="fetch it again") from error

    return read


def _whole(content: bytes, limit: int, where: object) -> bytes:
    if len(content) > limit:
        raise BenchError(f"longer than {limit} bytes", where=where, fix=_FIX)
    return content


def read_text(entry: Entry) -> str:
    """A list's text; BenchError where it is none."""
    try:
        return entry.read(LARGEST_LIST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchError(f"not a text: {error}", where=entry.name, fix="fetch it again") from error
