"""Keypoints and face boxes for photographs that no list has, by a detector; streaming, and resumable at every batch.

What a detector finds stands apart from what the lists say: ``keypoints-<detector>.csv``, ``faces-<detector>.csv``. Rows
are added as they are found; the manifest names the file once every photograph has its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import detectors, points
from fhpt_bench.datasets import lists
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.datasets.prepared import read_checked
from fhpt_bench.detectors import Detector
from fhpt_bench.paths import atomic, write_json
from fhpt_bench.prepare import kinds, tables
from fhpt_bench.prepare.gather import FACES
from fhpt_bench.prepare.owner import owned
from fhpt_bench.progress import progress

AT_ONCE = 16
MARGINS = (0.07, 0.26, 0.07, 0.21)
"""Left, up, right, down: what a box adds to the face points, which begin at the brows, as shares of their height.

As Catwalk's exact boxes do. On every second of its validation photographs, with MediaPipe, box and truth overlap
by 0.90 (intersection over union, median of 72 faces; none below 0.5), and none is found where no face shows (24).
"""


@dataclass(frozen=True)
class Detected:
    """What a detector added."""

    table: str
    photographs: int
    """Of which the lists say nothing."""
    resumed: int
    """How many of them were done already."""
    found: int
    """On how many of them it found something."""
    derived: dict[str, int]
    """Pair lists that the keypoints made possible, or changed: how many pairs."""


Describe = Callable[[str, NDArray[np.float32]], str]
"""A photograph's name and its points 90 x 3 -> its row."""


def poses(root: Path, detector: str = detectors.DEFAULT, device: str = "cpu", show: bool | None = None) -> Detected:
    """Keypoints of every photograph that has none in any list, in PATN's form; pair lists that were derived, or could
    not be, are derived again.

    Places are rounded to whole pixels of the tables' frame; a point outside the frame, or not found, is -1. Run again,
    it goes on where it stopped. BenchError for a detector that cannot run.
    """
    with owned(root):
        made = _run(Folder.open(root), "keypoints", detector, device, f"{lists.HEADER}\n", _keypoint_row, show)
        return replace(made, derived=_derived_again(root))


def faces(root: Path, detector: str = detectors.DEFAULT, device: str = "cpu", show: bool | None = None) -> Detected:
    """Face boxes of every photograph that has none in a table: photo,x0,y0,x1,y1, empty where no face was found.

    The box holds the face points that the detector found, and ``MARGINS`` about them; clipped to the frame.
    """
    with owned(root):
        folder = Folder.open(root)
        frame = kinds.find(folder.kind).frame

        def row(name: str, found: NDArray[np.float32]) -> str:
            box = face_box(found, frame)
            return ",".join([name, *([""] * 4 if box is None else [f"{value:.1f}" for value in box])]) + "\n"

        return _run(folder, "faces", detector, device, f"{','.join(FACES)}\n", row, show)


def face_box(found: NDArray[np.float32], frame: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 about the face points of a person (90 x 3), None where none was found."""
    face = found[points.PARTS["face"]]
    seen = face[face[:, 2] > 0, :2]
    if not len(seen):
        return None
    (x0, y0), (x1, y1) = seen.min(axis=0), seen.max(axis=0)
    left, up, right, down = (margin * (y1 - y0) for margin in MARGINS)
    x0, y0, x1, y1 = x0 - left, y0 - up, x1 + right, y1 + down
    right, bottom = frame[1] - 1, frame[0] - 1
    corners = (np.clip(x0, 0, right), np.clip(y0, 0, bottom), np.clip(x1, 0, right), np.clip(y1, 0, bottom))
    return float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3])


def _keypoint_row(name: str, found: NDArray[np.float32]) -> str:
    body = found[points.PARTS["body"]]
    seen = body[:, 2] > 0
    places = np.where(seen[:, None], np.nan_to_num(body[:, :2]).round(), lists.MISSING).astype(np.int16)
    return lists.annotation_line(name, places)


def _run(
    folder: Folder, table: str, detector: str, device: str, header: str, row: Describe, show: bool | None
) -> Detected:
    """Detect on every photograph that is in no other table, and name the finished table in the manifest."""
    kind, name = kinds.find(folder.kind), f"{table}-{detector}.csv"
    size = "x".join(map(str, kind.frame))
    have = _listed(folder, table, but=name)
    rows = {r["photo"]: r for r in folder.rows("photos.csv") if r["photo"] not in have and r[size]}
    path = folder.root / name
    done = _finished(path, header)
    todo = [r for photo, r in rows.items() if photo not in done]
    if todo:
        with closing(detectors.build(detector, device)) as network:
            _name(folder.root, name, None)  # killed from here on, this leaves a folder that can be used
            if not done:
                tables.put(folder.root, name, header)
            with path.open("a", encoding="utf-8") as file, progress(f"{table}: {detector}", len(todo), show=show) as on:
                for start in range(0, len(todo), AT_ONCE):
                    batch = todo[start : start + AT_ONCE]
                    images = [_image(folder, r, size, kind.frame) for r in batch]
                    file.writelines(
                        row(r["photo"], found) for r, found in zip(batch, _detect(network, images), strict=True)
                    )
                    file.flush()
                    on(len(batch))
    if not rows:
        return Detected(name, 0, 0, 0, {})
    lines = _finished(path, header)
    kept = [lines[photo] for photo in rows]
    _name(folder.root, name, header + "".join(kept))
    return Detected(name, len(rows), len(rows) - len(todo), sum(not _empty(line) for line in kept), {})


def _listed(folder: Folder, table: str, but: str) -> set[str]:
    """Photographs of the tables of this kind, except one."""
    names = [n for n in folder.manifest["files"] if n != but and (n == f"{table}.csv" or n.startswith(f"{table}-"))]
    return {_photo(line) for name in names for line in folder.text(name).splitlines()[1:]}


def _photo(line: str) -> str:
    """Names have neither ``:`` nor ``,``."""
    return line.partition(":")[0].partition(",")[0].strip()


def _name(root: Path, name: str, content: str | None) -> None:
    """Write a table and name it in the manifest; None: take it out of the manifest."""
    manifest = dict(Folder.open(root).manifest)
    files = {table: sha256 for table, sha256 in manifest["files"].items() if table != name}
    if content is not None:
        files[name] = tables.put(root, name, content)
    if files != manifest["files"]:
        write_json(root / "manifest.json", {**manifest, "files": dict(sorted(files.items()))})


def _derived_again(root: Path) -> dict[str, int]:
    """Pair lists by the field's rule, with the keypoints that there are now, wherever no published list is."""
    folder = Folder.open(root)
    kind, known, counts = kinds.find(folder.kind), folder.keypoints(), dict[str, int]()
    for which in ("patn-train", "patn-test"):
        own = f"lists/pairs-{which}.csv"
        if folder.has(f"lists/{which}.lst") and (not folder.has(own) or which in folder.manifest["derived"]):
            pairs = tables.by_rule(kind, folder.names(which), known)
            _name(root, own, lists.csv_text(("from", "to"), pairs))
            counts[which] = len(pairs)
    if counts:
        manifest = dict(Folder.open(root).manifest)
        write_json(root / "manifest.json", {**manifest, "derived": sorted({*manifest["derived"], *counts})})
    return counts


def _detect(network: Detector, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """N x 90 x 3."""
    return network.detect(np.stack(images)).reshape(len(images), points.POINTS, 3)


def _image(folder: Folder, row: dict[str, str], size: str, frame: tuple[int, int]) -> NDArray[np.uint8]:
    return read_checked(folder.root / "images" / size, row["photo"], frame, bytes.fromhex(row[size]))


def _finished(path: Path, header: str) -> dict[str, str]:
    """Photo -> its line, of a table that may have been cut short; nothing of one with another header."""
    if not path.is_file():
        return {}
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if not lines or lines[0] != header:
        return {}
    whole = [line for line in lines[1:] if line.endswith("\n")]
    if len(whole) < len(lines) - 1:  # the last line was cut short: it must not become the beginning of the next
        with atomic(path, "w") as file:
            file.write(header + "".join(whole))
    return {_photo(line): line for line in whole}


def _empty(line: str) -> bool:
    return line.rstrip().endswith((",,,,", f":{[-1] * 18}:{[-1] * 18}"))
