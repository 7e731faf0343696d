"""What the heads see: statistics of a trunk's layers over the cells of its coarsest one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

VERSION = 1
"""Changes whenever the same taps would give other cells."""


def cells(taps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Layers from fine to coarse, each N x C x H x W -> N x channels x h x w, where h x w is the last layer's size.

    Of each layer the mean in every cell, and beside it how the layer varies inside the cell: its deviation (textures of
    the lower layers) or, of the last but one, its maximum. One image at a time, so that no number depends on the batch.
    """
    return torch.cat([_one([tap[i : i + 1] for tap in taps]) for i in range(len(taps[0]))])


def _one(taps: Sequence[torch.Tensor]) -> torch.Tensor:
    *finer, last = taps
    size = (last.shape[2], last.shape[3])
    found = []
    for tap in finer:
        mean = F.adaptive_avg_pool2d(tap, size)
        found.append(mean)
        if tap is finer[-1]:
            found.append(F.adaptive_max_pool2d(tap, size))
        else:
            found.append((F.adaptive_avg_pool2d(tap.square(), size) - mean.square()).clamp_min_(0).sqrt_())
    return torch.cat([*found, last], 1)
