"""PATN's discriminators, the least-squares adversarial loss (LSGAN, Mao et al., ICCV 2017), the cross-entropy one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.layers import Norm, Residual, down, stem


class Judges(BaseModel):
    """Table ``judges``: what both of a baseline's discriminators are like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, ...]
    blocks: int
    dropout: float
    stem: int


class Discriminator(nn.Module):
    """Image (or image and pose) pair -> a map of verdicts, one value a channel and place: 1 real, 0 made.

    Paper: 7x7 stem to 64, two halvings to 256, 3 residual blocks with dropout: 3,928,384 parameters for 6 input
    channels (D_A), 3,975,424 for 21 (D_S). With ``norm="batch"`` (Market-1501): 3,930,368 and 3,977,408.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        blocks: int,
        dropout: float,
        stem_kernel: int,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            stem(inputs, widths[0], stem_kernel, norm),
            *(down(a, b, norm) for a, b in pairwise(widths)),
            *(Residual(widths[-1], dropout, norm) for _ in range(blocks)),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return result


def least_squares(verdict: Tensor, *, real: bool) -> Tensor:
    """Mean squared distance of the verdicts from 1 (``real``) or 0."""
    return (verdict.float() - float(real)).square().mean()


def cross_entropy(verdict: Tensor, *, real: bool) -> Tensor:
    """The original GAN's loss on logits: mean of -log D where ``real``, of -log(1 - D) where not."""
    return F.softplus(-verdict.float() if real else verdict.float()).mean()
