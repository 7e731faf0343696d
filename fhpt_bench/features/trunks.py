"""AlexNet's and VGG16's convolutions: the layers that LPIPS and DISTS compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from fhpt_bench import weights
from fhpt_bench.errors import BenchError
from fhpt_bench.features import Name, exact

Taps = list[torch.Tensor]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""LPIPS' own scaling layer (shift -.030, -.088, -.188; scale .458, .448, .450 on [-1, 1]) is exactly this on [0, 1]."""

VGG16_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""torchvision's numbers of the convolutions up to relu1_2, relu2_2, relu3_3, relu4_3, relu5_3."""


class _Trunk:
    """Images through a stack of convolutions, five layers of it kept."""

    network: ClassVar[str]
    smallest: ClassVar[int]
    """Least height and width, below which a layer would be empty."""
    small = False

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        return (cls.network,)

    def __init__(self, name: Name, device: str) -> None:
        name.choice((), "")
        self.name, self.prepare, self.device = name.text, name.prepare, torch.device(device)
        # Channels last: a third faster on a CPU, and a metric can read a pixel's channels in one go.
        self.weights = {
            key: tensor.to(
                self.device, memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
            )
            for key, tensor in weights.load(self.network).items()
        }
        self.key = f"{self.name} {weights.digest(self.network)} 1"
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(IMAGENET_MEAN, device=self.device).reshape(shape)
        self._std = torch.tensor(IMAGENET_STD, device=self.device).reshape(shape)

    def extract(self, images: NDArray[np.uint8]) -> Taps:
        """N x H x W x 3 uint8 -> five tensors N x C x h x w float32, channels last, on the device.

        Raises BenchError for images too small for the network.
        """
        images = self.prepare.images(images)
        if min(images.shape[1:3]) < self.smallest:
            size = f"{images.shape[1]}x{images.shape[2]}"
            raise BenchError(f"{self.name} needs images of at least {self.smallest} pixels a side, not {size}")
        with exact():
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
            return list(self._taps(self._normalise(pixels.permute(0, 3, 1, 2))))

    def _normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.float().div_(255.0) - self._mean).div_(self._std)

    def _taps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        raise NotImplementedError

    def _conv(self, x: torch.Tensor, number: int, stride: int = 1, padding: int = 1) -> torch.Tensor:
        weight, bias = self.weights[f"features.{number}.weight"], self.weights[f"features.{number}.bias"]
        return F.relu_(F.conv2d(x, weight, bias, stride, padding))


class AlexNetTaps(_Trunk):
    """relu1 .. relu5 of torchvision's AlexNet: 64, 192, 384, 256, 256 channels.

    Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014.
    """

    network = "alexnet"
    smallest = 31

    def _taps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        x = self._conv(x, 0, stride=4, padding=2)
        yield x
        x = self._conv(F.max_pool2d(x, 3, 2), 3, padding=2)
        yield x
        x = self._conv(F.max_pool2d(x, 3, 2), 6)
        yield x
        for number in (8, 10):
            x = self._conv(x, number)
            yield x


class VGG16Taps(_Trunk):
    """relu1_2, 2_2, 3_3, 4_3, 5_3 of torchvision's VGG16: 64, 128, 256, 512, 512 channels.

    Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015. One pass serves every metric that reads it.
    """

    network = "vgg16"
    smallest = 16

    def _taps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        return self._stages(x, lambda x: F.max_pool2d(x, 2))

    def _stages(self, x: torch.Tensor, pool: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[torch.Tensor]:
        for stage in VGG16_STAGES:
            x = x if stage == VGG16_STAGES[0] else pool(x)
            for number in stage:
                x = self._conv(x, number)
            yield x


class VGG16L2Taps(VGG16Taps):
    """The image in [0, 1], then VGG16's five layers with blurred L2 pooling in place of max pooling, for DISTS.

    Ding et al., Image Quality Assessment: Unifying Structure and Texture Similarity, TPAMI 2022, Eq. 2 and 3. The
    pooling window is the 3 x 3 Hann window of the released code (and of torchmetrics).
    """

    def extract(self, images: NDArray[np.uint8]) -> Taps:
        """As ``VGG16Taps.extract``, with the image itself, N x 3 x H x W in [0, 1], before the five layers."""
        taps = super().extract(images)
        with exact():
            pixels = torch.from_numpy(np.ascontiguousarray(self.prepare.images(images))).to(self.device)
            return [pixels.permute(0, 3, 1, 2).float().div_(255.0), *taps]

    def _taps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        return self._stages(x, _l2_pool)


def _l2_pool(x: torch.Tensor) -> torch.Tensor:
    hann = torch.tensor([0.25, 0.5, 0.25], device=x.device)
    window = (hann[:, None] * hann).expand(x.shape[1], 1, 3, 3).contiguous()
    blurred = F.conv2d(x.square(), window, stride=2, padding=1, groups=x.shape[1])
    return (blurred + 1e-12).sqrt_()
