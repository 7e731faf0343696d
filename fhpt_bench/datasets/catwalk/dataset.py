"""The loader: pairs, photographs, annotations, regions and flow. Needs no renderer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.datasets.catwalk import pairs
from fhpt_bench.datasets.catwalk.archive import Archive, Decoder, verified
from fhpt_bench.datasets.catwalk.surface import PARTS, Surface, decode, match
from fhpt_bench.datasets.catwalk.warp import exact_warp
from fhpt_bench.datasets.skeletons import CIHP20
from fhpt_bench.errors import BenchError
from fhpt_bench.types import Face, Image, Mask, Pair, Photo, Pose

SPLITS = ("train", "val", "test")
DECODED = 256
"""Images kept decoded (35 MB): a photograph is the source or target of several pairs."""
_CODE = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
DATA = Path(__file__).parent / "data"
_CLASS = {name: i for i, name in enumerate(CIHP20)}
_CLOTHES = [_CLASS[n] for n in ("hat", "glove", "upper_clothes", "dress", "coat", "socks", "pants", "scarf", "skirt")]
_HANDS = [PARTS.index("left_hand"), PARTS.index("right_hand")]


class Catwalk:
    """Rendered people on white, 256 x 176, with exact annotations (``docs/catwalk.md``).

    ``split``: ``train`` (96 people; all valid ordered pairs), ``val`` (12 people, 120 pairs) or ``test`` (32 people,
    600 pairs). ``root``: a folder that ``fhpt-bench data render catwalk`` wrote; the shipped data where None.
    Raises BenchError for an unknown split and for any file that is not the manifest's.
    """

    name = "catwalk"
    splits = SPLITS
    size = (256, 176)
    synthetic = True

    def __init__(self, split: str = "test", root: Path | None = None) -> None:
        if split not in SPLITS:
            raise BenchError(f"catwalk has no split {split!r}", fix=f"one of {', '.join(SPLITS)}")
        self.split, self.root = split, Path(root) if root else DATA
        manifest = self._manifest()
        self._files: dict[str, str] = manifest["files"]
        self._photos: dict[str, Photo] = {}
        self._archives: dict[str, Archive] = {}
        self._corners: dict[str, NDArray[np.float32]] = {}
        self._decode = Decoder(self._archives, DECODED)
        self._load()
        self._pairs = self._listed() if f"pairs-{split}.csv" in self._files else pairs.valid(self._notes)
        self._surface = lru_cache(64)(self._read_surface)

    def __reduce__(self) -> tuple[Any, ...]:
        return Catwalk, (self.split, None if self.root == DATA else self.root)

    def _manifest(self) -> dict[str, Any]:
        path = self.root / "manifest.json"
        try:
            data = path.read_bytes()
            manifest: dict[str, Any] = json.loads(data)
        except (OSError, ValueError) as error:
            raise BenchError(
                "no readable manifest of a Catwalk data set", where=path, fix="reinstall the package, or check --root"
            ) from error
        self.sha256 = hashlib.sha256(data).hexdigest()
        return manifest

    def _load(self) -> None:
        """Open every person of the split: annotations now, pixels later."""
        self._notes: dict[str, Any] = {}
        names = sorted(n for n in self._files if n.startswith(f"{self.split}/"))
        if not names:
            raise BenchError(
                f"this data set has no {self.split} people", where=self.root, fix="render that split, or choose another"
            )
        for name in names:
            archive = Archive(self.root / name, self._files[name])
            notes = archive.annotations()
            self._corners |= {outfit: np.array(rows, np.float32) for outfit, rows in notes["corners"].items()}
            for photo_id, note in notes["photos"].items():
                self._notes[photo_id], self._archives[photo_id] = note, archive
                read = partial(self._decode, photo_id)
                self._photos[photo_id] = Photo(photo_id, _pose(note), notes["person"], read, note["labels"])

    def _listed(self) -> list[tuple[str, str]]:
        path = self.root / f"pairs-{self.split}.csv"
        return pairs.parse(verified(path, self._files[path.name]).decode())

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        source, target = self._pairs[index]
        # Photos of their own: a Photo keeps its image as long as it lives, and memory must not grow with the pairs.
        return Pair(pairs.pair_id(source, target), replace(self._photos[source]), replace(self._photos[target]))

    def photos(self) -> list[Photo]:
        """Every photograph of the split once, by person, outfit and view."""
        return [replace(photo) for photo in self._photos.values()]

    def training(self) -> Catwalk:
        """The training photographs of the same data, for protocols whose reference set they are."""
        return Catwalk("train", None if self.root == DATA else self.root)

    def validation(self) -> Catwalk:
        """The validation photographs: people apart from train and test, for thresholds."""
        return Catwalk("val", None if self.root == DATA else self.root)

    @property
    def regions_key(self) -> str:
        """Changes whenever ``regions`` would, for the same data: what the harness keeps masks under."""
        return _CODE

    def parsing(self, photo: Photo) -> NDArray[np.uint8]:
        """H x W, index in ``skeletons.CIHP20``. Hands are arms, neck is torso skin, a tie belongs to the upper
        clothes."""
        return self._archives[photo.id].parsing(photo.id)

    def surface(self, photo: Photo) -> Surface:
        """Which surface point each pixel shows: full resolution in test, every second pixel in train and val."""
        return self._surface(photo.id)

    def _read_surface(self, photo_id: str) -> Surface:
        corners = self._corners[self._notes[photo_id]["labels"]["outfit"]]
        points, parts = decode(self._archives[photo_id].surface(photo_id), corners)
        return Surface(points, parts, round(self.size[0] / parts.shape[0]), self.size)

    def flow(self, source: Photo, target: Photo) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """For each target pixel where the same surface point lies in the source (x, y; -1 where unknown), and its
        state.

        State: 0 visible in the source, 1 not visible, 2 background, as in Intr-Flow's ``.corr`` files (Li et al., CVPR
        2019). Raises BenchError where the two show different outfits.
        """
        if source.labels["outfit"] != target.labels["outfit"]:
            raise BenchError(
                f"no flow between two outfits ({source.id}, {target.id})", fix="choose photographs of one outfit"
            )
        return match(self.surface(source), self.surface(target), self.parsing(target) > 0)

    def regions(self, pair: Pair) -> dict[str, Mask]:
        """Masks over the target (H x W): foreground, background, visible and occluded (of the person's pixels: seen in
        the source or not), face (skin of the face inside the face box; empty where no face shows), hands, clothes
        (garments and socks, not shoes)."""
        parsing = self.parsing(pair.target)
        _, state = self.flow(pair.source, pair.target)
        person = parsing > 0
        return {
            "foreground": person, "background": ~person, "visible": state == 0, "occluded": state == 1,
            "face": (parsing == _CLASS["face"]) & _inside(pair.target.pose.face, self.size),
            "hands": self._hands(pair.target, parsing), "clothes": np.isin(parsing, _CLOTHES),
        }  # fmt: skip

    def exact_warp(self, pair: Pair) -> Image:
        """The source warped by the exact flow: see ``warp.exact_warp``. H x W x 3."""
        flow, state = self.flow(pair.source, pair.target)
        return exact_warp(pair.source.image, self.parsing(pair.source) > 0, flow, state)

    def _hands(self, photo: Photo, parsing: NDArray[np.uint8]) -> Mask:
        rows, columns = np.nonzero((parsing == _CLASS["left_arm"]) | (parsing == _CLASS["right_arm"]))
        _, parts = self.surface(photo).at_pixels(rows, columns)
        out = np.zeros(self.size, bool)
        out[rows, columns] = np.isin(parts, _HANDS)
        return out

    def check(self) -> None:
        """Hash every file of every split; BenchError naming the first that is missing or changed."""
        for name, sha256 in self._files.items():
            verified(self.root / name, sha256)

    @property
    def card(self) -> dict[str, Any]:
        """What the leaderboard prints about the data."""
        return {
            "name": self.name, "split": self.split, "sha256": self.sha256, "synthetic": True, "size": list(self.size),
            "people": len({p.person for p in self._photos.values()}), "photos": len(self._photos), "pairs": len(self),
            "licence": "CC0-1.0 (images and annotations)",
            "source": "rendered with fhpt-bench[catwalk] from CC0 MakeHuman assets",
        }  # fmt: skip


def _pose(note: dict[str, Any]) -> Pose:
    face = Face(
        np.array(note["face"], np.float32), np.array(note["face_visible"], np.uint8),
        None if note["box"] is None else tuple(note["box"]), note["frontal"],
    )  # fmt: skip
    return Pose(
        np.array(note["body"], np.float32), np.array(note["body_visible"], np.uint8),
        np.array(note["hands"], np.float32), np.array(note["hands_visible"], np.uint8), face,
    )  # fmt: skip


def _inside(face: Face | None, size: tuple[int, int]) -> Mask:
    out = np.zeros(size, bool)
    if face is not None and face.box is not None:
        x0, y0, x1, y1 = face.box
        out[max(int(np.ceil(y0)), 0) : int(np.floor(y1)) + 1, max(int(np.ceil(x0)), 0) : int(np.floor(x1)) + 1] = True
    return out
