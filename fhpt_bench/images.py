"""Image files in and out: RGB uint8 of the one right size, or a clear error."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic
from fhpt_bench.types import Image

_PNG_END = b"IEND\xaeB\x60\x82"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_UNREADABLE = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    PILImage.DecompressionBombError,
    PILImage.DecompressionBombWarning,  # where warnings are errors
)


def read(path: Path, size: tuple[int, int] | None = None) -> tuple[Image, str]:
    """Decode once: the image (H x W x 3 uint8) and the sha256 of the file's bytes.

    BenchError where the file is absent, corrupt, not 8-bit RGB, or not of ``size`` (height, width): nothing is
    converted or
    resized behind the user's back, since each such step changes every score.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BenchError("image is missing", where=path, fix="generate it again") from None
    return decode(content, where=path, size=size), hashlib.sha256(content).hexdigest()


def decode(content: bytes, *, where: object, size: tuple[int, int] | None = None) -> Image:
    """As ``read``, from bytes."""
    try:
        with PILImage.open(io.BytesIO(content)) as file:
            _refuse(file, where, size)  # before the pixels are decoded: a huge image costs nothing
            _whole(file, content)
            file.load()
            return np.asarray(file)
    except _UNREADABLE as error:
        raise _unreadable(error, where) from None


@dataclass(frozen=True)
class Header:
    """What a file says of its image before any pixel is decoded."""

    size: tuple[int, int]
    """height, width."""
    lossless: bool
    """Not JPEG nor lossy WebP: the pixels are those that the model made, as far as a file can say."""


def header(content: bytes, *, where: object) -> Header:
    """As ``decode``, without decoding pixels: a PNG cut short is seen, damage further inside is not."""
    try:
        with PILImage.open(io.BytesIO(content)) as file:
            _refuse(file, where, None)
            _whole(file, content)
            lossy = file.format == "JPEG" or (file.format == "WEBP" and b"VP8L" not in content[:64])
            return Header((file.height, file.width), not lossy)
    except _UNREADABLE as error:
        raise _unreadable(error, where) from None


def _whole(file: PILImage.Image, content: bytes) -> None:
    if file.format == "PNG" and _PNG_END not in content:
        # Pillow shows a file cut short in its last bytes without a word
        raise OSError("the end of the file is missing")


def _unreadable(error: Exception, where: object) -> BenchError:
    return BenchError(f"not a readable image ({error})", where=where, fix="write the file again, whole")


def _refuse(file: PILImage.Image, where: object, size: tuple[int, int] | None) -> None:
    if size is not None and (file.height, file.width) != tuple(size):
        raise BenchError(
            f"image is {file.height}x{file.width} (height x width), the protocol measures {size[0]}x{size[1]}",
            where=where,
            fix="write images at that size, or choose the protocol that measures yours (fhpt-bench list protocols)",
        )
    if file.mode == "RGB" and "transparency" not in file.info:
        return
    kinds = {
        "L": "greyscale",
        "1": "bilevel",
        "LA": "greyscale with alpha",
        "RGBA": "RGB with alpha",
        "P": "palette",
        "CMYK": "CMYK",
    }
    kind = "RGB with a transparent colour" if file.mode == "RGB" else kinds.get(file.mode, f"of mode {file.mode}")
    raise BenchError(
        f"image is {kind}; 8-bit RGB is needed", where=where, fix='convert it: PIL.Image.open(f).convert("RGB").save(f)'
    )


def write_png(path: Path, image: Image) -> None:
    """Write losslessly, whole or not at all."""
    with atomic(path) as file:
        PILImage.fromarray(image).save(file, format="PNG", compress_level=3)


def pixels_sha256(image: Image) -> str:
    """Content hash of decoded pixels: the cache key of a true image's features."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
