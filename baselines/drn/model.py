"""The networks of DRN: a pose-transfer branch and a detail-replenishing branch (``face.py`` has the face module).

Names follow the paper: I_s source image, P_s and P_t poses as heatmaps, F_t features and I_c coarse image of the
transfer branch G_P, z_s style code, R_t residual, I_t = I_c + R_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.fold import same_in_a_square
from fhpt_bench.baselines._parts.layers import AdaIN, DownResidual, ReflectPad, UpConv, start_small
from fhpt_bench.baselines._parts.two_branches import BranchShape, TwoBranchNetwork


class Shape(BranchShape):
    """Table ``model`` of config.toml; ``network`` of the face module's."""

    code: int
    """Length of z_s: 128, or 64 for the ablation "Texture64dim"."""
    style: tuple[int, ...]
    """Channels of the style encoder's residual blocks; 6 in the paper."""
    hidden: int
    """Width of the perceptrons that give (s_w, s_b)."""
    kernel: int
    """Convolutions of the detail branch."""


class StyleEncoder(nn.Module):
    """I_s (folded) -> z_s: residual blocks, each halving the size, then a global average pool and a linear layer."""

    def __init__(self, colours: int, widths: Sequence[int], code: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DownResidual(a, b) for a, b in zip((colours, *widths[:-1]), widths, strict=True)))
        self.code = nn.Linear(widths[-1], code)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.code(self.blocks(image).mean((2, 3)))
        return result


class DetailBranch(nn.Module):
    """F_t and z_s -> R_t. At each up-sampling layer z_s sets the statistics through AdaIN; LeakyReLU 0.2 after it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = shape.widths[::-1]
        pairs = list(pairwise(widths))
        self.style = StyleEncoder(shape.colours, shape.style, shape.code)
        self.ups = nn.ModuleList(UpConv(a, b, shape.kernel) for a, b in pairs)
        self.adains = nn.ModuleList(AdaIN(shape.code, shape.hidden, b) for _, b in pairs)
        self.head = nn.Sequential(
            ReflectPad(shape.head // 2), nn.Conv2d(widths[-1], shape.colours, shape.head), nn.Tanh()
        )

    def forward(self, source: Tensor, features: Tensor) -> Tensor:
        z = self.style(source)
        for up, adain in zip(self.ups, self.adains, strict=True):
            features = F.leaky_relu(adain(up(features), z), 0.2)
        result: Tensor = self.head(features)
        return result


class DRN(TwoBranchNetwork):
    """Source image and two poses -> coarse image and final image."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, DetailBranch(shape) if shape.detail else None)
        if isinstance(self.detail, DetailBranch):
            # Not the style encoder and the perceptrons: without a normalisation after them, N(0, 0.02) lets the code
            # vanish.
            start_small(self.detail.ups)
            start_small(self.detail.head)
            same_in_a_square(self.detail.head[1], shape.fold)
