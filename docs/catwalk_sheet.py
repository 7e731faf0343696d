"""Draw docs/catwalk.png: who is in Catwalk's test split, and what is known of a pair.

Run: python docs/catwalk_sheet.py
"""

from __future__ import annotations

import colorsys
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.catwalk.surface import PARTS
from fhpt_bench.types import VISIBLE, Pair

Picture = NDArray[np.uint8]
COLOURS = np.array(
    [(255, 255, 255)] + [tuple(int(255 * c) for c in colorsys.hsv_to_rgb(i * 0.381 % 1, 0.65, 0.9)) for i in range(19)]
).astype(np.uint8)


def people(data: Catwalk) -> Picture:
    """Every person twice, in each outfit, in views that change from person to person: 8 people a row."""
    photos = data.photos()
    each = [np.concatenate([photos[16 * i].image, photos[16 * i + 8 + i % 8].image], 1) for i in range(32)]
    return np.concatenate([np.concatenate(each[r : r + 8], 1) for r in range(0, 32, 8)])


def truth(data: Catwalk, pair: Pair) -> Picture:
    """Source, target, points, parsing, surface parts, visible (green) and occluded (red), exact warp, regions."""
    regions = data.regions(pair)
    parts = data.surface(pair.target).parts
    seen = np.full((256, 176, 3), 255, np.uint8)
    seen[regions["visible"]], seen[regions["occluded"]] = (70, 170, 90), (200, 70, 60)
    named = pair.target.image // 2 + 127
    for name, colour in (("face", (230, 80, 80)), ("hands", (60, 180, 75)), ("clothes", (80, 110, 220))):
        named[regions[name]] = colour
    surface = COLOURS[parts * 7 % len(PARTS) + (parts > 0)]
    surface[parts == 0] = 255
    tiles = [pair.source.image, pair.target.image, points(pair), COLOURS[data.parsing(pair.target)], surface, seen]
    return np.concatenate([*tiles, data.exact_warp(pair), named], 1)


def points(pair: Pair) -> Picture:
    """The target with its points: green where seen, red where hidden; the face box."""
    image, pose = Image.fromarray(pair.target.image), pair.target.pose
    assert pose.face is not None
    assert pose.hands is not None
    assert pose.hands_visible is not None
    draw = ImageDraw.Draw(image)
    for xy, visible, size in (
        (pose.face.points, pose.face.visible, 0.6),
        (pose.hands.reshape(-1, 2), pose.hands_visible.ravel(), 0.8),
        (pose.keypoints, pose.visible, 2),
    ):
        for (x, y), state in zip(xy, visible, strict=True):
            draw.ellipse(
                (x - size, y - size, x + size, y + size), fill=(0, 160, 0) if state == VISIBLE else (210, 0, 0)
            )
    if pose.face.box:
        draw.rectangle(pose.face.box, outline=(200, 0, 200))
    return np.asarray(image)


def draw_sheet(path: Path) -> None:
    data = Catwalk("test")
    chosen = [p for p in (data[i] for i in range(len(data))) if p.source.labels["view"] == "quarter"]
    close = [p for p in chosen if p.target.labels["framing"] != "full"]
    pairs = [next(p for p in close if p.target.labels["stance"] == s) for s in ("hands-folded", "wave")]
    upper, lower = people(data), np.concatenate([truth(data, pair) for pair in pairs], 1)
    both = np.concatenate([upper, np.full((30, upper.shape[1], 3), 255, np.uint8), lower])
    sheet = Image.fromarray(both).resize((both.shape[1] * 2 // 3, both.shape[0] * 2 // 3), Image.Resampling.LANCZOS)
    sheet.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    draw_sheet(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "catwalk.png")
