"""PATN's generator (Zhu et al., Progressive Pose Attention Transfer for Person Image Generation, CVPR 2019).

Figure 2 of the paper: an image stream and a pose stream are encoded apart, pass 9 pose-attentional transfer blocks
(``_parts.pat.PATBlock``), in each of which the pose stream says where the image stream is to change, and the image
stream alone is decoded.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor, cat, nn

from fhpt_bench.baselines._parts import fold
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines._parts.layers import Norm, start_small
from fhpt_bench.baselines._parts.pat import TransferBranch


class Shape(BaseModel):
    """Table ``model`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    """height, width of images; each divisible by 2 ** (len(widths) - 1), after folding."""
    widths: tuple[int, ...]
    blocks: int
    dropout: float
    """Inside the blocks, in training only."""
    stem: int
    head: int
    norm: Norm = "instance"
    """``instance``: DeepFashion; ``batch``: Market-1501."""
    fold: int = 1
    """The network sees each fold x fold square of an image as one pixel of more channels: see ``_parts.fold``."""
    heatmap: Form = "gaussian"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``; smaller images have proportionally smaller ones."""
    mode: Literal["paper", "released"] = "paper"
    """``released``: what the published weights need. The layers are the same; the weights for DeepFashion were
    trained on maps of one pixel a joint, which is what their preparation script left of a Gaussian."""

    @model_validator(mode="after")
    def _released_maps(self) -> Shape:
        needed = "pixel" if self.norm == "instance" else "gaussian"
        if self.mode == "released" and self.heatmap != needed:
            raise ValueError(f"the released weights with {self.norm} normalisation need heatmap = {needed!r}")
        return self


class PATN(nn.Module):
    """Source image and two poses -> image in the target pose."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.transfer = TransferBranch(
            shape.widths, shape.blocks, shape.dropout, shape.stem, shape.head, 3 * shape.fold**2,
            norm=shape.norm, up="transposed",
        )  # fmt: skip
        start_small(self.transfer)
        fold.same_in_a_square(self.transfer.head, shape.fold)

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown -> N x 3 x H x W."""
        shape, height = self.shape, int(source.shape[2])
        folded = fold.fold(source, shape.fold, shape.size[0])
        points, there = cat([source_points, target_points], 1), (int(folded.shape[2]), int(folded.shape[3]))
        poses = fold.poses(points, height, there, shape.size[0], shape.sigma, shape.heatmap)
        _, image = self.transfer(folded, poses)
        return fold.unfold(image, shape.fold, shape.size[0], height)
