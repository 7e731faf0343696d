"""What happens to photographs in training, so that an evaluator does not fall apart on images that a model made.

Small moves, mirror, blur, noise, JPEG, exposure. Hue stays: colour is what retrieval and attributes are about.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PILImage
from PIL import ImageFilter

from fhpt_bench.types import Image

VERSION = 1
"""Changes whenever the same seed would give another image."""


def augment(image: Image, rng: np.random.Generator) -> Image:
    """H x W x 3 uint8 -> the same size, changed as ``rng`` draws. What comes in from outside is white."""
    picture = _move(PILImage.fromarray(image), rng)
    if rng.random() < 0.5:
        picture = picture.transpose(PILImage.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.7:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.5)))
    pixels = np.asarray(picture).astype(np.float64)
    if rng.random() < 0.5:
        pixels = pixels + rng.normal(0, rng.uniform(1, 8), pixels.shape)
    pixels = pixels * rng.uniform(0.95, 1.05)
    picture = PILImage.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))
    if rng.random() < 0.5:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(30, 95)))
        picture = PILImage.open(file)
    return np.asarray(picture)


def _move(picture: PILImage.Image, rng: np.random.Generator) -> PILImage.Image:
    """Zoom by up to 8 % about the middle, and shift by up to 8 pixels of an image 176 wide."""
    width, height = picture.size
    zoom = rng.uniform(0.92, 1.08)
    dx, dy = rng.uniform(-8, 8, 2) * (width / 176)
    back = (1 / zoom, 0, width / 2 - (width / 2 + dx) / zoom, 0, 1 / zoom, height / 2 - (height / 2 + dy) / zoom)
    return picture.transform(
        picture.size, PILImage.Transform.AFFINE, back, PILImage.Resampling.BICUBIC, fillcolor=(255, 255, 255)
    )
