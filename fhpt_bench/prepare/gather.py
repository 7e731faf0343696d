"""The lists in a source: whichever of PATN's, DSC's and the archive's own are there, in one spelling and one frame."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fhpt_bench.datasets import lists
from fhpt_bench.datasets.lists import Points, csv_text
from fhpt_bench.errors import BenchError
from fhpt_bench.prepare.kinds import Kind
from fhpt_bench.prepare.source import Entry, read_text

_LIST = re.compile(r"(annotation|pairs)s?[-_](train|test)\.csv$|(^|[-_])(train|test)\.lst$", re.I)
_DSC = re.compile(r"(^|/)(dsc|pose-gan|pose_gan|deformable)[^/]*/", re.I)
_SPLIT_FOLDERS = {"train": "train", "test": "test", "bounding_box_train": "train", "bounding_box_test": "test"}
FACES = ("photo", "x0", "y0", "x1", "y1")
_MOVED = 40
"""``resize`` lists are in the frame of 256x176, which begins at column 40 of 256x256."""


@dataclass
class Gathered:
    """Everything that the lists say, by our ids, in the frame of the tables."""

    names: dict[str, list[str]] = field(default_factory=dict)
    """``patn-test`` -> photographs of that list."""
    pairs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    points: dict[str, Points] = field(default_factory=dict)
    faces: str = ""
    """A table of face boxes that was brought along."""
    partition: dict[str, str] = field(default_factory=dict)
    """The archive's own: ``train``, ``query``, ``gallery``."""
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    """Item number -> attributes, colours."""
    derived: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    _from: dict[str, str] = field(default_factory=dict)


def gather(kind: Kind, entries: Sequence[Entry]) -> Gathered:
    """Read every list of ``entries``. BenchError for one that is damaged or names no photograph of ``kind``, and where
    two lists of one split differ."""
    found = Gathered()
    listed = [(entry, match) for entry in entries if (match := _LIST.search(entry.base))]
    # Names first, then annotations, then pairs: what a plain pair list belongs to shows in the names.
    for entry, match in sorted(listed, key=lambda one: (one[1][1] or "").lower()):
        what, split = (match[1] or "names").lower(), (match[2] or match[4]).lower()
        which = "dsc" if _DSC.search(entry.name) else "patn"
        if what == "names":
            _put(found, "names", f"{which}-{split}", _stems(kind, lists.read_names(read_text(entry)), entry), entry)
        elif what == "annotation":
            _annotation(found, kind, entry, f"{which}-{split}")
        else:
            _pairs(found, kind, entry, which, split)
    _complete_names(found, kind, entries)
    for entry in entries:
        _archive_list(found, kind, entry)
    return found


def _stems(kind: Kind, names: Iterable[str], entry: Entry) -> list[str]:
    stems = []
    for name in names:
        stem = kind.stem(name)
        if stem is None:
            raise BenchError(f"{name!r} is no photograph of {kind.name}", where=entry.name, fix="remove that list")
        stems.append(stem)
    return list(dict.fromkeys(stems))


def _put(found: Gathered, table: str, key: str, value: Sequence[object], entry: Entry) -> None:
    known = getattr(found, table)
    if key in known and known[key] != value:
        first = found._from[f"{table} {key}"]
        raise BenchError(
            f"two lists of {key} {table} differ: {first} and {entry.name}", fix="leave one of them in the source"
        )
    known[key], found._from[f"{table} {key}"] = value, entry.name


def _annotation(found: Gathered, kind: Kind, entry: Entry, which: str) -> None:
    raw = lists.read_annotation(read_text(entry), entry.name)
    columns = _MOVED if kind.name == "deepfashion" and "resize" in entry.base.lower() else 0
    points = {}
    for name, own in raw.items():
        (stem,) = _stems(kind, [name], entry)
        points[stem] = lists.moved(own, columns)
    differ = [s for s, own in points.items() if s in found.points and (found.points[s] != own).any()]
    if differ:
        fix = "a list in the 256x176 frame has 'resize' in its name, one in the 256x256 frame has not; leave one"
        what = f"{len(differ)} photographs have two annotations, such as {differ[0]}"
        raise BenchError(what, where=entry.name, fix=fix)
    found.points |= points
    found.names.setdefault(which, list(points))


def _pairs(found: Gathered, kind: Kind, entry: Entry, which: str, split: str) -> None:
    rows = lists.read_pairs(read_text(entry), entry.name)
    stem = {name: _stems(kind, [name], entry)[0] for pair in rows for name in pair}
    pairs = [(stem[a], stem[b]) for a, b in rows]
    plain = kind.name == "deepfashion" and "resize" not in entry.base.lower() and which == "patn"
    listed = found.names.get(f"patn-{split}")
    if plain and listed is not None and not set(stem.values()) <= set(listed):
        which = "dsc"  # `fasion-pairs-test.csv` is what both call theirs
    if again := lists.repeated(pairs):
        found.notes.append(f"{entry.name}: {again} pairs stand there more than once")
    _put(found, "pairs", f"{which}-{split}", pairs, entry)


def _complete_names(found: Gathered, kind: Kind, entries: Sequence[Entry]) -> None:
    """Splits without a list of names: the photographs of the pairs, else those in folders ``train`` and ``test``."""
    for which, pairs in found.pairs.items():
        if which not in found.names:
            found.names[which] = sorted({name for pair in pairs for name in pair})
            found.notes.append(f"{which}: no list of names; its photographs are those of its pairs")
    folders: dict[str, list[str]] = {}
    for entry in entries:
        split = next((s for part in entry.name.split("/")[:-1] if (s := _SPLIT_FOLDERS.get(part.lower()))), None)
        stem = kind.stem(entry.name) if split and not kind.ignored.search(entry.name) else None
        if split and stem:
            folders.setdefault(f"patn-{split}", []).append(stem)
    for which, stems in folders.items():
        if which not in found.names:
            found.names[which] = sorted(set(stems))
            found.notes.append(f"{which}: no list of names; its photographs are those in the folder of that name")


def _archive_list(found: Gathered, kind: Kind, entry: Entry) -> None:
    """What the In-shop archive brings beside photographs; and a table of face boxes."""
    if entry.base == "faces.csv":
        found.faces = _faces(kind, entry)
    elif kind.name != "deepfashion":
        return
    elif entry.base == "list_eval_partition.txt":
        for line in read_text(entry).splitlines()[2:]:
            cells = line.split()
            if len(cells) == 3 and (stem := kind.stem(cells[0])):
                found.partition[stem] = cells[2]
    elif entry.base == "list_attr_items.txt":
        _attributes(found, entry, entry.name.removesuffix(entry.base))
    elif entry.base == "list_attr_cloth.txt":
        found._from["attributes"] = read_text(entry)
    elif entry.base == "list_description_inshop.json":
        _colours(found, entry)


def _faces(kind: Kind, entry: Entry) -> str:
    """A table of face boxes with our names; BenchError for a row that is none."""
    rows: list[tuple[str, ...]] = []
    for row in csv.DictReader(read_text(entry).splitlines()):
        corners = [(row.get(corner) or "").strip() for corner in FACES[1:]]
        try:
            wrong = any(corners) and not all(math.isfinite(float(corner)) for corner in corners)
        except ValueError:
            wrong = True
        if wrong:
            fix = f"columns {','.join(FACES)}, in pixels of the {kind.frame[0]}x{kind.frame[1]} frame; empty: no face"
            raise BenchError(f"not a face box: {corners}", where=f"{entry.name}, {row.get('photo')}", fix=fix)
        rows.append((_stems(kind, [row.get("photo") or ""], entry)[0], *corners))
    return csv_text(FACES, rows)


def _attributes(found: Gathered, entry: Entry, folder: str) -> None:
    """Rows of 1 and -1 an item; the names stand in ``list_attr_cloth.txt``, which sorts before this file."""
    names = [line.strip() for line in found._from.get("attributes", "").splitlines()[2:] if line.strip()]
    if not names:
        found.notes.append(f"{entry.name}: not read, since {folder}list_attr_cloth.txt, which names them, is missing")
        return
    for line in read_text(entry).splitlines()[2:]:
        item, *values = line.split() or [""]
        if len(values) != len(names):
            what = f"{item}: {len(values)} values for {len(names)} attributes"
            raise BenchError(what, where=entry.name, fix="fetch it again")
        words = [name for name, value in zip(names, values, strict=True) if value == "1"]
        found.words.setdefault(item, {})["attributes"] = ";".join(words)


def _colours(found: Gathered, entry: Entry) -> None:
    try:
        rows = json.loads(read_text(entry))
        colours: dict[str, set[str]] = {}
        for row in rows:
            colours.setdefault(str(row["item"]), set()).add(str(row["color"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BenchError(f"not the archive's descriptions: {error}", where=entry.name, fix="fetch it again") from None
    for item, names in colours.items():
        found.words.setdefault(item, {})["colours"] = ";".join(sorted(names))
