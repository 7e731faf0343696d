"""What the flow network learns from (Li et al., section 3.1): flow at several scales, and visibility."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines._parts.flow_net import UNIT, Flow, Flows
from fhpt_bench.baselines._parts.warping import BACKGROUND, VISIBLE, known_mean, own_places

COARSER = 0.32
"""Weight of the finest flow; each coarser one weighs half."""


def flow_loss(made: Flows, places: Tensor, visibility: Tensor) -> tuple[Tensor, Tensor]:
    """End-point errors of every scale, weighted .32 / 2^s, in ``UNIT`` pixels; and the cross-entropy of visibility.

    ``places`` N x 2 x H x W and ``visibility`` N x H x W at the resolution of the poses; the flow counts where it is
    known: negative places are not, the background's is not.
    """
    known = (visibility != BACKGROUND) & (places.amin(1) >= 0)
    terms = []
    for scale, moves in enumerate(made.pyramid):
        times = 2 ** (scale + 1)
        smaller, there = known_mean(places, known, times)
        # Displacements stay in pixels of the full resolution at every scale.
        true = (smaller - own_places(*smaller.shape[2:], device=places.device)) * times / UNIT
        error = torch.linalg.vector_norm(moves.float() - true, dim=1)
        terms.append(COARSER / 2**scale * (error * there).sum() / there.sum().clamp_min(1))
    logits = F.interpolate(made.visibility.float(), scale_factor=2, mode="bilinear", align_corners=False)
    return torch.stack(terms).sum(), F.cross_entropy(logits, visibility)


def flow_errors(made: Flow, places: Tensor, visibility: Tensor) -> tuple[Tensor, Tensor]:
    """End-point error in pixels, averaged over what is visible (NaN where nothing is), and the share of pixels whose
    visibility is right; each N."""
    visible = visibility == VISIBLE
    error = torch.linalg.vector_norm(made.places - places, dim=1)
    end_point = (error * visible).sum((1, 2)) / visible.sum((1, 2))
    return end_point, (made.visibility == visibility).float().mean((1, 2))
