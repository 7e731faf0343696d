"""A CSV that names generated and true images: measuring without a prepared data set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from fhpt_bench import images
from fhpt_bench.errors import BenchError
from fhpt_bench.folders import tables
from fhpt_bench.folders.coverage import Coverage
from fhpt_bench.folders.files import Entry, printable, read_file
from fhpt_bench.folders.layouts import Layout
from fhpt_bench.folders.matching import Found, look
from fhpt_bench.types import Image, Mask, Pair, Photo, Pose

LAYOUT = "pairs.csv"
COLUMNS = ("generated", "target", "source", "person")
_NO_POSE = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))


class PairsCSV:
    """The true images that a CSV names, as a data set: one pair a row, images read one at a time.

    Columns ``generated``, ``target`` and, where they are known, ``source`` and ``person``; paths are relative to the
    CSV's folder and stay inside it. The unit of the intervals is the person: without that column, pairs that share an
    image (by content, directly or through other pairs) count as one person, which is too few people where two are
    linked and too many where one is not. Nothing is known of poses, faces or labels. ``sha256`` covers true images,
    people and the order of rows, not the generated images, so that two models' CSVs compare. Raises BenchError for an
    unknown column, a path that climbs out, a true image that is missing, unreadable or of another size than the first.
    """

    split = "given"
    synthetic = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._root = self.path.parent
        self._rows = _rows(self.path)
        self.sources = "source" in self._rows[0]
        """Whether source photographs are known: what reads them is unavailable where they are not."""
        true = dict.fromkeys(row[role] for row in self._rows for role in ("target", "source") if role in row)
        self.size, hashes = _verify(self._root, list(true))
        known = "person" in self._rows[0]
        self._people = [row["person"] for row in self._rows] if known else _people(self._rows, hashes)
        self.name = self.path.stem + ("" if known else ", people by shared images")
        digest = hashlib.sha256()
        for row, person in zip(self._rows, self._people, strict=True):
            digest.update(f"{person}\0{hashes[row['target']]}\0{hashes.get(row.get('source', ''), '')}\n".encode())
        self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Pair:
        row, person = self._rows[index], self._people[index]
        target = self._photo(row["target"], person)
        if self.sources:
            return Pair(f"{index:06d}", self._photo(row["source"], person), target)
        # A stand-in that no metric's network is given.
        return Pair(f"{index:06d}", Photo(f"no source {index:06d}", _NO_POSE, person, self._black), target)

    def photos(self) -> list[Photo]:
        """Every true photograph once, targets first."""
        found: dict[str, Photo] = {}
        for role in ("target", "source")[: 1 + self.sources]:
            for row, person in zip(self._rows, self._people, strict=True):
                found.setdefault(row[role], self._photo(row[role], person))
        return list(found.values())

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        """None are known."""
        return {}

    def generated(self, indices: Sequence[int], *, allow_missing: bool = False) -> Found:
        """The generated images of those rows; CoverageError as for a folder."""
        layout = Layout(LAYOUT, (), ("{id}",))
        files = {f"{i:06d}": self._root / self._rows[i]["generated"] for i in indices}
        single = {
            pair_id: Entry(path.relative_to(self._root).as_posix(), partial(read_file, path))
            for pair_id, path in files.items()
            if path.is_file()
        }
        windows, unreadable, lossy = look(single, layout, self.size)
        coverage = Coverage(
            layout=LAYOUT,
            pairs=len(files),
            missing=tuple(printable(self._rows[int(i)]["generated"]) for i in files if i not in single),
            unreadable=unreadable,
            lossy=lossy,
            decided=f"{self.path.name}: {len(set(self._people))} people"
            + (" (pairs that share an image)" if "person" not in self._rows[0] else ""),
        )
        coverage.check(self.path, allow_missing=allow_missing)
        return Found(self.path, layout, self.size, coverage, {i: e for i, e in single.items() if i in windows})

    def _photo(self, name: str, person: str) -> Photo:
        return Photo(name, _NO_POSE, person, partial(self._read, name))

    def _black(self) -> Image:
        return np.zeros((*self.size, 3), np.uint8)

    def _read(self, name: str) -> Image:
        return images.read(self._root / name, self.size)[0]


def _rows(path: Path) -> list[dict[str, str]]:
    """The CSV's rows, every path checked."""
    rows = tables.read(path, COLUMNS[:2], COLUMNS[2:])
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        row |= {name: _inside(cell, path, line) for name, cell in row.items() if name != "person"}
        if (first := seen.setdefault(row["generated"], line)) != line:
            what = f"rows {first} and {line} name the same generated image, {printable(row['generated'])}"
            raise BenchError(what, where=path, fix="one generated image a pair")
    return rows


def _inside(text: str, path: Path, line: int) -> str:
    """A path that stays in the CSV's folder, in one spelling."""
    pure = PurePosixPath(text)
    if pure.is_absolute() or ".." in pure.parts or "\\" in text or "\0" in text or re.match(r"[A-Za-z]:", text):
        raise BenchError(
            f"row {line}: {printable(text)} does not lie below the CSV",
            where=path,
            fix="put the CSV into a folder above all its images; paths relative to it, with forward slashes",
        )
    return pure.as_posix()


def _verify(root: Path, names: Sequence[str]) -> tuple[tuple[int, int], dict[str, str]]:
    """The one size of the true images, and each one's content hash."""

    def one(name: str) -> tuple[tuple[int, int], str]:
        content = read_file(root / name)
        return images.header(content, where=root / name).size, hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(names, pool.map(one, names), strict=True))
    size = found[names[0]][0]
    for name, (other, _) in found.items():
        if other != size:
            what = f"true image is {other[0]}x{other[1]} (height x width), the first is {size[0]}x{size[1]}"
            raise BenchError(what, where=root / name, fix="bring all images to one size yourself, the same way for all")
    return size, {name: digest for name, (_, digest) in found.items()}


def _people(rows: Sequence[Mapping[str, str]], hashes: Mapping[str, str]) -> list[str]:
    """Connected components of pairs that share a true image, by content: ``group00000``, in order of first pairs."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = node = parent[above]
        return node

    for row in rows:
        parent[root(hashes[row["target"]])] = root(hashes[row.get("source", row["target"])])
    numbers: dict[str, int] = {}
    return [f"group{numbers.setdefault(root(hashes[row['target']]), len(numbers)):05d}" for row in rows]
