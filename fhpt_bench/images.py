"""Image files in and out: RGB uint8 of the one right size, or a clear error."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic
from fhpt_bench.types import Image

_PNG_END = b"IEND\xaeB\x60\x82"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


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
            if (
                file.format == "PNG" and _PNG_END not in content
            ):  # Pillow shows a file cut short in its last bytes without a word
                raise OSError("the end of the file is missing")
            file.load()
            return np.asarray(file)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        raise BenchError(f"not a readable image ({error})", where=where, fix="write the file again, whole") from None


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


def match(folder: Path, ids: list[str], known: set[str]) -> dict[str, Path]:
    """Pair id -> image file ``<pair id>.<png|jpg|jpeg|webp|bmp>`` directly in ``folder``.

    Every id needs exactly one file. A missing or duplicate one, or an image named after no pair of the data set
    (``known``), is a
    BenchError that lists and counts them: nothing is skipped, and nothing is paired by sorted order.
    """
    if not folder.is_dir():
        raise BenchError("no such folder", where=folder, fix="name the folder that holds the generated images")
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            files.setdefault(path.stem, []).append(path)
    if not files:
        raise BenchError(
            "the folder holds no image", where=folder, fix=f"put one image a pair there, named like {ids[0]}.png"
        )
    problems = {
        "missing": [i for i in ids if i not in files],
        "duplicate": [i for i in ids if len(files.get(i, ())) > 1],
        "unmatched": [name for name in files if name not in known],
    }
    if any(problems.values()):
        lines = [
            f"{len(names)} {kind}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
            for kind, names in problems.items()
            if names
        ]
        matched = len(ids) - len(problems["missing"])
        raise BenchError(
            f"{matched} of {len(ids)} pairs have an image; " + "; ".join(lines),
            where=folder,
            fix="name each image <pair id>.png (fhpt-bench data pairs lists the ids), one a pair, nothing else",
        )
    return {i: files[i][0] for i in ids}
