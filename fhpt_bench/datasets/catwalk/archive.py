"""One person's file: a zip of images and annotations, checked against the manifest before anything in it is
believed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Image

_FIX = "the file has changed since it was made: fetch the data again (git checkout, or reinstall the package)"


def verified(path: Path, sha256: str) -> bytes:
    """The bytes of ``path``; BenchError where they are not those of the manifest."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(
            f"a file of the data set cannot be read: {error.strerror}", where=path, fix="reinstall the package"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BenchError("a file of the data set is not the one in the manifest (sha256 differs)", where=path, fix=_FIX)
    return data


def _short(photo_id: str) -> str:
    return photo_id.partition("-")[2]


class Archive:
    """Reads members by photo id; a member is named by what follows the person in it (``te07-o1-v5`` ->
    ``o1-v5.webp``). Opened, and checked, on first use; may be sent to another process."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.path, self.sha256 = path, sha256
        self._zip: zipfile.ZipFile | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "sha256": self.sha256, "_zip": None}

    def annotations(self) -> dict[str, Any]:
        """Person, part boxes by outfit, labels and points by photo."""
        found: dict[str, Any] = json.loads(self._read("annotations.json"))
        return found

    def image(self, photo_id: str) -> Image:
        """H x W x 3 uint8."""
        return self._pixels(f"{_short(photo_id)}.webp", "RGB")

    def parsing(self, photo_id: str) -> NDArray[np.uint8]:
        """H x W, CIHP class."""
        return np.ascontiguousarray(self._pixels(f"{_short(photo_id)}.parsing.webp", "RGB")[..., 0])

    def surface(self, photo_id: str) -> NDArray[np.uint8]:
        """h x w x 4, as ``surface.encode`` made it."""
        return self._pixels(f"{_short(photo_id)}.surface.webp", "RGBA")

    def _pixels(self, member: str, mode: str) -> NDArray[np.uint8]:
        try:
            with PillowImage.open(io.BytesIO(self._read(member))) as image:
                return np.array(image.convert(mode))
        except (UnidentifiedImageError, OSError) as error:
            raise BenchError(f"{member} is not an image: {error}", where=self.path, fix=_FIX) from error

    def _read(self, member: str) -> bytes:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(io.BytesIO(verified(self.path, self.sha256)))
            except zipfile.BadZipFile as error:
                raise BenchError(f"not a zip file: {error}", where=self.path, fix=_FIX) from error
        try:
            return self._zip.read(member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise BenchError(f"{member} is missing or damaged", where=self.path, fix=_FIX) from error


class Decoder:
    """Images by photo id, the latest ``keep`` of them kept decoded; may be sent to another process (without those)."""

    def __init__(self, archives: Mapping[str, Archive], keep: int) -> None:
        self._archives, self._keep = archives, keep
        self._kept = lru_cache(keep)(self._read)

    def __reduce__(self) -> tuple[Any, ...]:
        return Decoder, (self._archives, self._keep)

    def __call__(self, photo_id: str) -> Image:
        return self._kept(photo_id)

    def _read(self, photo_id: str) -> Image:
        return self._archives[photo_id].image(photo_id)
