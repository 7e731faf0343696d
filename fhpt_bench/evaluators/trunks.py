"""The frozen networks under the heads."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from fhpt_bench import features, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators.cells import cells
from fhpt_bench.features import exact
from fhpt_bench.features.trunks import IMAGENET_MEAN, IMAGENET_STD, Taps


class Trunk(Protocol):
    """Images to cells."""

    layers: ClassVar[tuple[int, ...]]
    """Numbers in a cell of each layer, from the finest."""

    def cells(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """N x H x W x 3 uint8 -> N x C x h x w float32 on the device."""
        ...


class VGG16:
    """The five taps that LPIPS reads: 2432 numbers in each cell of 16 x 16 pixels."""

    layers: ClassVar[tuple[int, ...]] = (128, 256, 512, 1024, 512)

    def __init__(self, device: str) -> None:
        self._taps = features.build("vgg16.taps", device)

    def cells(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """See ``Trunk``."""
        with exact():
            return cells(self._taps.extract(images))


class ResNet50:
    """torchvision's ResNet-50 on ImageNet, its four stages: 5632 numbers in each cell of 32 x 32 pixels.

    He et al., Deep Residual Learning, CVPR 2016.
    """

    layers: ClassVar[tuple[int, ...]] = (512, 1024, 2048, 2048)

    def __init__(self, device: str) -> None:
        from torchvision.models import resnet50

        self.device = torch.device(device)
        network = resnet50(weights=None)
        network.load_state_dict(weights.load("resnet50"))
        self.network = network.eval().requires_grad_(False).to(self.device)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(IMAGENET_MEAN, device=self.device).reshape(shape)
        self._std = torch.tensor(IMAGENET_STD, device=self.device).reshape(shape)

    def cells(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """See ``Trunk``."""
        with exact():
            return torch.cat([cells(self._stages(images[i : i + 1])) for i in range(len(images))])

    def _stages(self, images: NDArray[np.uint8]) -> Taps:
        pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32, order="C")).to(self.device)
        net = self.network
        x = F.max_pool2d(F.relu(net.bn1(net.conv1((pixels / 255 - self._mean) / self._std))), 3, 2, 1)
        found = []
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            found.append(x)
        return found


TRUNKS: dict[str, type[VGG16] | type[ResNet50]] = {"vgg16": VGG16, "resnet50": ResNet50}


def trunk(name: str, device: str) -> Trunk:
    """The trunk called ``name`` on ``device``; BenchError where its weights cannot be had."""
    return TRUNKS[name](device)


def refuse_other(name: str, digest: str, where: object) -> None:
    """BenchError unless the trunk ``name`` at hand is the one, by ``weights.digest``, that a head was trained on."""
    if weights.digest(name) != digest:
        raise BenchError(
            f"this evaluator was trained on another {name} than the one at hand", where=where,
            fix=f"fhpt-bench weights pull {name}, or train the evaluator again",
        )  # fmt: skip
