"""SPGNet: first the target's parsing (SPATN), then the image that fills each of its regions with that region's style.

Names follow the paper (Lv et al., CVPR 2021): I_s source image, S_ps and S_pt parsings of source and target, p_s and
p_t poses, ST style matrix.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from fhpt_bench.baselines._parts.distance_maps import LIMBS, distance_maps
from fhpt_bench.baselines._parts.fold import fold, folded_points, poses, same_in_a_square, unfold
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines._parts.layers import start_small
from fhpt_bench.baselines.spgnet.painter import PATNS, Painter, PainterShape
from fhpt_bench.baselines.spgnet.parsing import CLASSES, Parser, Progressive, hard


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParserShape(_Frozen):
    """The network that parses the source photograph (``parsing.Parser``)."""

    widths: tuple[int, ...]
    blocks: int


class ProgressiveShape(_Frozen):
    """SPATN, or PATN-S (``parsing.Progressive``)."""

    widths: tuple[int, ...]
    blocks: int
    dropout: float
    kernel: int
    """Of the first and the last convolution."""


class Shape(_Frozen):
    """Table ``model`` of config.toml."""

    size: tuple[int, int]
    """height, width of images."""
    fold: int = 1
    """The networks see each fold x fold square of an image as one pixel of more channels: ``_parts.fold``.
    Parsings live on those larger pixels."""
    heatmap: Form = "gaussian"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``."""
    distances: bool = True
    """Whether poses have 12 limb distance maps beside 18 heatmaps."""
    transforms: Literal["parsing", "image"] = "parsing"
    """What SPATN turns into the target's parsing: the source's parsing, or its image (SPATN*)."""
    parser: ParserShape
    spatn: ProgressiveShape


class Stage1(nn.Module):
    """I_s, p_s and p_t -> logits of S_ps and S_pt: the parser, and SPATN on what it finds."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        colours, maps = 3 * shape.fold**2, 18 + len(LIMBS) * shape.distances
        self.parser = Parser(colours + maps, shape.parser.widths, shape.parser.blocks)
        what = CLASSES if shape.transforms == "parsing" else colours
        table = shape.spatn
        self.spatn = Progressive(what, 2 * maps, CLASSES, table.widths, table.blocks, table.dropout, table.kernel)
        start_small(self.spatn)

    def poses(self, points: Tensor, height: int, folded: tuple[int, int]) -> Tensor:
        """points N x 18 x 2 in pixels of an image of ``height`` -> heatmaps and distance maps of ``folded`` size."""
        shape = self.shape
        maps = poses(points, height, folded, shape.size[0], shape.sigma, shape.heatmap)
        if not shape.distances:
            return maps
        near = distance_maps(folded_points(points, height, folded[0]), folded, shape.size[0] / folded[0])
        return torch.cat([maps, near], 1).contiguous(memory_format=torch.channels_last)

    def folded(self, image: Tensor) -> Tensor:
        """N x 3 x H x W -> as the networks see it."""
        return fold(image, self.shape.fold, self.shape.size[0])

    def source(self, image: Tensor, points: Tensor, height: int) -> Tensor:
        """I_s, folded; points of the source in an image of ``height`` -> logits of S_ps, N x 20 x h x w."""
        pose = self.poses(points, height, (int(image.shape[2]), int(image.shape[3])))
        result: Tensor = self.parser(torch.cat([image, pose], 1))
        return result

    def target(self, image: Tensor, parsing: Tensor, points: tuple[Tensor, Tensor], height: int) -> Tensor:
        """I_s, folded; S_ps (shares); points of source and target in an image of ``height`` -> logits of S_pt."""
        size = (int(image.shape[2]), int(image.shape[3]))
        both = torch.cat([self.poses(p, height, size) for p in points], 1)
        result: Tensor = self.spatn(parsing if self.shape.transforms == "parsing" else image, both)
        return result

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of S_ps and S_pt from what a generator may see; SPATN reads the likeliest classes of the source.

        source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside the frame.
        """
        image = self.folded(source)
        height, points = int(source.shape[2]), (source_points, target_points)
        of_source = self.source(image, source_points, height)
        return of_source, self.target(image, hard(of_source), points, height)


class SPGNet(nn.Module):
    """Both stages: all that ships but the flow network, which is Intr-Flow's."""

    def __init__(self, shape: Shape, painter: PainterShape) -> None:
        super().__init__()
        self.shape = shape
        self.parsings = Stage1(shape)
        colours = 3 * shape.fold**2
        self.painter = Painter(painter, colours) if painter.kind == "dual-unet" else PATNS(painter, colours)
        same_in_a_square(self.painter.last, shape.fold)

    def paint(
        self, source: Tensor, source_points: Tensor, target_points: Tensor, parsings: tuple[Tensor, Tensor],
        flow: tuple[Tensor, Tensor],
    ) -> Tensor:  # fmt: skip
        """Stage 2: the image, N x 3 x H x W in [-1, 1]. ``parsings``: S_ps and S_pt, shares of the classes."""
        shape, height = self.shape, int(source.shape[2])
        image = self.parsings.folded(source)
        size = (int(image.shape[2]), int(image.shape[3]))
        points = torch.cat([source_points, target_points], 1)
        maps = poses(points, height, size, shape.size[0], shape.sigma, shape.heatmap)
        return unfold(self.painter(image, maps, parsings, flow), shape.fold, shape.size[0], height)

    def forward(
        self, source: Tensor, source_points: Tensor, target_points: Tensor, flow: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Image, and the parsings it was made from: logits of S_ps and S_pt.

        source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside the frame; flow:
        places and visibility of the folded size (``flow.FrozenFlow``).
        """
        of_source, of_target = self.parsings(source, source_points, target_points)
        image = self.paint(source, source_points, target_points, (hard(of_source), hard(of_target)), flow)
        return image, of_source, of_target
