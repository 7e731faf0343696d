"""What data sets in prepared folders share: photographs by name, pixels read and held against their hash on use."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from fhpt_bench import images
from fhpt_bench.datasets import corr, lists
from fhpt_bench.datasets.folder import Box, Folder
from fhpt_bench.errors import BenchError
from fhpt_bench.types import OUTSIDE, VISIBLE, Face, Image, Mask, Pair, Photo, Pose

Size = tuple[int, int]
HELD_OUT = 0.05
"""Share of the training people that ``val`` holds out of ``train``: those whose hash comes first."""
_NOSE, _EYES, _EARS = 0, (14, 15), (16, 17)
_UNKNOWN_FACE = 30


class PreparedSet:
    """A split of a prepared folder, at one size. ``photos()`` and pairs are made on use; nothing is decoded before.

    Splits: ``test``; ``trainval``, the published training list; ``val``, ``HELD_OUT`` of its people, none of whom is in
    the test list; ``train``, the rest.
    """

    kind: ClassVar[str]
    sizes: ClassVar[tuple[Size, ...]]
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "trainval", "test")
    synthetic = False

    def __init__(self, root: Path | str, split: str, size: Size, pairs: str) -> None:
        if split not in self.splits:
            raise BenchError(f"{self.kind} has no split {split!r}", fix=f"one of {', '.join(self.splits)}")
        if tuple(size) not in self.sizes:
            raise BenchError(f"{self.kind} is not prepared at {_label(size)}", fix=f"one of {self._known_sizes()}")
        self.root, self.split, self.size, self.name = Path(root), split, (size[0], size[1]), self.kind
        self.which = pairs
        self._images = self.root / "images" / _label(size)
        folder = Folder.open(self.root, self.kind)
        listed = "test" if split == "test" else "train"
        names = folder.names(f"{pairs}-{listed}")
        chosen = self._chosen(folder, names)
        self._names = [name for name in names if chosen(name)]
        self._place = {name: index for index, name in enumerate(self._names)}
        self._pairs = self._listed(folder, f"{pairs}-{listed}")
        self._read_tables(folder)
        self.sha256 = self._hash()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.root, self.split, self.size, self.which)

    def _known_sizes(self) -> str:
        return ", ".join(_label(size) for size in self.sizes)

    # What a data set says of its names.

    def person(self, name: str) -> str:
        """Who a photograph shows: the unit of intervals, and of ``val``."""
        raise NotImplementedError

    def labels(self, name: str) -> dict[str, str]:
        raise NotImplementedError

    def known_apart(self, name: str) -> str:
        """As ``person``, but the same for all that might be one person: what keeps ``val`` apart from test."""
        return self.person(name)

    def points_at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Places in the frame of the tables -> places in images of ``size``."""
        return points

    def parsing_at(self, parsing: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A parsing in the frame of the tables -> one of ``size``."""
        return parsing

    # Reading the tables.

    def _chosen(self, folder: Folder, names: Sequence[str]) -> Callable[[str], bool]:
        if self.split in ("test", "trainval"):
            return lambda name: True
        tested = folder.names(f"{self.which}-test") if folder.has(f"lists/{self.which}-test.lst") else []
        theirs = {self.known_apart(name) for name in tested}
        apart = {self.known_apart(name) for name in names} - theirs
        first = sorted(apart, key=lambda person: hashlib.sha256(person.encode()).hexdigest())
        held_out = set(first[: math.ceil(HELD_OUT * len(first))])
        return lambda name: (self.known_apart(name) in held_out) == (self.split == "val")

    def _listed(self, folder: Folder, which: str) -> NDArray[np.int32]:
        """N x 2: places of source and target; a pair of which one photograph is not of this split is not either."""
        pairs, place = folder.pairs(which), self._place
        if self.split in ("test", "trainval"):
            unknown = next((name for pair in pairs for name in pair if name not in place), None)
            if unknown is not None:
                fix = "the lists do not belong together: prepare again with lists of one split"
                raise BenchError(f"{unknown} is in the pairs but not in the list of names", where=self.root, fix=fix)
        rows = [(place[a], place[b]) for a, b in pairs if a in place and b in place]
        return np.array(rows, np.int32).reshape(-1, 2)

    def _read_tables(self, folder: Folder) -> None:
        label = _label(self.size)
        rows = {row["photo"]: row for row in folder.rows("photos.csv") if row["photo"] in self._place}
        lacking = [name for name in self._names if not rows.get(name, {}).get(label)]
        if lacking:
            raise BenchError(
                f"{len(lacking)} of {len(self._names)} photographs of {self.split} have no {label} image: "
                f"{', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}",
                where=self.root,
                fix=f"prepare again with them in SRC; what there is: fhpt-bench data check {self.root}",
            )
        self._pixels = [bytes.fromhex(rows[name][label]) for name in self._names]
        self._parsing = [bytes.fromhex(rows[name]["parsing"]) for name in self._names]
        points, faces = folder.keypoints(self._place), folder.faces()
        nowhere = np.full((18, 2), lists.MISSING, np.int16)
        self._points = np.stack([points.get(name, nowhere) for name in self._names] or [nowhere])
        self._at, self._visible = self._located(self._points)
        self._faces: dict[str, Box] = {n: box for n in self._names if (box := faces.get(n)) is not None}
        self.read_attributes(folder)

    def read_attributes(self, folder: Folder) -> None:
        """Whatever ``labels`` needs beside names."""

    def _hash(self) -> str:
        """Over pixels, parsing, keypoints, faces, labels and pairs of this split at this size, not over files: two
        people who prepared the same archive at other sizes, or with another zlib, have the same data."""
        digest = hashlib.sha256(f"{self.kind} 1 {self.split} {self.which} {self.size}\n".encode())
        for index, name in enumerate(self._names):
            about = f"{name} {self._faces.get(name)} {sorted(self.labels(name).items())}\n"
            digest.update(about.encode() + self._pixels[index] + self._parsing[index])
        digest.update(self._points.tobytes() + self._pairs.tobytes())
        return digest.hexdigest()

    # The data set.

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        source, target = (self.photo(self._names[place]) for place in self._pairs[index])
        return Pair(f"{source.id}_2_{target.id}", source, target)

    def photos(self) -> Sequence[Photo]:
        """Every photograph of the split once, in the list's order; each is made when it is asked for."""
        return _Photos(self)

    def photo(self, name: str) -> Photo:
        """The photograph called ``name``; a new object each time, so that decoded pixels do not pile up."""
        read = partial(read_checked, self._images, name, self.size, self._pixels[self._place[name]])
        return Photo(name, self._pose(name), self.person(name), read, self.labels(name))

    def _located(self, points: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """N x 18 x 2 of the tables -> places in images of ``size``, NaN where missing, and which are in the frame."""
        at = self.points_at(points.astype(np.float32))
        inside = (at > -0.5).all(axis=2) & (at[..., 0] < self.size[1] - 0.5) & (at[..., 1] < self.size[0] - 0.5)
        missing = (points == lists.MISSING).all(axis=2)
        at[missing] = np.nan
        return at, np.where(inside & ~missing, VISIBLE, OUTSIDE).astype(np.uint8)

    def _pose(self, name: str) -> Pose:
        place = self._place[name]
        at, visible = self._at[place], self._visible[place]
        return Pose(at.copy(), visible.copy(), face=self._face(name, visible))

    def _face(self, name: str, visible: NDArray[np.uint8]) -> Face | None:
        """The box; no face points. Frontal: nose, both eyes and both ears are among the keypoints."""
        if name not in self._faces:
            return None
        corners = self.points_at(np.array(self._faces[name], np.float32).reshape(2, 2)).reshape(4).tolist()
        frontal = bool(visible[[_NOSE, *_EYES, *_EARS]].all())
        points = np.full((_UNKNOWN_FACE, 2), np.nan, np.float32)
        return Face(
            points, np.zeros(_UNKNOWN_FACE, np.uint8), (corners[0], corners[1], corners[2], corners[3]), frontal
        )

    def training(self) -> PreparedSet:
        """Every photograph of the published training list, for protocols whose reference set they are."""
        return type(self)(self.root, "trainval", self.size, self.which)

    def validation(self) -> PreparedSet:
        """The held-out training people, for thresholds."""
        return type(self)(self.root, "val", self.size, self.which)

    def parsing(self, photo: Photo) -> NDArray[np.uint8] | None:
        """H x W, index in ``skeletons.CIHP20``; None where none was imported."""
        sha256 = self._parsing[self._place[photo.id]]
        if not sha256:
            return None
        path = self.root / "parsing" / f"{photo.id}.png"
        return self.parsing_at(read_parsing(path, sha256))

    def flow(self, source: Photo, target: Photo) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """For each pixel of the target where it lies in the source (x, y; -1 unknown), and its state, as
        ``Catwalk.flow``: from ``corr/<target>_<source>.corr``, which users with fitted bodies put into this folder.

        The files are in the frame of the tables, as parsings are. BenchError where the file is missing or unfit.
        """
        path = self.root / "corr" / f"{target.id}_{source.id}.corr"
        places, states = corr.read_corr(path)
        places, states = self.points_at(self.parsing_at(places)), self.parsing_at(states)  # type: ignore[arg-type]
        if states.shape != self.size:
            raise BenchError(
                f"a flow of {_label(states.shape)} for images of {_label(self.size)}",
                where=path, fix="flow is of the size of the original photographs",
            )  # fmt: skip
        there = (places > -0.5).all(2) & (places < np.array(self.size[::-1]) - 0.5).all(2) & (states < 2)
        states = np.where(there | (states == 2), states, 1).astype(np.uint8)
        return np.where(there[..., None], places.clip(0), -1).astype(np.float32), states

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        """foreground, background, face (skin) and clothes over the target, where its parsing was imported."""
        parsing = self.parsing(pair.target)
        return {} if parsing is None else {name: find(parsing) for name, find in REGIONS.items()}

    @property
    def card(self) -> dict[str, Any]:
        return {
            "name": self.name, "split": self.split, "sha256": self.sha256, "synthetic": False, "size": list(self.size),
            "people": len({self.person(name) for name in self._names}), "photos": len(self._names), "pairs": len(self),
            "list": self.which,
        }  # fmt: skip


_CLOTHES = (1, 3, 5, 6, 7, 8, 9, 11, 12)
"""CIHP: hat, glove, upper clothes, dress, coat, socks, pants, scarf, skirt; not shoes: as Catwalk's."""
REGIONS: Mapping[str, Callable[[NDArray[np.uint8]], Mask]] = {
    "foreground": lambda parsing: parsing > 0,
    "background": lambda parsing: parsing == 0,
    "face": lambda parsing: parsing == 13,
    "clothes": lambda parsing: np.isin(parsing, _CLOTHES),
}


class _Photos(Sequence[Photo]):
    def __init__(self, data: PreparedSet) -> None:
        self._data, self._names = data, data._names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> list[Photo]: ...
    def __getitem__(self, index: int | slice) -> Photo | list[Photo]:
        if isinstance(index, slice):
            return [self._data.photo(name) for name in self._names[index]]
        return self._data.photo(self._names[index])


def read_checked(folder: Path, name: str, size: Size, pixels: bytes) -> Image:
    """The image ``name`` in ``folder``; BenchError where it is not the one that was prepared."""
    path = folder / f"{name}.png"
    image, _ = images.read(path, size)
    if bytes.fromhex(images.pixels_sha256(image)) != pixels:
        raise BenchError("an image is not the one that was prepared", where=path, fix="fhpt-bench data check DIR")
    return image


def read_parsing(path: Path, sha256: bytes) -> NDArray[np.uint8]:
    """A parsing's class indices, H x W; BenchError where it is not the one that was prepared."""
    try:
        with PILImage.open(path) as file:
            index = np.asarray(file)
    except (OSError, ValueError, SyntaxError) as error:
        raise BenchError(f"a parsing cannot be read: {error}", where=path, fix="prepare again") from error
    if index.dtype != np.uint8 or bytes.fromhex(images.pixels_sha256(index)) != sha256:
        raise BenchError("a parsing is not the one that was prepared", where=path, fix="fhpt-bench data check DIR")
    return index


def _label(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
