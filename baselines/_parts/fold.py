"""Space to depth: a network that sees each ``times`` x ``times`` square of an image as one pixel of more channels.

An image of 1 / times of the size stands for one whose squares are each of one colour: it is not folded but repeated.
So a network is trained on small images first, and goes on with large ones where it stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.heatmaps import Form, heatmaps
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Phase


def fold(image: Tensor, times: int, full_height: int) -> Tensor:
    """N x C x H x W -> N x C times^2 x H / times x W / times, or the small image's channels repeated.

    ``full_height``: of the images that are folded; another height is that of a small one.
    """
    if times == 1:
        return image
    if int(image.shape[2]) == full_height:
        return F.pixel_unshuffle(image, times).contiguous(memory_format=torch.channels_last)
    return image.repeat_interleave(times**2, dim=1).contiguous(memory_format=torch.channels_last)


def unfold(folded: Tensor, times: int, full_height: int, height: int) -> Tensor:
    """The opposite of ``fold`` for an image of ``height``: squares laid out, or averaged for a small image."""
    if times == 1:
        return folded
    if height == full_height:
        return F.pixel_shuffle(folded, times)
    return folded.unflatten(1, (-1, times**2)).mean(2)


def folded_points(points: Tensor, image_height: int, folded_height: int) -> Tensor:
    """Points (..., x and y in pixels of an image) -> in the larger pixels of the folded one."""
    return (points + 0.5) * (folded_height / image_height) - 0.5


def poses(
    points: Tensor, image_height: int, folded: tuple[int, int], full_height: int, sigma: float, form: Form = "gaussian"
) -> Tensor:
    """Heatmaps on the folded image.

    ``points``: N x K x 2 in pixels of an image of ``image_height``; ``folded``: height, width of the folded image;
    ``sigma``: radius in pixels at ``full_height``. -> N x K x folded height x folded width, channels last.
    """
    there = folded_points(points, image_height, folded[0])
    return heatmaps(there, folded, sigma * folded[0] / full_height, form).to(memory_format=torch.channels_last)


def same_in_a_square(head: nn.Conv2d | nn.ConvTranspose2d, times: int) -> None:
    """Start with equal weights for all pixels of a square.

    So training on small images leaves no grain in them.
    """
    out = 1 if isinstance(head, nn.ConvTranspose2d) else 0
    squares = times**2
    with torch.no_grad():
        for parameter, axis in ((head.weight, out), (head.bias, 0)):
            if parameter is not None:
                first = parameter.index_select(axis, torch.arange(0, parameter.shape[axis], squares))
                parameter.copy_(first.repeat_interleave(squares, dim=axis))


def check_phases(
    name: str, kinds: Collection[str], size: tuple[int, int], halvings: int, times: int, phases: Sequence[Phase]
) -> None:
    """BenchError where a phase has no meaning for this network: its kind, or its scale."""
    for phase in phases:
        if phase.kind not in kinds:
            raise BenchError(
                f"no phase is called {phase.kind!r}", where="training.phases", fix=f"{name} knows {' and '.join(kinds)}"
            )
        scale = phase.scale if times == 1 else 1 / times
        if any(side * scale % 2**halvings for side in size):
            raise BenchError(
                f"images of {size} x {scale} cannot be halved {halvings} times without a rest",
                where="training.phases", fix="choose another scale or fewer widths",
            )  # fmt: skip
        if times > 1 and phase.scale not in (1, 1 / times):
            raise BenchError(
                f"a network that folds by {times} trains at scale 1 or 1 / {times}, not {phase.scale}",
                where="training.phases", fix="choose one of them",
            )  # fmt: skip
