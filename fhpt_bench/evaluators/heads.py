"""The trained part: a head that reads a trunk's cells, and a small residual network that reads pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fhpt_bench.evaluators.config import Head

DEVIATION_FLOOR = 1e-3
REDUCTION = 32
"""Pixels a side of one place in ``SmallResNet``'s map."""


class PartsHead(nn.Module):
    """Cells -> outputs: channels reduced, pooled under learnt attention maps ("parts"), one linear layer.

    Attention is over what a cell shows plus where it lies: clothes are found wherever the framing puts them. ``grid``:
    cells of the images it is trained on; on images of another size, what it knows of places is stretched.
    ``channels``: those of the cells that it reads.
    """

    def __init__(
        self, channels: Sequence[slice], grid: tuple[int, int], shape: Head, outputs: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.reads, count = list(channels), sum(part.stop - part.start for part in channels)
        self.register_buffer("mean", torch.zeros(count, 1, 1))
        self.register_buffer("deviation", torch.ones(count, 1, 1))
        self.mean: Tensor
        self.deviation: Tensor
        self.reduce = nn.Conv2d(count, shape.width, 1)
        self.norm = nn.BatchNorm2d(shape.width)
        self.attend = nn.Conv2d(shape.width, shape.parts, 1)
        self.place = nn.Parameter(torch.zeros(1, shape.parts, *grid))
        self.drop_channels, self.dropout = nn.Dropout2d(0.1), nn.Dropout(dropout)
        self.out = nn.Linear(shape.parts * shape.width, outputs)

    def standardise(self, cells: Tensor) -> None:
        """Take each channel's mean and deviation from these cells: they differ by orders between layers."""
        cells = self._read(cells)
        self.mean.copy_(cells.mean((0, 2, 3))[:, None, None])
        self.deviation.copy_(cells.std((0, 2, 3))[:, None, None] + DEVIATION_FLOOR)

    def forward(self, cells: Tensor) -> Tensor:
        """N x C x h x w -> N x outputs."""
        x = self.drop_channels((self._read(cells) - self.mean) / self.deviation)
        x = F.relu(self.norm(self.reduce(x)))
        place: Tensor = self.place
        if place.shape[2:] != x.shape[2:]:
            place = F.interpolate(place, x.shape[2:], mode="bilinear", align_corners=False)
        weights = (self.attend(x) + place).flatten(2).softmax(2)
        pooled = torch.einsum("npk,nck->npc", weights, x.flatten(2))
        out: Tensor = self.out(self.dropout(pooled.flatten(1)))
        return out

    def _read(self, cells: Tensor) -> Tensor:
        return torch.cat([cells[:, part] for part in self.reads], 1)


class Heads(nn.Module):
    """Several heads on the same cells, their outputs side by side."""

    def __init__(self, heads: Sequence[PartsHead]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def standardise(self, cells: Tensor) -> None:
        """See ``PartsHead``."""
        for head in self.heads:
            assert isinstance(head, PartsHead)
            head.standardise(cells)

    def forward(self, cells: Tensor) -> Tensor:
        """N x C x h x w -> N x outputs of all."""
        return torch.cat([head(cells) for head in self.heads], 1)


class SmallResNet(nn.Module):
    """A residual network small enough to be trained from scratch on two CPU cores: pixels -> a map of features.

    He et al., Deep Residual Learning, CVPR 2016: a stem and four stages of two basic blocks, at half the image's size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 6 * width)
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks = []
        for before, after in zip((width, *widths), widths, strict=False):
            blocks += [Block(before, after, 1 if before == after else 2), Block(after, after, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.channels = widths[-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """N x 3 x H x W in [-1, 1] -> N x 6 width x H/32 x W/32 (rounded up)."""
        found: Tensor = self.blocks(self.stem(F.avg_pool2d(pixels, 2)))
        return found


class Block(nn.Module):
    """Two 3 x 3 convolutions and what they add to."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(y)) + self.skip(x))


class FromPixels(nn.Module):
    """A network of its own: pixels -> outputs."""

    def __init__(self, grid: tuple[int, int], shape: Head, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = SmallResNet(shape.width)
        self.head = PartsHead([slice(0, self.body.channels)], grid, shape, outputs, dropout)

    def forward(self, pixels: Tensor) -> Tensor:
        """N x 3 x H x W in 0..255 -> N x outputs."""
        out: Tensor = self.head(self.body(pixels / 127.5 - 1))
        return out
