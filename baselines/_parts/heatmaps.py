"""Body points -> one map a point, in the three forms that papers and their code use."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Form = Literal["gaussian", "pixel", "disk"]


def heatmaps(points: Tensor, size: tuple[int, int], radius: float, form: Form = "gaussian") -> Tensor:
    """Maps of ``points`` (N x K x 2, x and y in pixels, NaN where unknown) -> N x K x H x W, float32 in 0..1.

    ``gaussian``: exp(-d^2 / (2 radius^2)), 1 at the point. ``pixel``: 1 at the nearest pixel only (what is left of a
    Gaussian stored as uint8, the form PATN's published weights need). ``disk``: 1 within ``radius`` pixels
    (Intr-Flow). A point that is unknown or outside the frame has an empty map; an occluded one is drawn.
    """
    height, width = size
    x, y = points[..., 0], points[..., 1]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)  # NaN compares false
    # Outside or unknown points are put far away, where every form is exactly zero.
    x, y = (torch.where(inside, v, torch.full_like(v, -1e4))[..., None] for v in (x, y))
    columns = torch.arange(width, device=points.device, dtype=torch.float32) - x
    rows = torch.arange(height, device=points.device, dtype=torch.float32) - y
    if form == "gaussian":  # separable: an outer product of two one-dimensional bells
        bell_x, bell_y = (torch.exp(-v.square() / (2 * radius * radius)) for v in (columns, rows))
        return bell_y[..., :, None] * bell_x[..., None, :]
    if form == "pixel":
        near_x, near_y = ((v > -0.5) & (v <= 0.5) for v in (columns, rows))
        return (near_y[..., :, None] & near_x[..., None, :]).float()
    if form == "disk":
        return (rows.square()[..., :, None] + columns.square()[..., None, :] <= radius * radius).float()
    raise ValueError(f"unknown form {form!r}")
