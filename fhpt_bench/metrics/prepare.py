"""What a protocol does to images before it measures them: cut, store as JPEG, crop, resize, pad, blur."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageFilter

from fhpt_bench.errors import BenchError

Filter = Literal["bicubic", "bilinear", "nearest", "linear"]
WHITE = 255
_Values = TypeVar("_Values", np.uint8, np.bool_)


@dataclass(frozen=True)
class Prepare:
    """Steps in the order of the fields; ``Prepare()`` changes nothing. In a protocol: ``prepare = { crop = [40, 216]
    }``.

    Both the generated and the true image go through it, and so do region masks (resized by the nearest pixel; what is
    padded belongs to no region). The released scripts of PATN and ADGAN, for one, are stored = 75, pad = [256, 256] on
    images of 256x176.
    """

    cut: bool = False
    """Turned to float32 in [-1, 1] and back, and cut there, not rounded, to whole grey levels, as scripts do with true
    images that passed through their loader: 63 of the 256 levels, most of them dark, come back one lower."""
    stored: int | None = None
    """Quality 1..100 of the JPEG (4:2:0) in which an image rests before anybody measures it."""
    crop: tuple[int, int] | None = None
    """Columns kept: first, and first not kept."""
    resize: tuple[int, int] | None = None
    """height, width; Pillow's filters, which widen when they shrink an image (antialiasing), as clean-fid argues.
    ``linear`` is OpenCV's bilinear of a float image: not antialiased, and not rounded, so only networks read it."""
    filter: Filter = "bicubic"
    pad: tuple[int, int] | None = None
    """height, width; white on all sides, the image in the middle (the odd pixel goes below or to the right)."""
    blur: int | None = None
    """Sigma of a Gaussian in pixels, 1..99 (Pillow's, three box filters): for measures of how an evaluator fares on
    images less sharp than it was trained on."""
    jpeg: int | None = None
    """Quality 1..100: encoded in memory by Pillow with its usual chroma subsampling (4:2:0), and decoded again."""

    def __post_init__(self) -> None:
        for name in ("crop", "resize", "pad"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _two_integers(name, value))
        if self.crop is not None and self.crop[0] >= self.crop[1]:
            raise BenchError(f"crop = {list(self.crop)} keeps no column", fix="crop = [first, first not kept]")
        if self.filter not in get_args(Filter):
            raise BenchError(f"filter = {self.filter!r}", fix=f"one of {', '.join(get_args(Filter))}")
        if self.blur is not None and not (type(self.blur) is int and 1 <= self.blur <= 99):
            raise BenchError(f"blur = {self.blur!r}", fix="sigma in whole pixels from 1 to 99")
        if not isinstance(self.cut, bool):
            raise BenchError(f"cut = {self.cut!r}", fix="true or false")
        for name in ("stored", "jpeg"):
            value = getattr(self, name)
            if value is not None and not (type(value) is int and 1 <= value <= 100):
                raise BenchError(f"{name} = {value!r}", fix="a quality from 1 to 100")
        if self.unrounded and (self.pad or self.blur or self.jpeg):
            raise BenchError(
                'pad, blur and jpeg cannot follow filter = "linear"', fix="another filter, or no such step"
            )

    @classmethod
    def of(cls, value: Prepare | Mapping[str, Any] | None) -> Prepare:
        """From a protocol's table; BenchError for an unknown step."""
        if isinstance(value, Prepare):
            return value
        known = [f.name for f in fields(cls)]
        if value is not None and (not isinstance(value, Mapping) or set(value) - set(known)):
            raise BenchError(f"prepare = {value!r}", fix=f"a table of {', '.join(known)}")
        return cls(**(value or {}))

    @property
    def label(self) -> str:
        """Short text for a score's name, such as ``crop40:216,pad256x256,jpeg75``; empty if nothing is done."""
        steps = [
            "cut" if self.cut else "",
            f"stored{self.stored}" if self.stored else "",
            f"crop{self.crop[0]}:{self.crop[1]}" if self.crop else "",
            f"{self.filter}{self.resize[0]}x{self.resize[1]}" if self.resize else "",
            f"pad{self.pad[0]}x{self.pad[1]}" if self.pad else "",
            f"blur{self.blur}" if self.blur else "",
            f"jpeg{self.jpeg}" if self.jpeg else "",
        ]
        return ",".join(step for step in steps if step)

    @property
    def unrounded(self) -> bool:
        """Prepared images are float32 of 0..255 and fractions."""
        return self.resize is not None and self.filter == "linear"

    def images(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """N x H x W x 3 -> N x H' x W' x 3 uint8 (float32 where ``unrounded``); BenchError where they are smaller than
        the crop or larger than the pad."""
        images = CUT[images] if self.cut else images
        images = _each(images, lambda image: _jpeg(image, self.stored)) if self.stored else images
        images = self._crop(images)
        if self.resize and images.shape[1:3] != self.resize:
            if self.unrounded:  # what reads it turns to float anyhow
                return linear(images, self.resize)  # type: ignore[return-value]
            images = _each(images, lambda image: self._resize(image, self.filter))
        images = self._pad(images, np.uint8(WHITE))
        images = _each(images, self._blur) if self.blur else images
        return _each(images, lambda image: _jpeg(image, self.jpeg)) if self.jpeg else images

    def masks(self, masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """N x H x W -> N x H' x W' bool: where the pixels of a region have gone."""
        masks = self._crop(masks)
        if self.resize and masks.shape[1:3] != self.resize:
            masks = _each(masks.astype(np.uint8), lambda mask: self._resize(mask, "nearest")).astype(np.bool_)
        return self._pad(masks, np.bool_(False))

    def _crop(self, images: NDArray[_Values]) -> NDArray[_Values]:
        if self.crop is None:
            return images
        if images.shape[2] < self.crop[1]:
            raise BenchError(
                f"crop = {list(self.crop)}, but the images are {images.shape[2]} columns wide",
                fix="score under a protocol made for images of this size (fhpt-bench list protocols)",
            )
        return images[:, :, self.crop[0] : self.crop[1]]

    def _resize(self, image: NDArray[np.uint8], filter_name: Filter) -> NDArray[np.uint8]:
        assert self.resize is not None
        how = PILImage.Resampling[filter_name.upper()]
        return np.asarray(PILImage.fromarray(image).resize((self.resize[1], self.resize[0]), how))

    def _pad(self, images: NDArray[_Values], value: _Values) -> NDArray[_Values]:
        if self.pad is None:
            return images
        more: tuple[int, int] = (self.pad[0] - images.shape[1], self.pad[1] - images.shape[2])
        if min(more) < 0:
            raise BenchError(f"pad = {list(self.pad)}, but the images are already larger", where=f"{images.shape[1:3]}")
        down, right = ((m // 2, m - m // 2) for m in more)
        around = [(0, 0), down, right, *[(0, 0)] * (images.ndim - 3)]
        return np.pad(images, around, constant_values=value)

    def _blur(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert self.blur is not None
        return np.asarray(PILImage.fromarray(image).filter(ImageFilter.GaussianBlur(self.blur)))


def _cut_levels() -> NDArray[np.uint8]:
    """What each grey level comes back as: ToTensor, Normalize(.5, .5), then (x + 1) / 2 * 255 as uint8, in float32."""
    inside = (np.arange(256, dtype=np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return ((inside + np.float32(1)) / np.float32(2) * np.float32(255)).astype(np.uint8)


CUT = _cut_levels()
How = Prepare | Mapping[str, Any] | None


def by_role(prepare: How, prepare_generated: How) -> dict[Literal["generated", "target"], Prepare]:
    """What is done to either image: the same, unless ``prepare_generated`` says otherwise."""
    target = Prepare.of(prepare)
    return {"generated": target if prepare_generated is None else Prepare.of(prepare_generated), "target": target}


def check_rounded(name: str, prepare: Prepare) -> Prepare:
    """``prepare`` itself; BenchError where it gives no whole grey levels, which pixel metrics compare."""
    if prepare.unrounded:
        raise BenchError(
            f'{name}: filter = "linear"', fix="a filter of Pillow's: only networks read what is not rounded"
        )
    return prepare


def linear(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """N x H x W x 3 -> N x h x w x 3 float32: each pixel from the four nearest, by their distances to its centre.

    The numbers of OpenCV's ``resize`` (INTER_LINEAR) of a float image and of torch's ``interpolate`` without
    antialiasing: where an image shrinks, pixels between are skipped.
    """
    found = images.astype(np.float32)
    for axis, length in ((1, size[0]), (2, size[1])):
        have = images.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * (have / length) - 0.5, 0, have - 1)
        low = np.floor(at).astype(np.intp)
        share = (at - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
        below, above = (np.take(found, i, axis) for i in (low, np.minimum(low + 1, have - 1)))
        found = below + (above - below) * share
    return found


def _jpeg(image: NDArray[np.uint8], quality: int | None) -> NDArray[np.uint8]:
    assert quality is not None
    file = io.BytesIO()
    PILImage.fromarray(image).save(file, format="JPEG", quality=quality)
    return np.asarray(PILImage.open(file))


def _each(images: NDArray[np.uint8], change: Any) -> NDArray[np.uint8]:
    return np.stack([change(np.ascontiguousarray(image)) for image in images])


def _two_integers(name: str, value: Any) -> tuple[int, int]:
    # TOML gives lists; True is an int to Python, but no number of pixels.
    least = 0 if name == "crop" else 1
    if not isinstance(value, list | tuple) or len(value) != 2 or any(type(v) is not int or v < least for v in value):
        what = "[first, first not kept] columns" if name == "crop" else "[height, width]"
        raise BenchError(f"{name} = {value!r}", fix=f"{name} = {what}, in pixels")
    return value[0], value[1]
