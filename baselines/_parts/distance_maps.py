"""How near each place is to each limb: the maps that SPGNet lays beside its heatmaps (Lv et al., CVPR 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
)  # fmt: skip
"""The two ends of each limb, by BODY18: shoulders, arms, sides of the trunk, legs."""


def distance_maps(points: Tensor, size: tuple[int, int], pixel: float = 1.0, decay: float = 0.1) -> Tensor:
    """exp(-decay d), d the distance to the segment between a limb's ends -> N x 12 x H x W, float32 in 0..1.

    ``points``: N x 18 x 2, x and y in pixels of a map of ``size``, NaN where unknown. A limb with an unknown end has
    an empty map. ``pixel``: how many pixels of the full image one of the map is wide; d counts those.
    """
    ends = points[:, torch.tensor(LIMBS, device=points.device)].float()  # N x 12 x 2 ends x 2
    known = ends.isfinite().all(-1).all(-1)
    start, along = (v[..., None, None, :] for v in (ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]))
    rows, columns = (torch.arange(n, device=points.device, dtype=torch.float32) for n in size)
    places = torch.stack([columns.expand(size), rows[:, None].expand(size)], -1)
    # The nearest point of a segment: the projection, held between the ends. Ends that coincide are a point.
    there = ((places - start) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)
    distance = (places - start - there.clamp(0, 1)[..., None] * along).norm(dim=-1) * pixel
    return torch.where(known[..., None, None], torch.exp(-decay * distance), distance.new_zeros(()))
