"""One photograph at every size, from whichever files of it the source has."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Image

MOST_PIXELS = 50_000_000
_UNREADABLE = (
    OSError, ValueError, SyntaxError, PILImage.DecompressionBombError,
    PILImage.DecompressionBombWarning,  # where warnings are errors
)  # fmt: skip
_LEFT, _WIDTH = 40, 176
Parts = Mapping[str, Image]
"""``square`` 256 x 256, ``slim`` 256 x 176, ``high`` 512 rows or more: what the source has of a photograph."""


def decode(content: bytes, where: str) -> Image:
    """H x W x 3 uint8 of a JPEG or PNG; BenchError where it is none, is cut short, has alpha or is beyond measure."""
    try:
        with PILImage.open(io.BytesIO(content), formats=("JPEG", "PNG")) as file:
            if file.width * file.height > MOST_PIXELS:
                raise ValueError(f"{file.width} x {file.height} pixels")
            if "A" in file.getbands() or "transparency" in file.info:
                raise ValueError("it has an alpha channel")
            return np.asarray(file.convert("RGB"))
    except _UNREADABLE as error:
        raise BenchError(f"not a readable photograph: {error}", where=where, fix="fetch it again") from None


def kind(image: Image) -> str:
    """``square``, ``slim`` or ``high``; empty where pose transfer has no use for such a size."""
    height, width = image.shape[:2]
    if (height, width) in ((256, 256), (256, 176)):
        return "square" if width == 256 else "slim"
    return "high" if height >= 512 and width >= 352 else ""


def fashion(parts: Parts, label: str) -> tuple[Image, str] | None:
    """A photograph at ``256x256``, ``256x176`` or ``512x352`` and which part it was made from; None where it cannot be.

    256x176 is columns 40..216 of the square, as PATN crops; 256x256 of a slim one adds white columns, so that this
    holds there too. Without either both come from the high-resolution file, resized straight to 256x176 as CFLD does
    (antialiased bicubic, PIL). 512x352 comes from that file only: nothing is enlarged.
    """
    if label == "512x352":
        return (_resized(parts["high"], (352, 512)), "high") if "high" in parts else None
    if "square" in parts:
        square = parts["square"]
        return (square if label == "256x256" else square[:, _LEFT : _LEFT + _WIDTH]), "square"
    made_from = next((part for part in ("slim", "high") if part in parts), None)
    if made_from is None:
        return None
    slim = parts["slim"] if made_from == "slim" else _resized(parts["high"], (_WIDTH, 256))
    if label == "256x176":
        return slim, made_from
    padded = np.full((256, 256, 3), 255, np.uint8)
    padded[:, _LEFT : _LEFT + _WIDTH] = slim
    return padded, made_from


def market(parts: Parts, label: str) -> tuple[Image, str] | None:
    """A photograph of Market-1501 as it is."""
    return (parts["own"], "own") if "own" in parts else None


Make = Callable[[Parts, str], tuple[Image, str] | None]


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(PILImage.fromarray(image).resize(size, PILImage.Resampling.BICUBIC))


def parsing(content: bytes, where: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """CIHP class indices at ``size`` (height, width) of the tables' frame, from a greyscale or palette PNG.

    One of 256 x 176 gets background columns; a larger one is resized (nearest) as its photograph is. BenchError where
    the image holds anything but indices 0..19.
    """
    fix = "an index PNG of CIHP's 20 classes: one channel, values 0..19"
    try:
        with PILImage.open(io.BytesIO(content), formats=("PNG",)) as file:
            if file.width * file.height > MOST_PIXELS or file.mode not in ("L", "P"):
                raise ValueError(f"{file.width} x {file.height} of mode {file.mode}")
            found = file.copy()
    except _UNREADABLE as error:
        raise BenchError(f"not a parsing: {error}", where=where, fix=fix) from None
    index = np.asarray(found)
    if index.max() > 19:
        raise BenchError(f"not a parsing of 20 classes: it holds {index.max()}", where=where, fix=fix)
    if index.shape == size:
        return index
    if size != (256, 256):
        raise BenchError(f"a parsing of {index.shape}, not {size}", where=where, fix=fix)
    if index.shape != (256, _WIDTH):
        index = np.asarray(found.resize((_WIDTH, 256), PILImage.Resampling.NEAREST))
    padded = np.zeros(size, np.uint8)
    padded[:, _LEFT : _LEFT + _WIDTH] = index
    return padded


def png(image: NDArray[np.uint8]) -> bytes:
    """Lossless."""
    buffer = io.BytesIO()
    PILImage.fromarray(image).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def labels(sizes: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """``sizes`` in the order of ``known``, all of them if none was named; BenchError for another."""
    unknown = [size for size in sizes if size not in known]
    if unknown:
        raise BenchError(f"no size {unknown[0]!r}", fix=f"one or more of {', '.join(known)}")
    return tuple(size for size in known if not sizes or size in sizes)
