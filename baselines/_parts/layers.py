"""The small layers of pose-transfer generators.

Stems, strided convolutions, bilinear up-sampling, AdaIN, residual blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["instance", "batch"]
"""``instance``: without affine parameters, after convolutions with biases. ``batch``: affine, after convolutions
without (PATN's two variants, for DeepFashion and Market-1501)."""


class ReflectPad(nn.Module):
    """Reflection padding in the precision of its input.

    Autocast would turn bfloat16 into float32 and double the memory traffic.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.bfloat16:
            return F.pad(x, (self.width,) * 4, mode="reflect")
        with torch.autocast(x.device.type, enabled=False):
            return F.pad(x, (self.width,) * 4, mode="reflect")


def instance_norm(channels: int) -> nn.Module:
    """Instance normalisation without affine parameters or running statistics: the same in training and evaluation."""
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


def norm_of(kind: Norm, channels: int) -> nn.Module:
    """A normalisation of ``kind``."""
    return instance_norm(channels) if kind == "instance" else nn.BatchNorm2d(channels)


def has_bias(kind: Norm) -> bool:
    """Whether the convolutions of a network with ``kind`` have biases: an affine normalisation brings its own."""
    return kind == "instance"


def stem(inputs: int, outputs: int, kernel: int, norm: Norm = "instance") -> nn.Sequential:
    """Reflect-pad, kernel x kernel convolution, norm, ReLU; keeps height and width."""
    conv = nn.Conv2d(inputs, outputs, kernel, bias=has_bias(norm))
    return nn.Sequential(ReflectPad(kernel // 2), conv, norm_of(norm, outputs), nn.ReLU(inplace=True))


def down(inputs: int, outputs: int, norm: Norm = "instance") -> nn.Sequential:
    """3x3 stride-2 convolution, norm, ReLU; halves height and width."""
    conv = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=has_bias(norm))
    return nn.Sequential(conv, norm_of(norm, outputs), nn.ReLU(inplace=True))


class UpConv(nn.Module):
    """Bilinear x2, reflect-pad, convolution: what DRN puts in place of PATN's transposed convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.pad = ReflectPad(kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        result: Tensor = self.conv(self.pad(larger))
        return result


class AdaIN(nn.Module):
    """Adaptive instance normalisation: a 3-layer perceptron turns the style code into a weight and a bias a channel.

    The weight is written 1 + s_w, so that an untrained perceptron leaves the normalised features as they are.
    """

    def __init__(self, code: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.norm = instance_norm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(code, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, 2 * channels),
        )  # fmt: skip

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x N x C x H x W, z N x code -> N x C x H x W."""
        weight, bias = self.mlp(z)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = (1 + weight) * self.norm(x) + bias
        return result


class DownResidual(nn.Module):
    """Residual block that halves height and width; no normalisation, since that would wash out the style it reads."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 2, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.second(F.leaky_relu(self.first(x), 0.2))
        # ceil_mode: an odd side is halved to the same size as the strided convolution gives.
        outside = self.skip(F.avg_pool2d(x, 2, ceil_mode=True))
        return F.leaky_relu(inside + outside, 0.2)


class Residual(nn.Module):
    """Residual block of the discriminators: pad, 3x3, norm, ReLU, dropout, pad, 3x3, norm."""

    def __init__(self, channels: int, dropout: float, norm: Norm = "instance") -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, bias=has_bias(norm)) for _ in range(2))
        self.body = nn.Sequential(
            ReflectPad(1), first, norm_of(norm, channels), nn.ReLU(inplace=True), nn.Dropout(dropout),
            ReflectPad(1), second, norm_of(norm, channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


def start_small(module: nn.Module, deviation: float = 0.02) -> None:
    """PATN's initialisation: weights from N(0, deviation), biases zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Within the block no parameter of ``modules`` collects gradients.

    Gradients still flow through them to their inputs.
    """
    changed = [p for m in modules for p in m.parameters() if p.requires_grad]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def to_uint8(image: Tensor) -> Tensor:
    """N x 3 x H x W in [-1, 1] (clipped) -> N x H x W x 3 uint8, rounded."""
    scaled = (image.float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
