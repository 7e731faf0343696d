"""A prepared folder held against itself and against what the field's lists are known to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from fhpt_bench.datasets import lists, load
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.datasets.prepared import read_checked, read_parsing
from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import kinds
from fhpt_bench.prepare.kinds import Kind
from fhpt_bench.progress import progress

State = Literal["ok", "differs", "damaged", "note"]
NAMED = 5
"""Damaged files that are named one by one."""
_WINDOW = 256
_SLIM = (256, 176)


@dataclass(frozen=True)
class Finding:
    """One line of a check."""

    what: str
    found: str
    expected: str
    state: State
    """differs: not the count of the published lists. damaged: not what was prepared. note: counted, nothing known."""


def check(root: Path, *, workers: int = 2, show: bool | None = None) -> list[Finding]:
    """Every table and image against the manifest, counts against the known ones, and what to know of the lists.

    Reads every image once; memory holds the tables only. BenchError where ``root`` is no prepared folder.
    """
    folder = Folder.open(root)
    kind = kinds.find(folder.kind)
    damaged = list(_tables(folder))
    if damaged:
        return damaged  # nothing that the tables say can be believed
    return [
        Finding("tables", str(len(folder.manifest["files"])), "", "ok"),
        *_images(folder, kind, workers, show),
        *_counts(folder, kind),
        *_keypoints(folder, kind),
        *_pairs(folder, kind),
        *_hashes(folder, kind),
    ]


def exit_code(findings: Sequence[Finding]) -> int:
    """0: whole, and counts as known. 1: damaged. 3: whole, but not the published lists."""
    states = {finding.state for finding in findings}
    return 1 if "damaged" in states else 3 if "differs" in states else 0


def _tables(folder: Folder) -> Iterator[Finding]:
    for name in folder.manifest["files"]:
        try:
            folder.text(name)
        except BenchError as error:
            yield Finding(name, error.what, "", "damaged")


def _images(folder: Folder, kind: Kind, workers: int, show: bool | None) -> Iterator[Finding]:
    """Every image and parsing decoded, of its size, and with the pixels that the table says."""
    jobs: list[tuple[str, Callable[[], object]]] = []
    counts = dict.fromkeys((*kind.sizes, "parsing"), 0)
    for row in folder.rows("photos.csv"):
        for size in kind.sizes:
            if row[size]:
                counts[size] += 1
                height, width = map(int, size.split("x"))
                pixels, where = bytes.fromhex(row[size]), folder.root / "images" / size
                jobs.append((size, partial(read_checked, where, row["photo"], (height, width), pixels)))
        if row["parsing"]:
            counts["parsing"] += 1
            path = folder.root / "parsing" / f"{row['photo']}.png"
            jobs.append(("parsing", partial(read_parsing, path, bytes.fromhex(row["parsing"]))))
    bad: list[Finding] = []
    with progress("check images", len(jobs), show=show) as advance, ThreadPoolExecutor(max(1, workers)) as pool:
        for start in range(0, len(jobs), _WINDOW):
            window = jobs[start : start + _WINDOW]
            bad += [found for found in pool.map(lambda job: _image(*job), window) if found is not None]
            advance(len(window))
    yield from (
        Finding(f"{what} images" if what != "parsing" else "parsings", str(count), "", "ok")
        for what, count in counts.items()
    )
    yield from bad[:NAMED]
    if len(bad) > NAMED:
        yield Finding("further damaged images", str(len(bad) - NAMED), "0", "damaged")


def _image(what: str, read: Callable[[], object]) -> Finding | None:
    try:
        read()
    except BenchError as error:
        return Finding(str(error.where), error.what, f"a whole {what} image", "damaged")
    return None


def _counts(folder: Folder, kind: Kind) -> Iterator[Finding]:
    found = _splits(folder)
    counts = {f"{which} photographs": len(names) for which, names in found.items()}
    counts |= {f"{which} pairs": len(folder.pairs(which)) for which in found if folder.has(f"lists/pairs-{which}.csv")}
    if "patn-test" in found:
        tested = {kind.identity(name) for name in found["patn-test"]}
        counts["test items"] = len(tested)
        trained = {kind.identity(name) for name in found.get("patn-train", ())}
        if trained:
            counts["items in train and test"] = len(tested & trained)
    for what in dict.fromkeys((*kind.known, *counts)):
        known, count = kind.known.get(what), counts.get(what)
        derived = ", derived" if what.endswith(" pairs") and what[:-6] in folder.manifest["derived"] else ""
        optional = known is None or (count is None and what.startswith("dsc"))  # few have DSC's lists
        state: State = "note" if optional else "ok" if known == count else "differs"
        said = "missing" if count is None else f"{count}{derived}"
        yield Finding(what, said, "" if known is None else str(known), state)


def _splits(folder: Folder) -> dict[str, list[str]]:
    files = [name for name in folder.manifest["files"] if name.endswith(".lst")]
    return {(which := name.removeprefix("lists/").removesuffix(".lst")): folder.names(which) for name in files}


def _keypoints(folder: Folder, kind: Kind) -> Iterator[Finding]:
    points = folder.keypoints()
    photos = [row["photo"] for row in folder.rows("photos.csv")]
    yield Finding("photographs without keypoints in any list", str(sum(p not in points for p in photos)), "", "note")
    nobody = sum(bool(lists.missing(own).all()) for own in points.values())
    yield Finding("photographs on which no keypoint was found", str(nobody), "", "note")
    frames = {"x".join(map(str, kind.frame)): (0, kind.frame)}
    if kind.name == "deepfashion":
        frames["256x176"] = (-40, _SLIM)
    for label, (columns, frame) in frames.items():
        count = sum(
            lists.outside(own + [columns, 0] * (~lists.missing(own))[:, None], frame) for own in points.values()
        )
        yield Finding(f"keypoints outside the frame of {label}", str(count), "", "note")


def _pairs(folder: Folder, kind: Kind) -> Iterator[Finding]:
    points = folder.keypoints()
    for which, names in _splits(folder).items():
        if not folder.has(f"lists/pairs-{which}.csv"):
            continue
        pairs = folder.pairs(which)
        named = set(names)
        stray = sum(a not in named or b not in named for a, b in pairs)
        mixed = sum(kind.group(a) is None or kind.group(a) != kind.group(b) for a, b in pairs)
        groups = {name: group for name in names if (group := kind.group(name)) is not None}
        rule = set(lists.derive(points, groups))
        yield Finding(f"{which} pairs of unlisted photographs", str(stray), "0", "ok" if not stray else "damaged")
        yield Finding(f"{which} pairs of two outfits or people", str(mixed), "0", "ok" if not mixed else "differs")
        yield Finding(f"{which} pairs that stand there again", str(lists.repeated(pairs)), "", "note")
        said = f"{len(rule & set(pairs))} of the rule's {len(rule)}; {len(set(pairs) - rule)} against it"
        yield Finding(f"{which} pairs by the field's rule", said, "", "note")


def _hashes(folder: Folder, kind: Kind) -> Iterator[Finding]:
    """The data set's hash, as records have it, of every split and size that can be loaded."""
    for which in ("patn", "dsc"):
        for split in ("test", "trainval"):
            if not folder.has(f"lists/{which}-{split.removesuffix('val')}.lst"):
                continue
            for label in kind.sizes:
                height, width = map(int, label.split("x"))
                what = f"sha256 of {which} {split} at {label}"
                try:
                    data = load(f"{folder.root}@{which}", split, size=(height, width))
                    yield Finding(what, data.sha256, "", "ok")
                except BenchError as error:
                    yield Finding(what, f"cannot be used: {error.what.partition(':')[0]}", "", "note")
