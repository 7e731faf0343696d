"""A folder that ``fhpt-bench data prepare`` wrote, read: its tables, each held against the manifest first.

manifest.json           kind, sha256 of every table, counts, what was made from what
photos.csv              photo, what it was made from, sha256 of its pixels at each size and of its parsing
keypoints.csv           PATN's form, in the frame of 256x256 (Market: 128x64); keypoints-<detector>.csv: found ones
faces.csv               photo,x0,y0,x1,y1 in the same frame, empty: no face; faces-<detector>.csv
attributes.csv          item,attributes,colours
lists/<split>.lst       names of a split; lists/<list>-<split>.csv: its pairs
images/<HxW>/<photo>.png, parsing/<photo>.png (CIHP index, frame as keypoints)
prepare.jsonl           what is finished, so that preparing goes on where it stopped
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhpt_bench.datasets import lists
from fhpt_bench.datasets.lists import Points
from fhpt_bench.errors import BenchError

FORMAT = 1
_TABLE = re.compile(r"(?:lists/)?[a-z0-9-]+\.(?:csv|lst)")
_PHOTO = re.compile(r"[A-Za-z0-9_-]{1,150}")
"""A name becomes part of a path: a folder may be somebody else's work."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class Folder:
    """The tables of a prepared data set; nothing is kept that was read."""

    root: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path, kind: str = "") -> Folder:
        """BenchError where there is no manifest of (this) kind."""
        path = root / "manifest.json"
        prepare = f"fhpt-bench data prepare {kind or 'deepfashion'} SRC {root}"
        try:
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise BenchError("no prepared data set is here", where=root, fix=prepare) from None
        except (OSError, ValueError) as error:
            raise BenchError(f"the manifest cannot be read: {error}", where=path, fix=f"{prepare}, again") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or not manifest.get("kind"):
            raise BenchError("not a manifest of this version of fhpt-bench", where=path, fix=f"{prepare}, again")
        unsafe = next((name for name in manifest.get("files", ()) if not _TABLE.fullmatch(name)), None)
        if unsafe is not None:
            raise BenchError(f"the manifest names a table {unsafe[:80]!r}", where=path, fix=f"{prepare}, again")
        if kind and manifest["kind"] != kind:
            raise BenchError(f"this is {manifest['kind']}, not {kind}", where=root, fix="name the other folder")
        return cls(root, manifest)

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    def has(self, name: str) -> bool:
        return name in self.manifest["files"]

    def text(self, name: str) -> str:
        """A table's text; BenchError where it is not the one of the manifest."""
        path = self.root / name
        again = "fhpt-bench data prepare, again: it goes on where it stopped"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BenchError(f"a table cannot be read: {error.strerror}", where=path, fix=again) from error
        if hashlib.sha256(content).hexdigest() != self.manifest["files"].get(name):
            raise BenchError("a table is not the one in the manifest (sha256 differs)", where=path, fix=again)
        return content.decode()

    def rows(self, name: str) -> Iterator[dict[str, str]]:
        """Rows of a CSV table; none where the data set has no such table."""
        if self.has(name):
            for row in csv.DictReader(self.text(name).splitlines()):
                if "photo" in row:
                    self._checked(row["photo"], name)
                yield row

    def keypoints(self, only: Container[str] | None = None) -> dict[str, Points]:
        """By photo (of ``only``), in the frame of the tables: those of the lists first, then what detectors found."""
        found: dict[str, Points] = {}
        for name in self._tables("keypoints"):
            for photo, points in lists.read_annotation(self.text(name), self.root / name, only).items():
                found.setdefault(photo, points)
        return found

    def faces(self) -> dict[str, Box | None]:
        """By photo, in the frame of the tables; None where a detector looked and found none."""
        found: dict[str, Box | None] = {}
        for name in self._tables("faces"):
            for row in self.rows(name):
                found.setdefault(row["photo"], _box(row))
        return found

    def _tables(self, name: str) -> list[str]:
        """``keypoints.csv`` first, then ``keypoints-mediapipe.csv`` and the like."""
        own = [f"{name}.csv"] if self.has(f"{name}.csv") else []
        return own + sorted(file for file in self.manifest["files"] if file.startswith(f"{name}-"))

    def names(self, split: str) -> list[str]:
        """Photos of a published split, in the list's order; BenchError where its list was not in the archive."""
        names = lists.read_names(self._list(f"lists/{split}.lst"))
        for name in names:
            self._checked(name, split)
        return names

    def pairs(self, which: str) -> list[tuple[str, str]]:
        """``patn-test`` -> source and target of its pairs, in the list's order; BenchError where there are none."""
        return lists.read_pairs(self._list(f"lists/pairs-{which}.csv"), which)

    def _checked(self, photo: str, table: str) -> None:
        if not _PHOTO.fullmatch(photo):
            fix = "prepare it again from its archives"
            raise BenchError(f"{photo[:80]!r} cannot be a photograph's name", where=f"{self.root}, {table}", fix=fix)

    def _list(self, name: str) -> str:
        if not self.has(name):
            fix = "fhpt-bench data check says which lists are missing; put them into SRC and prepare again"
            raise BenchError(f"this data set was prepared without {Path(name).name}", where=self.root, fix=fix)
        return self.text(name)


def _box(row: Mapping[str, str]) -> Box | None:
    if not row["x0"]:
        return None
    x0, y0, x1, y1 = (float(row[corner]) for corner in ("x0", "y0", "x1", "y1"))
    return x0, y0, x1, y1


def kind_of(root: Path) -> str:
    """What a folder with a manifest holds; empty where the manifest says nothing of it, as Catwalk's."""
    try:
        manifest = json.loads((root / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(manifest.get("kind", "")) if isinstance(manifest, dict) else ""
