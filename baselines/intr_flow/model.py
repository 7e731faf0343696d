"""Intr-Flow's networks (Li et al., Dense Intrinsic Appearance Flow for Human Pose Transfer, CVPR 2019, Fig. 2).

Both poses -> flow F and visibility V; source image, target pose, F and V -> generated image; generated image, source
warped by F, F and V -> weights m; image = m * warped + (1 - m) * generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from fhpt_bench.baselines._parts import fold
from fhpt_bench.baselines._parts.dual_unet import DualUNet, Gate, UNet, level_widths
from fhpt_bench.baselines._parts.flow_net import UNIT, Flow, FlowNet, FlowShape
from fhpt_bench.baselines._parts.heatmaps import Form
from fhpt_bench.baselines._parts.warping import BACKGROUND, enlarged, own_places, warp
from fhpt_bench.train_config import parse


class Shape(BaseModel):
    """Table ``model`` of config.toml: images, poses, and the generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int]
    """height, width of images; each divisible by fold * 2 ** scales."""
    fold: int = 1
    """The networks see each fold x fold square of an image as one pixel of more channels: see ``_parts/fold.py``. Flow
    and visibility have one value a square."""
    heatmap: Form = "disk"
    sigma: float
    """Radius of the heatmaps in pixels at ``size``."""
    width: int
    widest: int
    scales: int
    warped: int
    """How many of the ``scales`` levels have their appearance features warped."""
    blocks: int = 2
    head: int = 7
    mode: Literal["paper", "released"] = "paper"
    """``released``: both encoders share their down-sampling, and pixel warping reads the flow in pixels, not in units
    of 20: as the published weights need."""
    encoders: Literal["dual", "single"] = "dual"
    """``single``: one encoder on image and pose together (ablation "w/o dual encoder"); it cannot be warped."""
    warping: bool = True
    """False: appearance features stay where they are (ablation "w/o flow")."""
    gate: Gate = "residual"
    """``none``: warped features go on as they are (ablation "w/o visibility")."""
    pixels: bool = True
    """False: the generated image is the result (ablation "w/o pixel warping")."""

    @property
    def needs_flow(self) -> bool:
        return self.pixels or (self.warping and self.encoders == "dual")


class PixelShape(BaseModel):
    """Table ``pixels`` of config.toml: the pixel-warping network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int
    widest: int
    scales: int
    blocks: int = 2
    head: int = 7


class Made(NamedTuple):
    """An image and what led to it; N x ... x H x W at the size of the source image unless said otherwise."""

    image: Tensor
    generated: Tensor
    """Without pixel warping."""
    flow: Flow | None
    """At the networks' resolution: 1 / fold of the size."""
    warped: Tensor | None
    """The source moved by the flow; -1 (black) where the visibility is background."""
    weight: Tensor | None
    """m, N x 1 x H x W: how much of a pixel is warped."""


class Painter(nn.Module):
    """The generator, and the network that weighs its image against warped pixels: what ships beside the flow."""

    def __init__(self, shape: Shape, pixels: PixelShape) -> None:
        super().__init__()
        colours, squares = 3 * shape.fold**2, shape.fold**2
        widths = level_widths(shape.width, shape.widest, shape.scales)
        self.generator: DualUNet | UNet
        if shape.encoders == "dual":
            self.generator = DualUNet(
                18, colours, widths, shape.warped if shape.warping else 0, shape.blocks, shape.head, shape.gate,
                shared=shape.mode == "released",
            )  # fmt: skip
        else:
            self.generator = UNet(colours + 18, colours, widths, shape.blocks, shape.head, mix=False)
        self.weigher = None
        if shape.pixels:
            narrow = level_widths(pixels.width, pixels.widest, pixels.scales)
            # In the order of the released code: generated, warped, visibility, flow.
            self.weigher = UNet(2 * colours + 3, squares, narrow, pixels.blocks, pixels.head)
        for network in (self.generator, self.weigher):
            if network is not None:
                head = network.head[1]
                assert isinstance(head, nn.Conv2d)
                fold.same_in_a_square(head, shape.fold)
        if self.weigher is not None:
            # Begin with the generated image: an untrained half of the warped one's black background would only harm.
            nn.init.constant_(head.bias, -4.0)


class IntrFlow(nn.Module):
    """Source image and two poses -> target image, with everything on the way (``Made``)."""

    def __init__(self, shape: Shape, flow: FlowShape, pixels: PixelShape) -> None:
        super().__init__()
        self.shape = shape
        self.flow = FlowNet(flow) if shape.needs_flow else None
        self.painter = Painter(shape, pixels)
        scales = [shape.scales, flow.halvings if shape.needs_flow else 0, pixels.scales if shape.pixels else 0]
        self.halvings = max(scales)
        """How often each side of a folded image must be divisible by 2."""

    def forward(self, source: Tensor, source_points: Tensor, target_points: Tensor) -> Made:
        """source N x 3 x H x W in [-1, 1]; points N x 18 x 2 in pixels, NaN where unknown or outside the frame."""
        poses = self.poses(source, source_points, target_points)
        flow = self.flow.predict(poses) if self.flow is not None else None
        return self.finish(source, flow, self.generate(source, poses, flow))

    def poses(self, image: Tensor, source_points: Tensor, target_points: Tensor) -> Tensor:
        """N x 36 heatmaps at the networks' resolution: source pose, target pose."""
        height, width = (int(side) for side in image.shape[2:])
        small = height == self.shape.size[0]
        folded = (height // self.shape.fold, width // self.shape.fold) if small else (height, width)
        points = torch.cat([source_points, target_points], 1)
        return fold.poses(points, height, folded, self.shape.size[0], self.shape.sigma, self.shape.heatmap)

    def generate(self, source: Tensor, poses: Tensor, flow: Flow | None) -> Tensor:
        """The generator's image, N x 3 x H x W in [-1, 1]."""
        image, pose = self._folded(source), poses[:, 18:]
        if isinstance(self.painter.generator, DualUNet):
            made = self.painter.generator(image, pose, flow if self.shape.warping else None)
        else:
            made = self.painter.generator(torch.cat([image, pose], 1)).tanh()
        return self._unfolded(made, source)

    def finish(self, source: Tensor, flow: Flow | None, generated: Tensor) -> Made:
        """Pixel warping: the generated image and the warped source, mixed."""
        if self.painter.weigher is None:
            return Made(generated, generated, flow, None, None)
        assert flow is not None
        warped = self.warped(source, flow)
        unit = 1.0 if self.shape.mode == "released" else UNIT
        moves = (flow.places - own_places(*flow.places.shape[2:], device=source.device)) / unit
        known = [self._folded(generated), self._folded(warped), flow.visibility[:, None].float(), moves]
        weight = self._unfolded(self.painter.weigher(torch.cat([x.float() for x in known], 1)), source).sigmoid()
        return Made(weight * warped + (1 - weight) * generated, generated, flow, warped, weight)

    def warped(self, source: Tensor, flow: Flow) -> Tensor:
        """The source's pixels, N x 3 x H x W, moved by the flow; -1 where the visibility is background."""
        times = int(source.shape[2]) // int(flow.places.shape[2])
        moved = warp(source, enlarged(flow.places, flow.visibility != BACKGROUND, times))
        person = (flow.visibility != BACKGROUND)[:, None].repeat_interleave(times, 2).repeat_interleave(times, 3)
        return torch.where(person, moved, -torch.ones_like(moved))

    def _folded(self, image: Tensor) -> Tensor:
        return fold.fold(image, self.shape.fold, self.shape.size[0])

    def _unfolded(self, folded: Tensor, like: Tensor) -> Tensor:
        return fold.unfold(folded, self.shape.fold, self.shape.size[0], int(like.shape[2]))


def network(settings: Mapping[str, Any]) -> IntrFlow:
    """The untrained network of a configuration."""
    return IntrFlow(
        parse(Shape, settings, "model"), parse(FlowShape, settings, "flow"), parse(PixelShape, settings, "pixels")
    )
