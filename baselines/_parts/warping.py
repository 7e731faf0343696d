"""Moving features along a flow (Li et al., Dense Intrinsic Appearance Flow, CVPR 2019, sections 3.1 and 3.2).

A flow is written as places: for each pixel of the target, x and y of where its surface point lies in the source, in
pixels whose centres stand at whole numbers. Displacements, which the paper speaks of, are places minus own places.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

VISIBLE, INVISIBLE, BACKGROUND = 0, 1, 2
"""What a pixel of a visibility map says of the target: its point shows in the source, does not, or is no person's."""


def own_places(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """1 x 2 x H x W: x and y of every pixel."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def warp(features: Tensor, places: Tensor) -> Tensor:
    """``features`` N x C x h x w, looked up (bilinear) at ``places`` N x 2 x H x W -> N x C x H x W.

    What lies outside is zero.
    """
    height, width = features.shape[2:]
    size = torch.tensor([width, height], device=places.device)[:, None, None]
    grid = ((2 * places.float() + 1) / size - 1).permute(0, 2, 3, 1)
    with torch.autocast(features.device.type, enabled=False):  # bfloat16 cannot tell neighbouring pixels apart
        moved = F.grid_sample(features.float(), grid, "bilinear", "zeros", align_corners=False)
    return moved.to(features.dtype).contiguous(memory_format=torch.channels_last)


def pooled(places: Tensor, visibility: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """A flow for features of 1 / times of the size: displacements are averaged over squares, and divided.

    ``visibility`` N x H x W int64: a square is visible if any of its pixels is, else invisible if any is, else
    background. ``times`` divides H and W.
    """
    if times == 1:
        return places, visibility
    height, width = places.shape[2:]
    moves = places - own_places(height, width, places.device)
    smaller = F.avg_pool2d(moves, times) / times
    seen = -F.max_pool2d(-visibility[:, None].float(), times)[:, 0]
    return smaller + own_places(height // times, width // times, places.device), seen.long()


def known_mean(places: Tensor, known: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """As ``pooled``, over the pixels where the flow is ``known`` (N x H x W bool) alone -> places, which are known."""
    if times == 1:
        return places, known
    height, width = places.shape[2:]
    share = F.avg_pool2d(known[:, None].float(), times)
    moves = (places - own_places(height, width, places.device)) * known[:, None]
    smaller = F.avg_pool2d(moves, times) / share.clamp_min(1e-6) / times
    return smaller + own_places(height // times, width // times, places.device), share[:, 0] > 0


def enlarged(places: Tensor, known: Tensor, times: int) -> Tensor:
    """The flow of an image of ``times`` the size.

    Displacements are multiplied, and bilinear between the squares where they are ``known`` (N x H x W bool).
    """
    if times == 1:
        return places
    height, width = places.shape[2:]
    share = known[:, None].float()
    moves = (places - own_places(height, width, places.device)) * share
    moves, share = (
        F.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False) for x in (moves * times, share)
    )
    return moves / share.clamp_min(1e-6) + own_places(height * times, width * times, places.device)


def split(features: Tensor, visibility: Tensor) -> Tensor:
    """N x C x H x W -> N x 2C x H x W: features where the target's point is visible, and where it is invisible.

    Zero elsewhere: what is background is in neither half.
    """
    halves = [features * (visibility == state)[:, None].to(features.dtype) for state in (VISIBLE, INVISIBLE)]
    return torch.cat(halves, 1)
