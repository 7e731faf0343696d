"""OpenPose as users run it: over folders, its JSON taken in once and found again by an image's content.

    fhpt-bench data detections openpose JSON_DIR --images IMAGES_DIR

OpenPose itself is not run here. Its licence is for non-commercial research.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import images as image_files
from fhpt_bench import paths, points
from fhpt_bench.detectors.mappings import BODY_FROM_OPENPOSE25, FACE_FROM_IBUG68, translate
from fhpt_bench.errors import BenchError
from fhpt_bench.types import Rows

_COMMAND = "fhpt-bench data detections openpose JSON_DIR --images IMAGES_DIR"
_LENGTHS = {
    "pose_keypoints_2d": (18, 25),
    "hand_right_keypoints_2d": (21,),
    "hand_left_keypoints_2d": (21,),
    "face_keypoints_2d": (70,),
}
"""How many points each list of a person may hold; an empty or absent one was not looked for."""

Floats = NDArray[np.float32]


class OpenPoseFolder:
    """Looks images up, by the hash of their pixels, among the detections that were taken in (``take_in``)."""

    name: ClassVar[str] = "openpose-json"
    networks: ClassVar[tuple[str, ...]] = ()

    def __init__(self, device: str = "cpu") -> None:
        """BenchError where nothing was taken in yet."""
        hashes, self._rows = _read()
        if not hashes:
            raise BenchError("no OpenPose detections were taken in", where=_store(), fix=_COMMAND)
        self._where = {h: i for i, h in enumerate(hashes)}
        content = hashlib.sha256("".join(hashes).encode() + self._rows.tobytes()).hexdigest()
        self.key = f"{self.name} {content}"

    def detect(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 RGB -> N x 270 float32; BenchError that names the first image without detections."""
        found = []
        for number, image in enumerate(images):
            content = image_files.pixels_sha256(image)
            if content not in self._where:
                raise BenchError(
                    f"OpenPose's detections for an image are missing (number {number} of its batch, pixels sha256 "
                    f"{content[:16]}); the generated images and the true ones must both have been taken in",
                    where=_store(),
                    fix=_COMMAND,
                )
            found.append(self._rows[self._where[content]])
        return np.array(found, np.float32).reshape(len(images), points.WIDTH)

    def close(self) -> None:
        """Nothing is held."""


def take_in(json_dir: Path, images_dir: Path) -> str:
    """Read ``<stem>_keypoints.json`` for every image of a folder into the store; returns one line for the user.

    Detections are kept by the image's pixels, never by its name; those of an image taken in before are replaced.
    BenchError, with nothing stored, for an image without its file and for a file that OpenPose did not write.
    """
    if not images_dir.is_dir():
        raise BenchError("no such folder", where=images_dir, fix="name the folder of the images OpenPose was run on")
    files = sorted(p for p in images_dir.iterdir() if p.suffix.lower() in image_files.SUFFIXES)
    if not files:
        raise BenchError("the folder holds no image", where=images_dir, fix=_COMMAND)
    hashes, rows = _read()
    known: dict[str, Floats] = dict(zip(hashes, rows, strict=True))
    found, stems = 0, set[str]()
    for file in files:
        if file.stem in stems:
            raise BenchError(
                f"two images are called {file.stem}: OpenPose wrote one file for both",
                where=images_dir,
                fix="rename one",
            )
        stems.add(file.stem)
        image, _ = image_files.read(file)
        row = _row(json_dir / f"{file.stem}_keypoints.json", image.shape[1], image.shape[0])
        known[image_files.pixels_sha256(image)] = row
        found += bool((points.unpack(row)[1] > 0).any())
    _write(known)
    return f"{len(files)} images, {found} with a person; {len(known)} in {_store()}"


def _row(file: Path, width: int, height: int) -> Floats:
    """One JSON file of OpenPose -> a row; nobody in it: nothing found."""
    people = _people(file)
    if not people:
        return points.pack()
    parts = [{name: _part(person, name, file) for name in _LENGTHS} for person in people]
    # The person whose confidences sum highest over all parts; of equals the first.
    best = max(parts, key=lambda person: sum(float(p[:, 2].sum()) for p in person.values() if p is not None))
    body, right, left, face = best.values()
    if body is not None and len(body) == 25:
        body = translate(body, BODY_FROM_OPENPOSE25)
    row = points.pack(body, right, left, None if face is None else translate(face, FACE_FROM_IBUG68))
    places, confidence = points.unpack(row)
    seen = places[confidence > 0]
    # OpenPose writes pixels of the image it was given, unless --keypoint_scale told it to write shares.
    shares = len(seen) > 2 and seen.max() <= 1.0
    if shares or (seen < -1).any() or (seen > (width, height)).any():
        what = "shares, not pixels" if shares else f"outside the image of {width}x{height} pixels"
        raise BenchError(
            f"the places are {what}", where=file, fix="run OpenPose on these very images, --keypoint_scale 0"
        )
    return row


def _people(file: Path) -> list[Mapping[str, Any]]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BenchError("OpenPose's file for an image is missing", where=file, fix="run OpenPose again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BenchError(f"not readable as JSON ({error})", where=file, fix="run OpenPose again") from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(
        isinstance(person, dict) and "pose_keypoints_2d" in person for person in people
    ):
        raise BenchError("no list `people` as OpenPose writes it", where=file, fix="openpose --write_json JSON_DIR")
    return people


def _part(person: Mapping[str, Any], name: str, file: Path) -> Floats | None:
    """P x 3 of one part (x, y in pixels, confidence), NaN places where a point was not found; None for an empty
    list."""
    numbers = person.get(name) or []
    counts = _LENGTHS[name]
    try:
        part = np.asarray(numbers, np.float32)
    except (TypeError, ValueError, OverflowError):
        part = np.full(1, np.nan, np.float32)
    if part.size == 0:
        return None
    if part.ndim != 1 or part.size not in [3 * count for count in counts] or not np.isfinite(part).all():
        wanted = " or ".join(str(3 * count) for count in counts)
        raise BenchError(f"{name} is not a list of {wanted} numbers", where=file, fix="run OpenPose again")
    part = part.reshape(-1, 3)
    part[part[:, 2] <= 0, :2] = np.nan  # OpenPose writes 0, 0, 0 for a point it did not find
    return part


def _store() -> Path:
    return paths.cache() / "detections" / "openpose.npz"


def _read() -> tuple[list[str], Floats]:
    """Pixel hashes in order, and their rows; empty where nothing was taken in."""
    try:
        with _store().open("rb") as file, np.load(file, allow_pickle=False) as kept:
            hashes, rows = [str(h) for h in kept["hashes"]], np.asarray(kept["rows"], np.float32)
    except FileNotFoundError:
        return [], np.empty((0, points.WIDTH), np.float32)
    except Exception as error:  # a file cut short: zipfile, zlib and numpy each raise their own
        raise BenchError(f"not readable ({error})", where=_store(), fix=f"delete it, then {_COMMAND}") from error
    return hashes, rows


def _write(known: Mapping[str, Floats]) -> None:
    hashes = sorted(known)
    buffer = io.BytesIO()
    np.savez(buffer, hashes=np.array(hashes), rows=np.stack([known[h] for h in hashes]))
    with paths.atomic(_store()) as file:
        file.write(buffer.getvalue())
