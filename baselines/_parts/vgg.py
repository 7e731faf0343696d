"""Perceptual and style losses on a pretrained VGG (Johnson et al., ECCV 2016; Gatys et al., CVPR 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench.errors import BenchError

Network = Literal["vgg16", "vgg19", "vgg19-normalised"]

# Convolutions in each of the five blocks; a max-pool stands between blocks.
_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4), "vgg19-normalised": (2, 2, 4, 4, 4)}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VGG(nn.Module):
    """Convolutional trunk up to the last tap that is asked for; frozen.

    Taps are named ``relu<block>_<convolution>``.
    """

    def __init__(self, network: Network, weights: Mapping[str, Tensor], taps: Sequence[str]) -> None:
        super().__init__()
        self.taps = tuple(taps)
        known = [f"relu{b + 1}_{c + 1}" for b, n in enumerate(_BLOCKS[network]) for c in range(n)]
        if unknown := [tap for tap in taps if tap not in known]:
            raise BenchError(f"{network} has no tap {unknown[0]!r}", fix=f"taps are {', '.join(known)}")
        # The weights of a trunk stand in order, whatever their carrier calls them.
        kernels = [(k, v) for k, v in weights.items() if k.endswith("weight") and v.ndim == 4 and v.shape[-1] == 3]
        kernels.sort(key=lambda item: [int(part) if part.isdigit() else 0 for part in item[0].split(".")])
        self.names = known[: 1 + max(known.index(tap) for tap in taps)]
        self.convs = nn.ModuleList()
        for (key, kernel), _ in zip(kernels, self.names, strict=False):
            conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, 1, 1)
            conv.load_state_dict({"weight": kernel, "bias": weights[key.removesuffix("weight") + "bias"]})
            self.convs.append(conv)
        # What comes before the first convolution: ImageNet's normalisation, or the file's own 1x1 convolution.
        mix, shift = torch.diag(1 / torch.tensor(_STD))[:, :, None, None], -torch.tensor(_MEAN) / torch.tensor(_STD)
        self.register_buffer("mix", weights.get("preprocess.weight", mix))
        self.register_buffer("shift", weights.get("preprocess.bias", shift))
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> list[Tensor]:
        """image N x 3 x H x W in [-1, 1] -> the tapped features, in the order they come in the network."""
        x = F.conv2d((image + 1) / 2, self.mix, self.shift)
        features = []
        for name, conv in zip(self.names, self.convs, strict=True):
            if name.endswith("_1") and name != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
            if name in self.taps:
                features.append(x)
        return features


def gram(features: Tensor) -> Tensor:
    """N x C x H x W -> N x C x C: products of channels, averaged over places.

    Johnson et al., Eq. 4, without its 1 / C.
    """
    n, c, h, w = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(n, h * w, c)  # no copy in channels_last
    return (flat.transpose(1, 2) @ flat).float() / (h * w)


class _MeanAbs(torch.autograd.Function):
    """Mean |a - b| with gradient to ``a`` alone, in the precision of ``a``.

    One pass over memory back instead of four.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        difference = a - b
        ctx.save_for_backward(difference.sign())
        return difference.abs_().sum(dtype=torch.float32) / difference.numel()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (sign,) = ctx.saved_tensors
        return sign * (grads[0] / sign.numel()).to(sign.dtype), None


def perceptual_loss(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the features, averaged over the taps."""
    return torch.stack([_MeanAbs.apply(a, b) for a, b in zip(made, true, strict=True)]).mean()


def style_loss(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the Gram matrices, averaged over the taps."""
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in zip(made, true, strict=True)]).mean()


def unit_distance(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """LPIPS without learned heads.

    Squared difference of channel-normalised features, averaged over places, summed over taps -> N.
    """
    pairs = [(F.normalize(a.float(), dim=1), F.normalize(b.float(), dim=1)) for a, b in zip(made, true, strict=True)]
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs]).sum(0)
