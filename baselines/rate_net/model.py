"""The network of RATE-Net: a pose-transfer branch and a texture-enhancing branch.

Names follow the paper: I_s source image, P_s and P_t poses as heatmaps, F_t features and I_c coarse image of the
transfer branch, z_s texture code, R_t residual, I_t = I_c + R_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.fold import same_in_a_square
from fhpt_bench.baselines._parts.layers import ReflectPad, instance_norm, start_small
from fhpt_bench.baselines._parts.two_branches import BranchShape, TwoBranchNetwork


class Shape(BranchShape):
    """Table ``model`` of config.toml."""

    code: int
    """Length of z_s: 128, or 64 for the ablation "Texture64dim"."""
    style: tuple[int, ...]
    """Channels of the style encoder: its first convolution's, then one a halving."""
    style_stem: int
    """Kernel of the style encoder's first convolution."""
    hidden: int
    """Width of the perceptron that gives every AdaIN its (s_w, s_b)."""
    residuals: int
    """AdaIN residual blocks of the decoder; 2 in the paper."""
    kernel: int
    """Convolutions of the decoder's up-sampling layers."""
    mode: Literal["paper", "released"] = "paper"
    """``released``, as the author's code: the perceptron gives AdaIN's bias and then its weight, not 1 + s_w; and there
    is a content encoder, which is never run."""


class StyleEncoder(nn.Module):
    """I_s (folded) -> z_s: convolutions without normalisation, which would wash out the style; a global average."""

    def __init__(self, colours: int, widths: Sequence[int], stem_kernel: int, code: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(colours, widths[0], stem_kernel, 1)]
        layers += [_convolution(a, b, 4, 2) for a, b in pairwise(widths)]
        self.convolutions = nn.Sequential(*layers)
        self.code = nn.Conv2d(widths[-1], code, 1)

    def forward(self, image: Tensor) -> Tensor:
        """N x colours x H x W -> N x code."""
        result: Tensor = self.code(self.convolutions(image).mean((2, 3), keepdim=True)).flatten(1)
        return result


class AdaINResidual(nn.Module):
    """Residual block whose two instance normalisations get weight and bias from the style code."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = ReflectPad(1)
        self.first, self.second = (nn.Conv2d(channels, channels, 3) for _ in range(2))
        self.norm = instance_norm(channels)

    def forward(self, x: Tensor, statistics: Tensor) -> Tensor:
        """x N x C x H x W; statistics N x 2 x 2 x C: of the first and of the second normalisation, weight and bias."""
        first, second = statistics[..., None, None].unbind(1)
        inside = F.relu(first[:, 0] * self.norm(self.first(self.pad(x))) + first[:, 1])
        return x + second[:, 0] * self.norm(self.second(self.pad(inside))) + second[:, 1]


class Decoder(nn.Module):
    """F_t and the statistics of every AdaIN -> R_t in -1..1: residual blocks, then an up-sampling layer a halving."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths[::-1]
        self.residuals = nn.ModuleList(AdaINResidual(widths[0]) for _ in range(shape.residuals))
        ups: list[nn.Module] = []
        for a, b in pairwise(widths):
            ups += [
                nn.Upsample(scale_factor=2), ReflectPad(shape.kernel // 2), nn.Conv2d(a, b, shape.kernel),
                instance_norm(b), nn.ReLU(inplace=True),
            ]  # fmt: skip
        self.ups = nn.Sequential(*ups)
        self.head = nn.Sequential(
            ReflectPad(shape.head // 2), nn.Conv2d(widths[-1], shape.colours, shape.head), nn.Tanh()
        )

    def forward(self, features: Tensor, statistics: Tensor) -> Tensor:
        """features N x C x h x w; statistics N x residuals x 2 x 2 x C."""
        for block, its in zip(self.residuals, statistics.unbind(1), strict=True):
            features = block(features, its)
        result: Tensor = self.head(self.ups(features))
        return result


class TextureBranch(nn.Module):
    """I_s and F_t -> R_t: a few-shot generator (FUNIT, Liu et al., ICCV 2019) whose content code is F_t."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.style = StyleEncoder(shape.colours, shape.style, shape.style_stem, shape.code)
        self.mlp = nn.Sequential(
            nn.Linear(shape.code, shape.hidden), nn.ReLU(inplace=True),
            nn.Linear(shape.hidden, shape.hidden), nn.ReLU(inplace=True),
            nn.Linear(shape.hidden, 4 * shape.residuals * shape.widths[-1]),
        )  # fmt: skip
        self.decoder = Decoder(shape)
        self.content = ContentEncoder(shape).requires_grad_(False) if shape.mode == "released" else None
        # Without a normalisation after them, N(0, 0.02) lets the code vanish in the style encoder and the perceptron.
        start_alive(self.style)
        start_alive(self.mlp)
        start_small(self.decoder)
        start_small(self.mlp[-1])
        same_in_a_square(self.decoder.head[1], shape.fold)

    def forward(self, source: Tensor, features: Tensor) -> Tensor:
        """source N x colours x H x W, F_t N x C x h x w -> R_t N x colours x H x W."""
        result: Tensor = self.decoder(features, self.statistics(self.style(source)))
        return result

    def statistics(self, code: Tensor) -> Tensor:
        """z_s N x code -> N x residuals x 2 x 2 x C: for both normalisations of each block, weight and bias."""
        said = self.mlp(code).unflatten(1, (self.shape.residuals, 2, 2, self.shape.widths[-1]))
        if self.shape.mode == "released":
            return said.flip(3)  # bias first there
        # Written 1 + s_w, so that an untrained perceptron leaves the normalised features as they are.
        weight, bias = said.unbind(3)
        return torch.stack([1 + weight, bias], dim=3)


class ContentEncoder(nn.Module):
    """FUNIT's own content encoder. RATE-Net decodes F_t in its place, so it takes no part in anything.

    The author's code keeps its 12,202,112 parameters all the same, and so do its snapshots and its published size.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths
        self.convolutions = nn.Sequential(
            nn.Conv2d(shape.colours, widths[0], shape.head), *(nn.Conv2d(a, b, 4, 2) for a, b in pairwise(widths))
        )
        self.residuals = nn.Sequential(*(nn.Conv2d(widths[-1], widths[-1], 3) for _ in range(2 * shape.residuals)))


class RATENet(TwoBranchNetwork):
    """Source image and two poses -> coarse image and final image. ``detail`` is the texture-enhancing branch."""

    shape: Shape

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, TextureBranch(shape) if shape.detail else None)


def start_alive(module: nn.Module) -> None:
    """He's initialisation for ReLU networks: signals keep their size from layer to layer."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    pad = ReflectPad((kernel - stride + 1) // 2)
    return nn.Sequential(pad, nn.Conv2d(inputs, outputs, kernel, stride), nn.ReLU(inplace=True))
