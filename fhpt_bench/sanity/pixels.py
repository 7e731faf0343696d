"""Damage that needs nothing but pixels and a mask. Images are H x W x 3 uint8, masks H x W bool."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter
from scipy import ndimage

from fhpt_bench.types import Image, Mask

WHITE = 255
Floats = NDArray[np.float32]


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur, ``sigma`` in pixels."""
    return np.asarray(Pillow.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: Image, deviation: float, rng: np.random.Generator) -> Image:
    """White Gaussian noise of this standard deviation, in grey levels."""
    return _bytes(image + rng.normal(0, deviation, image.shape))


def jpeg(image: Image, quality: float) -> Image:
    """Saved as JPEG of this quality (Pillow, 4:2:0) and read again."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, format="JPEG", quality=int(quality))
    return np.asarray(Pillow.open(file))


def shift(image: Image, pixels: float) -> Image:
    """Moved to the right; what comes in is white."""
    out = np.full_like(image, WHITE)
    out[:, int(pixels) :] = image[:, : image.shape[1] - int(pixels)]
    return out


def fill(image: Image, hole: Mask) -> Image:
    """Each pixel of ``hole`` takes the nearest pixel outside it."""
    if not hole.any() or hole.all():
        return image
    near = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    filled: Image = image[near[0], near[1]]
    return filled


def paste(below: Image, above: Image, mask: Mask, feather: float = 0.7) -> Image:
    """``above`` laid over ``below`` inside ``mask``, with an edge as soft as a photograph's."""
    alpha = ndimage.gaussian_filter(mask.astype(np.float32), feather)[..., None]
    return _bytes(below * (1 - alpha) + above * alpha)


def warp(image: Image, mask: Mask, matrix: Floats) -> tuple[Image, Mask]:
    """Image and mask moved by ``matrix`` (2 x 3, x' = A x + b), bilinear; from outside comes white, and False."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2].ravel().tolist()
    size = (image.shape[1], image.shape[0])
    moved = Pillow.fromarray(image).transform(
        size, Pillow.Transform.AFFINE, inverse, Pillow.Resampling.BILINEAR, fillcolor=(WHITE, WHITE, WHITE)
    )
    inside = Pillow.fromarray(mask.astype(np.uint8) * 255).transform(
        size, Pillow.Transform.AFFINE, inverse, Pillow.Resampling.BILINEAR
    )
    return np.asarray(moved), np.asarray(inside) > 127


def recolour(image: Image, mask: Mask, amount: float) -> Image:
    """Inside ``mask`` the hue is turned half round and grey gets a colour, lightness kept; ``amount`` 0..1 blends."""
    hsv = np.asarray(Pillow.fromarray(image).convert("HSV")).astype(np.int16)
    hsv[..., 0] = (hsv[..., 0] + 128) % 256
    hsv[..., 1] = np.where(hsv[..., 1] < 64, 150, hsv[..., 1])  # a grey has no hue to turn
    hsv[..., 2] = np.clip(hsv[..., 2], 70, 230)  # nor do black and white show any
    turned = np.asarray(Pillow.fromarray(hsv.astype(np.uint8), "HSV").convert("RGB"))
    return paste(image, _bytes(image * (1 - amount) + turned * amount), mask)


def flatten(image: Image, masks: list[Mask], amount: float, shading: float = 6.0) -> Image:
    """Each mask's pixels take its mean colour under its own coarse shading: a garment without its pattern.

    ``shading``: sigma in pixels of what counts as light and not as pattern. ``amount`` 0..1 blends.
    """
    out = image
    for mask in masks:
        if mask.any():
            mean = image[mask].astype(np.float32).mean(0)
            grey = image.astype(np.float32).mean(2)
            weight = ndimage.gaussian_filter(mask.astype(np.float32), shading)
            light = ndimage.gaussian_filter(np.where(mask, grey, 0), shading) / np.maximum(weight, 1e-3)
            flat = mean * (light / max(float(grey[mask].mean()), 1.0))[..., None]
            out = paste(out, _bytes(image * (1 - amount) + flat * amount), mask)
    return out


def matched(image: Image, mask: Mask, like: Image, where: Mask) -> Image:
    """``image`` with the mean colour inside ``mask`` moved to that of ``like`` inside ``where``."""
    if not mask.any() or not where.any():
        return image
    return _bytes(image + (like[where].astype(np.float32).mean(0) - image[mask].astype(np.float32).mean(0)))


def similarity(source: Floats, target: Floats) -> Floats:
    """The rotation, scale and shift, 2 x 3, that brings points ``source`` (N x 2) nearest to ``target``.

    Least squares: Umeyama, TPAMI 13(4), 1991, Eq. 40 to 42, written for the plane with complex numbers.
    """
    a, b = (points @ np.array([1, 1j]) for points in (source.astype(np.float64), target.astype(np.float64)))
    a0, b0 = a - a.mean(), b - b.mean()
    turn = (np.conj(a0) @ b0) / max(float(np.abs(a0) @ np.abs(a0)), 1e-9)
    move = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]], np.float32)


def _bytes(values: NDArray[np.floating]) -> Image:
    out: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return out
