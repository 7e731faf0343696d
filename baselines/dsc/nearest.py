"""The nearest-neighbour loss: a feature of the made image is held against the closest of its place's surroundings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Nearest(torch.autograd.Function):
    """One shift at a time, so that memory holds one difference and not as many as the neighbourhood has places."""

    @staticmethod
    def forward(ctx: Any, made: Tensor, true: Tensor, neighbourhood: int) -> Tensor:
        count, channels, height, width = made.shape
        reach = neighbourhood // 2
        least = torch.full((count, height, width), torch.inf, device=made.device)
        cell = torch.zeros((count, height, width), dtype=torch.long, device=made.device)
        cells = torch.arange(count * height * width, device=made.device).view(count, height, width)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                (here_y, there_y), (here_x, there_x) = _overlap(down, height), _overlap(right, width)
                difference = made[:, :, here_y, here_x] - true[:, :, there_y, there_x]
                distance = difference.abs_().sum(1, dtype=torch.float32)
                place = least[:, here_y, here_x]
                nearer = distance < place
                torch.where(nearer, distance, place, out=place)
                cell[:, here_y, here_x] = torch.where(nearer, cells[:, there_y, there_x], cell[:, here_y, here_x])
        chosen = true.permute(0, 2, 3, 1).reshape(-1, channels)[cell.flatten()]
        chosen = chosen.view(count, height, width, channels).permute(0, 3, 1, 2)
        ctx.save_for_backward((made - chosen).sign())
        return least.mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (sign,) = ctx.saved_tensors
        return sign * (grads[0] * sign.shape[1] / sign.numel()).to(sign.dtype), None, None


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Places that still lie inside when ``shift`` is added to them, and where they then are."""
    return slice(max(0, -shift), side - max(0, shift)), slice(max(0, shift), side - max(0, -shift))


def nearest_neighbour(made: Tensor, true: Tensor, neighbourhood: int) -> Tensor:
    """Mean over places of the least channel-summed |made - true| within ``neighbourhood`` x ``neighbourhood`` places.

    Features N x C x H x W -> scalar, with gradient to ``made`` alone. Siarohin et al., Eq. 7; neighbourhood 1 is the
    plain perceptual loss. Places outside the image are nobody's neighbours.
    """
    result: Tensor = _Nearest.apply(made, true, neighbourhood)
    return result
