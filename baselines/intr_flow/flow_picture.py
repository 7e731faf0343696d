"""Flow and visibility as colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines._parts.flow_net import Flow
from fhpt_bench.baselines._parts.warping import BACKGROUND, own_places

FULL = 0.25
"""Displacement, as a share of the image's height, that has its full colour."""
_STATES = ((90, 160, 90), (200, 120, 60), (255, 255, 255))
"""Visible green, invisible orange, background white."""


def flow_colours(flow: Flow, size: tuple[int, int]) -> Tensor:
    """N x 3 x height x width in [-1, 1]: the direction as hue, the distance as saturation, the background white.

    Red: the source's point lies to the right; then anticlockwise, yellow-green up, cyan left, violet down.
    """
    height, width = (int(side) for side in flow.places.shape[2:])
    moves = flow.places - own_places(height, width, flow.places.device)
    hue = torch.atan2(-moves[:, 1], moves[:, 0]) / (2 * torch.pi)
    saturation = (moves.norm(dim=1) / (FULL * height)).clamp(0, 1) * (flow.visibility != BACKGROUND)
    thirds = torch.tensor([0, 1 / 3, 2 / 3], device=hue.device)[:, None, None]
    # A channel is bright within a sixth of its own hue, dark from a third on.
    distance = ((hue[:, None] - thirds + 0.5) % 1 - 0.5).abs()
    colour = (2 - 6 * distance).clamp(0, 1)
    return _large(1 - saturation[:, None] * (1 - colour), size) * 2 - 1


def visibility_colours(visibility: Tensor, size: tuple[int, int]) -> Tensor:
    """N x H x W int64 -> N x 3 x height x width in [-1, 1]."""
    colours = torch.tensor(_STATES, device=visibility.device).float() / 255
    return _large(colours[visibility].permute(0, 3, 1, 2), size) * 2 - 1


def _large(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image.float(), size=size, mode="nearest")
