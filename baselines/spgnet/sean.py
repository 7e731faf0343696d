"""Region-adaptive normalisation (SEAN, Zhu et al., CVPR 2020; SPADE, Park et al., CVPR 2019) and what it reads.

ST is the paper's style matrix: one code a parsing class, from what the source shows of that class.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.baselines._parts.dual_unet import Mix
from fhpt_bench.baselines._parts.layers import DownResidual, UpConv
from fhpt_bench.baselines.spgnet.parsing import CLASSES

Styling = Literal["sean", "spade", "concat", "none"]
"""How a decoder block learns of region and style. ``sean``: both through its normalisation (SPGNet). ``spade``: the
regions alone. ``concat``: the codes spread over their regions stand beside the features (Table 3's CC). ``none``."""


class StyleEncoder(nn.Module):
    """Source image and S_ps -> ST, N x 20 x code: features averaged over each class's region.

    Residual blocks that halve the size and none that normalises, which would wash out the colours; one doubling, so
    that small regions are still cells apart. A class that the source does not show has a code of zeros.
    """

    def __init__(self, colours: int, widths: Sequence[int], code: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DownResidual(a, b) for a, b in pairwise((colours, *widths))))
        self.up = UpConv(widths[-1], code)

    def forward(self, image: Tensor, parsing: Tensor) -> Tensor:
        """image N x colours x H x W, parsing N x 20 x H x W (shares of the classes)."""
        features = self.up(F.leaky_relu(self.blocks(image), 0.2)).tanh()
        regions = F.adaptive_avg_pool2d(parsing, features.shape[2:]).to(features.dtype)
        total = torch.einsum("nchw,nkhw->nkc", features, regions)
        result: Tensor = total / regions.sum((2, 3)).clamp(min=1e-3)[..., None]
        return result


class Region(nn.Module):
    """The parsing alone -> a scale and a shift for each place and channel (SPADE)."""

    def __init__(self, channels: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.shared = nn.Conv2d(CLASSES, hidden, kernel, padding=kernel // 2)
        self.both = nn.Conv2d(hidden, 2 * channels, kernel, padding=kernel // 2)

    def forward(self, parsing: Tensor) -> Tensor:
        result: Tensor = self.both(F.relu(self.shared(parsing), inplace=True))
        return result


class Style(nn.Module):
    """ST spread over the target's regions -> a scale and a shift for each place and channel (SEAN's style branch).

    Each class has a linear layer of its own for its code.
    """

    def __init__(self, channels: int, code: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(CLASSES, code, code))
        self.bias = nn.Parameter(torch.zeros(CLASSES, code))
        nn.init.normal_(self.weight, 0.0, code**-0.5)
        self.both = nn.Conv2d(code, 2 * channels, kernel, padding=kernel // 2)

    def forward(self, styles: Tensor, parsing: Tensor) -> Tensor:
        codes = F.relu(torch.einsum("nkc,kcd->nkd", styles, self.weight.to(styles.dtype)) + self.bias)
        result: Tensor = self.both(spread(codes, parsing))
        return result


def spread(codes: Tensor, parsing: Tensor) -> Tensor:
    """codes N x 20 x C, parsing N x 20 x H x W (shares) -> N x C x H x W: every place has its class's code."""
    return torch.einsum("nkc,nkhw->nchw", codes.to(parsing.dtype), parsing).contiguous(
        memory_format=torch.channels_last
    )


class RegionNorm(nn.Module):
    """Normalise, then scale and shift by place: SEAN, SPADE, or nothing more.

    SEAN mixes the scales (and the shifts) that the styles give with those that the regions give, by one learned weight
    each. Scales are written 1 + gamma. ``kernels``: of the convolutions over the regions, and over the spread codes.
    SEAN adds noise to the features, the published SPGNet even at test; this does not, so that an image depends on its
    prompt alone.
    """

    def __init__(self, channels: int, code: int, hidden: int, kernels: tuple[int, int], styling: Styling) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.region = Region(channels, hidden, kernels[0]) if styling in ("sean", "spade") else None
        self.style = Style(channels, code, kernels[1]) if styling == "sean" else None
        self.mix = nn.Parameter(torch.zeros(2)) if styling == "sean" else None

    def forward(self, x: Tensor, styles: Tensor, parsing: Tensor) -> Tensor:
        """x N x C x H x W, styles N x 20 x code, parsing N x 20 x H x W (shares) -> as x."""
        x = self.norm(x)
        if self.region is None:
            return x
        gamma, beta = self.region(parsing).chunk(2, 1)
        if self.style is not None and self.mix is not None:
            style_gamma, style_beta = self.style(styles, parsing).chunk(2, 1)
            a, b = self.mix.sigmoid()
            gamma, beta = gamma + a * (style_gamma - gamma), beta + b * (style_beta - beta)
        return x * (1 + gamma) + beta


class SEANBlock(nn.Module):
    """Residual block of the decoder: x + what is made of x beside a skip.

    Twice normalisation by region, LeakyReLU 0.2, 3x3 convolution. The skip is merged to as many channels as x by a 1x1
    convolution first (Intr-Flow). With ``concat`` the spread codes stand beside the two.
    """

    def __init__(
        self, channels: int, skip: int, code: int, hidden: int, kernels: tuple[int, int], styling: Styling
    ) -> None:
        super().__init__()
        self.styling = styling
        self.merge = Mix(skip, channels)
        inputs = 2 * channels + code * (styling == "concat")
        self.norms = nn.ModuleList(RegionNorm(n, code, hidden, kernels, styling) for n in (inputs, channels))
        self.convs = nn.ModuleList(nn.Conv2d(n, channels, 3, padding=1) for n in (inputs, channels))

    def forward(self, x: Tensor, skip: Tensor, styles: Tensor, parsing: Tensor) -> Tensor:
        """x N x C x H x W, skip N x S x H x W, styles N x 20 x code, parsing N x 20 x H x W (shares) -> as x."""
        parts = [x, self.merge(F.relu(skip))]
        inside = torch.cat([*parts, spread(styles, parsing)] if self.styling == "concat" else parts, 1)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            inside = conv(F.leaky_relu(norm(inside, styles, parsing), 0.2))
        return x + inside
