"""File names against the pair list: whole names are looked up, never split, and nothing is paired by sorted order."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fhpt_bench import images
from fhpt_bench.errors import BenchError
from fhpt_bench.folders.coverage import Coverage
from fhpt_bench.folders.files import Entry, Files, printable
from fhpt_bench.folders.layouts import Layout, Window, named
from fhpt_bench.folders.spelling import spell
from fhpt_bench.types import Dataset, Image, Pair

Names = Callable[[str], "str | None"]
"""File's stem -> the id of its pair."""


@dataclass(frozen=True, eq=False)
class Found:
    """One readable image file for each pair of ``ids``, and what the folder covers."""

    path: Path
    layout: Layout
    size: tuple[int, int]
    coverage: Coverage
    entries: Mapping[str, Entry]
    """Pair id -> file."""
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def read(self, pair_id: str) -> tuple[Image, str]:
        """The generated image of a pair (``size`` x 3 uint8) and a hash of what it was read from.

        BenchError where the file was damaged or changed since.
        """
        entry = self.entries[pair_id]
        content = entry.read()
        where = self.path / printable(entry.name)
        window = _window(self.layout, self.size, images.header(content, where=where), where)
        whole = images.decode(content, where=where)
        digest = hashlib.sha256(content)
        if whole.shape[:2] != self.size:
            digest.update(f"{window.top} {window.left} {self.size}".encode())
        rows, columns = slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)
        return np.ascontiguousarray(whole[rows, columns]), digest.hexdigest()


def find(
    path: Path, data: Dataset, indices: Sequence[int], *, layout: str = "auto", allow_missing: bool = False
) -> Found:
    """The images in a folder or zip for the pairs ``indices`` of ``data``.

    layout: a name of ``layouts.LAYOUTS``, or ``auto``: the layout by which most files have a pair, and of those the
    first that knows the files' size. BenchError for an unknown layout or where no name fits; CoverageError where the
    coverage is not whole (``Coverage.check``).
    """
    candidates = named(layout)
    files = Files(path)
    try:
        pairs = [data[i] for i in range(len(data))]
        chosen, ids, said = _choose(files, candidates, pairs, data.size, wanted=len(indices))
        coverage, entries = _cover(files, chosen, ids, [pairs[i].id for i in indices], data.size, said)
        coverage.check(path, allow_missing=allow_missing)
    except BaseException:
        files.close()
        raise
    return Found(path, chosen, data.size, coverage, entries, files.close)


def _choose(
    files: Files, candidates: Sequence[Layout], pairs: Sequence[Pair], size: tuple[int, int], wanted: int
) -> tuple[Layout, Mapping[Entry, str], str]:
    """The layout that explains the folder best: its matches, and in words why it was taken."""
    matches = [(layout, _match(files.entries, layout, pairs)) for layout in candidates]
    best = max(range(len(matches)), key=lambda i: _merit(*matches[i], size, first=-i))
    layout, ids = matches[best]
    if not ids:
        example = ", ".join(printable(entry.name) for entry in files.entries[:3])
        forms = "; ".join(f"{each.name}: {_example(each, pairs[0])}" for each in candidates)
        raise BenchError(
            f"0 of {wanted} pairs have an image; no file name is that of a pair (there: {example})",
            where=files.path,
            fix=f"name the files as one of the layouts, each with its own suffix, for example {forms}",
        )
    said = f"layout {layout.name}" + (f" ({len(ids)} of {len(files.entries)} names fit)" if len(candidates) > 1 else "")
    if layout.indexed:
        entry, pair_id = next(iter(ids.items()))
        first = int(entry.stem) - next(place for place, pair in enumerate(pairs) if pair.id == pair_id)
        said += f": a file's number, from {first}, is its place in the data set's pair list"
    return layout, ids, said


def _merit(layout: Layout, ids: Mapping[Entry, str], size: tuple[int, int], first: int) -> tuple[int, bool, int]:
    """How well a layout explains the files: more matches, then a file size that it knows, then its place."""
    fits = False
    if ids:
        try:
            head = images.header(next(iter(ids)).read(), where="")
            fits = layout.window(*head.size, size) is not None
        except BenchError:
            fits = False  # coverage will name the file
    return len(set(ids.values())), fits, first


def _example(layout: Layout, pair: Pair) -> str:
    if layout.listed is not None:
        return "the table's column file"
    names = layout.names(pair.id, pair.source.id, pair.target.id)
    return f"{names[0]}.png" if names else "     0.png (the pair's place in the list)"


def _match(entries: Sequence[Entry], layout: Layout, pairs: Sequence[Pair]) -> dict[Entry, str]:
    """The files that are some pair's, in order of their names."""
    if layout.listed is not None:
        return _by_table(entries, layout, layout.listed, pairs)
    look = _by_place(entries, pairs) if layout.indexed else _by_name(layout, pairs)
    found = ((entry, look(entry.stem)) for entry in entries)
    return {entry: pair_id for entry, pair_id in found if pair_id is not None}


def _by_table(
    entries: Sequence[Entry], layout: Layout, listed: Mapping[str, str], pairs: Sequence[Pair]
) -> dict[Entry, str]:
    known = {pair.id for pair in pairs}
    if strangers := [pair_id for pair_id in listed.values() if pair_id not in known]:
        what = f"{len(strangers)} rows name no pair of the data set: {', '.join(map(printable, strangers[:5]))}"
        raise BenchError(what, where=layout.name, fix="fhpt-bench data pairs lists the ids")
    return {entry: listed[entry.name] for entry in entries if entry.name in listed}


def _by_name(layout: Layout, pairs: Sequence[Pair]) -> Names:
    """Looked up as it is written first, then in ``spell``'s spelling; a spelling that two pairs share finds neither."""
    exact: dict[str, set[str]] = {}
    spelt: dict[str, set[str]] = {}
    for pair in pairs:
        for name in layout.names(pair.id, pair.source.id, pair.target.id):
            exact.setdefault(unicodedata.normalize("NFC", name), set()).add(pair.id)
            spelt.setdefault(spell(name), set()).add(pair.id)

    def look(stem: str) -> str | None:
        ids = exact.get(unicodedata.normalize("NFC", stem)) or spelt.get(spell(stem), set())
        return next(iter(ids)) if len(ids) == 1 else None

    return look


def _by_place(entries: Sequence[Entry], pairs: Sequence[Pair]) -> Names:
    """Names that are numbers, ``'%6d.png'``: from 0 if there is a 0, from 1 if there is one as large as the list."""
    numbers = {
        int(e.stem) for e in entries if e.stem.strip().isascii() and e.stem.strip().isdigit() and len(e.stem) < 12
    }
    first = 0 if 0 in numbers else 1 if len(pairs) in numbers else None

    def look(stem: str) -> str | None:
        text = stem.strip()
        if first is None or not (text.isascii() and text.isdigit() and len(text) < 12):
            return None
        place = int(text) - first
        return pairs[place].id if 0 <= place < len(pairs) else None

    return look


def _cover(
    files: Files, layout: Layout, ids: Mapping[Entry, str], wanted: Sequence[str], size: tuple[int, int], said: str
) -> tuple[Coverage, dict[str, Entry]]:
    """The report, and the file of each wanted pair that has a readable one."""
    of: dict[str, list[Entry]] = {}
    for entry, pair_id in ids.items():
        of.setdefault(pair_id, []).append(entry)
    single, duplicate, identical = _one_each({pair_id: of[pair_id] for pair_id in wanted if pair_id in of})
    windows, unreadable, lossy = look(single, layout, size)
    readable = {pair_id: entry for pair_id, entry in single.items() if pair_id in windows}
    crops = sorted({window.about for window in windows.values()} - {""})
    coverage = Coverage(
        layout=layout.name,
        pairs=len(wanted),
        missing=tuple(pair_id for pair_id in wanted if pair_id not in of),
        duplicate=duplicate,
        unmatched=tuple(printable(entry.name) for entry in files.entries if entry not in ids),
        unreadable=unreadable,
        identical=identical,
        others=files.others,
        lossy=lossy,
        decided=said + (f"; measured: {' or '.join(crops)}" if crops else ""),
    )
    return coverage, readable


def _one_each(of: Mapping[str, Sequence[Entry]]) -> tuple[dict[str, Entry], dict[str, tuple[str, ...]], int]:
    """One file a pair; the pairs whose files differ, by name; how many files were another's copy."""
    single: dict[str, Entry] = {}
    duplicate: dict[str, tuple[str, ...]] = {}
    identical = 0
    for pair_id, entries in of.items():
        if len(entries) > 1 and len({hashlib.sha256(entry.read()).digest() for entry in entries}) > 1:
            duplicate[pair_id] = tuple(printable(entry.name) for entry in entries)
        else:
            single[pair_id] = entries[0]
            identical += len(entries) - 1
    return single, duplicate, identical


def look(
    single: Mapping[str, Entry], layout: Layout, size: tuple[int, int]
) -> tuple[dict[str, Window], dict[str, str], int]:
    """Every file's header: the part to measure of the readable ones, the reasons of the others, how many are lossy."""

    def one(item: tuple[str, Entry]) -> tuple[str, Window, bool] | tuple[str, str]:
        pair_id, entry = item
        try:
            head = images.header(entry.read(), where="")
            return pair_id, _window(layout, size, head, ""), head.lossless
        except BenchError as error:
            return printable(entry.name), error.what

    windows: dict[str, Window] = {}
    unreadable: dict[str, str] = {}
    lossy = 0
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(one, single.items()):
            if len(found) == 2:
                unreadable[found[0]] = found[1]
            else:
                windows[found[0]], lossy = found[1], lossy + (not found[2])
    return windows, unreadable, lossy


def _window(layout: Layout, size: tuple[int, int], head: images.Header, where: object) -> Window:
    window = layout.window(*head.size, size)
    if window is None:
        raise BenchError(
            f"image is {head.size[0]}x{head.size[1]} (height x width), "
            f"layout {layout.name} under a {size[0]}x{size[1]} protocol has {' or '.join(layout.sizes(size))}",
            where=where,
            fix="write images at that size, name another --layout, or choose the protocol that measures yours",
        )
    return window
