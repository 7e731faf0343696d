"""Pictures of poses, and images put side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from fhpt_bench.errors import BenchError
from fhpt_bench.types import OCCLUDED, OUTSIDE, Image, Pose

RIGHT, LEFT, MIDDLE = (213, 94, 0), (0, 114, 178), (64, 64, 72)
"""The person's own right, left and axis: three colours that the colour-blind tell apart (Okabe and Ito 2008)."""

LIMBS = (
    (1, 2, RIGHT), (2, 3, RIGHT), (3, 4, RIGHT), (1, 8, RIGHT), (8, 9, RIGHT), (9, 10, RIGHT),
    (1, 5, LEFT), (5, 6, LEFT), (6, 7, LEFT), (1, 11, LEFT), (11, 12, LEFT), (12, 13, LEFT),
    (1, 0, MIDDLE), (0, 14, RIGHT), (14, 16, RIGHT), (0, 15, LEFT), (15, 17, LEFT),
)  # fmt: skip
"""Pairs of BODY18 indices that a line joins, and its colour."""

_FINGERS = tuple((1 + 4 * f + k - 1 if k else 0, 1 + 4 * f + k) for f in range(5) for k in range(4))
_Color = tuple[int, int, int]
_Point = tuple[float, float, bool]
_OVER = 4  # drawn this much larger, then reduced: Pillow's lines have no antialiasing


def draw_pose(pose: Pose, size: tuple[int, int]) -> Image:
    """The skeleton on white, as H x W x 3 uint8.

    size: height, width in pixels. Right limbs are orange, left limbs blue, the neck grey; hands are thin lines and face
    points dots where the pose has them. Hidden points and the limbs that end in them are drawn pale; points outside the
    frame or unknown are left out, with their limbs.
    """
    height, width = size
    canvas = Pillow.new("RGB", (width * _OVER, height * _OVER), "white")
    draw = ImageDraw.Draw(canvas)
    thick = max(2.0, height / 64)
    _body(draw, pose, thick)
    if pose.hands is not None and pose.hands_visible is not None:
        for places, visible, color in zip(pose.hands, pose.hands_visible, (RIGHT, LEFT), strict=True):
            hand = _points(places, visible)
            for a, b in _FINGERS:
                _line(draw, hand[a], hand[b], color, thick * 0.3)
    if pose.face is not None:
        for point in _points(pose.face.points, pose.face.visible):
            _dot(draw, point, MIDDLE, thick * 0.18)
    return np.asarray(canvas.resize((width, height), Pillow.Resampling.BOX))


def _body(draw: ImageDraw.ImageDraw, pose: Pose, thick: float) -> None:
    points = _points(pose.keypoints, pose.visible)
    for a, b, color in LIMBS:
        _line(draw, points[a], points[b], color, thick)
    ends = {index: color for a, b, color in LIMBS for index in (b, a)}
    for index, color in ends.items():
        _dot(draw, points[index], color, thick * 0.75)


def _points(places: NDArray[np.float32], visible: NDArray[np.uint8]) -> list[_Point | None]:
    """Where each point is on the canvas and whether it is hidden; None for what cannot be drawn."""
    shown = (visible != OUTSIDE) & np.isfinite(places).all(axis=1)
    return [
        ((float(x) + 0.5) * _OVER, (float(y) + 0.5) * _OVER, bool(seen == OCCLUDED)) if there else None
        for (x, y), seen, there in zip(places, visible, shown, strict=True)
    ]


def _shade(color: _Color, pale: bool) -> _Color:
    red, green, blue = (round(255 - (255 - c) * (0.35 if pale else 1.0)) for c in color)
    return red, green, blue


def _line(draw: ImageDraw.ImageDraw, a: _Point | None, b: _Point | None, color: _Color, thick: float) -> None:
    if a is not None and b is not None:
        draw.line((a[:2], b[:2]), fill=_shade(color, a[2] or b[2]), width=max(1, round(thick * _OVER)))


def _dot(draw: ImageDraw.ImageDraw, point: _Point | None, color: _Color, radius: float) -> None:
    if point is not None:
        x, y, r = point[0], point[1], radius * _OVER
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_shade(color, point[2]))


def grid(rows: Sequence[Sequence[Image]], *, columns: Sequence[str] = (), gap: int = 4) -> Image:
    """Images put in rows on white, as one H x W x 3 uint8 image.

    rows: images of one size, the same number in each row. columns: a title over each column; none if empty. gap:
    pixels between images. Raises BenchError where the images are not of one size or the rows not of one length.
    """
    shapes = {image.shape for row in rows for image in row}
    if len(shapes) != 1 or len({len(row) for row in rows}) != 1:
        raise BenchError(f"a grid needs images of one size in rows of one length, not {sorted(shapes)}")
    if columns and len(columns) != len(rows[0]):
        raise BenchError(f"{len(columns)} titles for {len(rows[0])} columns")
    height, width, _ = shapes.pop()
    top = 24 if columns else 0
    canvas = Pillow.new("RGB", (len(rows[0]) * (width + gap) - gap, top + len(rows) * (height + gap) - gap), "white")
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            canvas.paste(Pillow.fromarray(image), (c * (width + gap), top + r * (height + gap)))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for c, title in enumerate(columns):
        draw.text((c * (width + gap) + width / 2, top / 2), title, fill="black", font=font, anchor="mm")
    return np.asarray(canvas)
