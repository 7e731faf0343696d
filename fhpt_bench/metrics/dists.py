"""DISTS: structure and texture compared apart, so that another draw of the same texture costs little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from fhpt_bench import features, weights
from fhpt_bench.intervals import mean_score
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Batch, Context, Need, Rows, Score

if TYPE_CHECKING:
    import torch

_STABLE = 1e-6
"""c1 and c2 of Eq. 5 and 6."""


@dataclass(frozen=True)
class DISTS:
    """1 - the weighted mean of texture and structure similarity over VGG16's layers: 0 for equal images.

    Ding et al., Image Quality Assessment: Unifying Structure and Texture Similarity, TPAMI 2022, Eq. 5-7. The numbers
    are torchmetrics' (images in [0, 1]). A mean over whole layers, so it has no regions. Rows: [DISTS].
    """

    name: str
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to both images first."""

    columns: ClassVar[int] = 1
    weights: ClassVar[tuple[str, ...]] = ("dists",)
    """Networks read besides the features': the channel weights."""
    better: ClassVar[Literal["lower"]] = "lower"

    def __post_init__(self) -> None:
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(features.feature_name("vgg16.l2taps", prepare=Prepare.of(self.prepare))),)

    def measure(self, batch: Batch) -> Rows:
        """N x 1 float32."""
        generated, target = (batch.features[self.needs[0].feature, role] for role in ("generated", "target"))
        pairs = range(len(batch.ids))
        return np.array([[dists([t[i] for t in generated], [t[i] for t in target])] for i in pairs], np.float32)

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score."""
        return [mean_score(self.name, rows[:, 0], context, self.better)]


@lru_cache(maxsize=4)
def _channel_weights(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """alpha and beta, which together sum to 1; one entry a channel of the image and the five layers."""
    tensors = weights.load("dists")
    alpha, beta = (tensors[name].reshape(-1).to(device) for name in ("alpha", "beta"))
    total = alpha.sum() + beta.sum()
    return alpha / total, beta / total


def dists(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> float:
    """The distance of one pair from its layers, C x h x w each (the image first)."""
    alpha, beta = _channel_weights(str(a[0].device))
    similarity, done = 0.0, 0
    with features.exact():
        for x, y in zip(a, b, strict=True):
            here = slice(done, done + len(x))
            done += len(x)
            texture, structure = _similarities(x.flatten(1), y.flatten(1))
            similarity += float(alpha[here] @ texture + beta[here] @ structure)
    return 1 - similarity


def _similarities(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Texture (Eq. 5) and structure (Eq. 6) similarity of each channel; C x pixels each."""
    mean_x, mean_y = x.mean(1), y.mean(1)
    x, y = x - mean_x[:, None], y - mean_y[:, None]
    covariance, variances = (x * y).mean(1), x.square().mean(1) + y.square().mean(1)
    texture = (2 * mean_x * mean_y + _STABLE) / (mean_x.square() + mean_y.square() + _STABLE)
    return texture, (2 * covariance + _STABLE) / (variances + _STABLE)
