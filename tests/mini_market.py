"""A mini Market-1501 in the real layout: Catwalk's people at 128 x 64 under real-form names, and the field's lists.

source = write_archive(tmp_path / "src")        # bounding_box_train, bounding_box_test, query
write_lists(source)                             # market-pairs-*.csv, market-annotation-*.csv
folder = prepared(tmp_path)                     # through fhpt_bench.prepare
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import PIL.Image

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.types import Photo

FOLDERS = {"train": "bounding_box_train", "test": "bounding_box_test"}
MANDATORY = (2, 5, 8, 11)


@dataclass(frozen=True, eq=False)
class MiniPhoto:
    split: str
    person: str
    """``0002``; ``0000`` and ``-1``: distractors, of test only."""
    camera: int
    catwalk: Photo
    points: tuple[tuple[int, ...], tuple[int, ...]]
    """y, x in the 128 x 64 frame; -1: missing."""

    @property
    def stem(self) -> str:
        """``0002_c1s1_000451_03``"""
        return f"{self.person}_c{self.camera}s1_{451 + 25 * self.camera:06d}_0{self.camera}"

    @property
    def valid(self) -> bool:
        return self.person not in ("0000", "-1") and all(self.points[0][i] != -1 for i in MANDATORY)

    def image(self) -> np.ndarray:
        """128 x 64 x 3."""
        small = PIL.Image.fromarray(self.catwalk.read()).resize((64, 128), PIL.Image.Resampling.BICUBIC)
        return np.asarray(small)


_PLAN = (
    ("tr004-o1", "0002", "train", 3), ("tr005-o1", "0007", "train", 3), ("tr006-o1", "0010", "train", 3),
    ("tr007-o1", "0011", "train", 3), ("te02-o1", "0001", "test", 4), ("te03-o1", "0003", "test", 3),
    ("te04-o1", "0000", "test", 2), ("te05-o1", "-1", "test", 2),
)  # fmt: skip


@lru_cache(maxsize=1)
def photographs() -> tuple[MiniPhoto, ...]:
    """All 23: 12 of train, 11 of test, of which 4 are distractors and one shows no keypoint."""
    known = {photo.id: photo for split in ("test", "train") for photo in Catwalk(split).photos()}
    found = []
    for who, person, split, count in _PLAN:
        for camera, number in zip(range(1, 7), (1, 3, 4, 6)[:count], strict=False):
            photo = known[f"{who}-v{number}"]
            points = _points(photo) if (person, camera) != ("0003", 3) else ((-1,) * 18, (-1,) * 18)
            found.append(MiniPhoto(split, person, camera, photo, points))
    return tuple(found)


def of(split: str) -> list[MiniPhoto]:
    return [photo for photo in photographs() if photo.split == split]


def pairs(split: str) -> list[tuple[str, str]]:
    """Stems of every ordered pair of valid photographs of one id; test: 12 + 2, train: 24."""
    by_person: dict[str, list[str]] = {}
    for photo in of(split):
        if photo.valid:
            by_person.setdefault(photo.person, []).append(photo.stem)
    return [pair for stems in by_person.values() for pair in permutations(stems, 2)]


def write_archive(root: Path) -> Path:
    """``Market-1501-v15.09.15`` as its authors lay it out, with the stray ``Thumbs.db`` that the real one has."""
    top = root / "Market-1501-v15.09.15"
    for photo in photographs():
        folder = top / FOLDERS[photo.split]
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        PIL.Image.fromarray(photo.image()).save(buffer, format="JPEG", quality=95)
        (folder / f"{photo.stem}.jpg").write_bytes(buffer.getvalue())
        (folder / "Thumbs.db").write_bytes(b"not an image")
    (top / "query").mkdir()
    first = of("test")[0]
    (top / "query" / f"{first.stem}.jpg").write_bytes((top / "bounding_box_test" / f"{first.stem}.jpg").read_bytes())
    return root


def write_lists(root: Path, *, with_pairs: bool = True) -> Path:
    """``market-annotation-*.csv`` (``: `` between the fields) and ``market-pairs-*.csv``; test pairs: a sample of 10,
    as the real 12,000 are one of 257,198."""
    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        lines = [f"{photo.stem}.jpg: {list(photo.points[0])}: {list(photo.points[1])}" for photo in of(split)]
        text = "\n".join(["name:keypoints_y:keypoints_x", *lines]) + "\n"
        (root / f"market-annotation-{split}.csv").write_text(text)
        if with_pairs:
            chosen = pairs(split) if split == "train" else pairs(split)[3:13]
            rows = "".join(f"{a}.jpg,{b}.jpg\n" for a, b in chosen)
            (root / f"market-pairs-{split}.csv").write_text("from,to\n" + rows)
    return root


def prepared(folder: Path) -> Path:
    """All of it through ``fhpt_bench.prepare``; returns the prepared folder, images 128x64."""
    from fhpt_bench.prepare import prepare

    source = write_lists(write_archive(folder / "market1501-source"))
    prepare("market1501", source, folder / "market1501", workers=2)
    return folder / "market1501"


def _points(photo: Photo) -> tuple[tuple[int, ...], tuple[int, ...]]:
    seen = (photo.pose.visible > 0) & np.isfinite(photo.pose.keypoints).all(axis=1)
    scaled = (np.nan_to_num(photo.pose.keypoints) + 0.5) * [64 / 176, 0.5] - 0.5
    x, y = np.where(seen, scaled.T.round(), -1).astype(int).tolist()
    return tuple(y), tuple(x)
