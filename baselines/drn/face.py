"""DRN's face module: a small DRN on crops of faces, posed by drawings of the face, blended into the image.

FHPT paper: I_t = (1 - M_F)(I_c + R_t) + M_F I_F, with I_F made from the source's face crop, its landmark sketch H_F and
the target's; M_F is the blurred indicator of the target's face box. Only where both photographs show a frontal face.
Boxes are x0, y0, x1, y1 in pixels, edges lying between pixels: 9.5..19.5 holds pixels 10 to 19.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines.drn.model import Shape
from fhpt_bench.train_config import parse
from fhpt_bench.types import OUTSIDE, Face, Pair, Pose


class Crop(BaseModel):
    """Table ``crop``: which part of a photograph the face module works on, and how that goes back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: int = Field(gt=0)
    """Height and width of a crop; 64 in the paper."""
    margin: float = Field(ge=1)
    """The crop is a square about the box, this many times as long as the box's longer side."""
    blur: float = Field(gt=0)
    """Sigma of M_F in lengths of the box's longer side. (margin - 1) / 2 is what it has to fade out in."""


def tables(config: Mapping[str, Any]) -> tuple[Crop, Shape]:
    """Tables ``crop`` and ``model`` of the face module's configuration.

    It is DRN on unfolded crops, posed by sketches: ``size``, which is that of the photographs in the file, is the
    crop's in the ``Shape``.
    """
    crop = parse(Crop, config, "crop")
    about = {"size": (crop.side, crop.side), "heatmap": "sketch", "fold": 1}
    return crop, parse(Shape, config, "model").model_copy(update=about)


def shown(pose: Pose) -> Face | None:
    """The face of ``pose`` if the module can use it: frontal, with a box and known points; else None."""
    face = pose.face
    if face is None or not face.frontal or face.box is None or not np.isfinite(points_of(face)).any():
        return None
    return face


def accepts(pair: Pair) -> bool:
    """Whether both photographs show a face that the module can use."""
    return shown(pair.source.pose) is not None and shown(pair.target.pose) is not None


def points_of(face: Face) -> np.ndarray:
    """P x 2 face points in pixels; NaN where unknown or outside the frame. Occluded ones are there."""
    points: np.ndarray = np.where((face.visible == OUTSIDE)[:, None], np.nan, face.points).astype(np.float32)
    return points


def squares(boxes: Tensor, crop: Crop) -> Tensor:
    """Face boxes N x 4 -> the squares that are cut, N x 4, on whole pixels; they may reach beyond the frame."""
    length = (crop.margin * _longer(boxes)).round().clamp(min=1)
    first = ((boxes[:, :2] + boxes[:, 2:] - length[:, None]) / 2 + 0.5).round() - 0.5
    return torch.cat([first, first + length[:, None]], 1)


def cut(images: Tensor, square: Tensor, side: int) -> Tensor:
    """N x 3 x H x W -> crops N x 3 x side x side by bicubic interpolation; beyond the frame its edge is repeated."""
    height, width = images.shape[2:]
    steps = (torch.arange(side, device=images.device, dtype=torch.float32) + 0.5) / side
    x, y = (square[:, i, None] + steps * (square[:, i + 2] - square[:, i])[:, None] for i in (0, 1))
    # In units of half the frame, from its centre; square's coordinates count from the middle of the first pixel.
    x, y = (2 * (v + 0.5) / n - 1 for v, n in ((x, width), (y, height)))
    grid = torch.stack([x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], 3)
    found = F.grid_sample(images.float(), grid, mode="bicubic", padding_mode="border", align_corners=False)
    return found.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


def in_crop(points: Tensor, square: Tensor, side: int) -> Tensor:
    """Points N x P x 2 in pixels of the photograph -> in pixels of its crop."""
    scale = side / (square[:, 2:] - square[:, :2])
    return (points - square[:, None, :2]) * scale[:, None] - 0.5


def crops(batch: Mapping[str, Tensor], crop: Crop) -> dict[str, Tensor]:
    """A batch of photographs with ``face`` (``train_data``) -> one of crops, with face points for body points."""
    result: dict[str, Tensor] = {}
    for role in ("source", "target"):
        square = squares(batch[f"{role}_face_box"], crop)
        if role in batch:
            result[role] = cut(batch[role], square, crop.side)
        result[f"{role}_points"] = in_crop(batch[f"{role}_face"], square, crop.side)
    return result


def soft_box(box: Tensor, size: tuple[int, int], sigma: Tensor) -> Tensor:
    """M_F, N x 1 x H x W in 0..1: the indicator of boxes N x 4, blurred by a Gaussian of ``sigma`` (N) pixels.

    In closed form, and so without a kernel to be cut off: the blur of an interval is a difference of two error
    functions, and that of a box the product of its sides'.
    """

    def side(count: int, low: Tensor, high: Tensor) -> Tensor:
        at = torch.arange(count, device=box.device, dtype=torch.float32)
        upper, lower = (torch.erf((at - edge[:, None]) / (math.sqrt(2) * sigma[:, None])) for edge in (low, high))
        return (upper - lower) / 2

    rows, columns = side(size[0], box[:, 1], box[:, 3]), side(size[1], box[:, 0], box[:, 2])
    return (rows[:, :, None] * columns[:, None, :])[:, None]


def blend(image: Tensor, face: Tensor, box: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """Put a made face into an image: (1 - M_F) image + M_F face; and M_F.

    ``image`` 1 x 3 x H x W, ``face`` 1 x 3 x side x side, ``box`` 1 x 4 of the target. Outside the square of the crop
    the image stays bit for bit; what of it reaches beyond the frame is dropped.
    """
    height, width = int(image.shape[2]), int(image.shape[3])
    left, top, right, bottom = (int(v) for v in (squares(box, crop)[0] + 0.5).tolist())
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    mask = torch.zeros_like(image[:, :1])
    if x0 >= x1 or y0 >= y1:
        return image, mask
    within = (..., slice(y0, y1), slice(x0, x1))
    mask[within] = soft_box(box, (height, width), crop.blur * _longer(box))[within]
    patch = F.interpolate(face.float(), (bottom - top, right - left), mode="bicubic", antialias=True).clamp(-1, 1)
    patch = patch[..., y0 - top : y1 - top, x0 - left : x1 - left]
    result = image.clone()
    result[within] = (1 - mask[within]) * image[within] + mask[within] * patch
    return result, mask


def _longer(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).amax(1)
