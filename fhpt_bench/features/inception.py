"""Inception v3 as the Frechet and kernel distances know it, fed in each of the ways that released tools feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image as PILImage

from fhpt_bench import weights
from fhpt_bench.features import Name, exact

SIZE = 299
_AT_ONCE = 8
"""Images a pass: bounds memory whatever the harness hands over. Up to 12, oneDNN gives an image the same bits however
many share its pass; at 16 it takes another route, a tenth faster and 5e-7 apart: too far for a KID close to 0."""
_EPSILON = 1e-3

Conv = Callable[..., torch.Tensor]


class _Inception:
    """Images -> N x D float32 through the network ``network``, prepared by the setting of the feature's name."""

    network = "inception-fid"
    small = True
    settings: ClassVar[tuple[str, ...]] = ("torchmetrics", "torch-fidelity", "tfgan", "pytorch-fid", "clean", "legacy")

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        return ("inception-tv" if name.choice(cls.settings, "torchmetrics") == "legacy" else cls.network,)

    def __init__(self, name: Name, device: str) -> None:
        self.setting = name.choice(self.settings, "torchmetrics")
        self.name, self.prepare, self.device = name.text, name.prepare, torch.device(device)
        [network] = self.networks(name)
        tensors = weights.load(network)
        self.layers = fold(tensors, self.device)
        self.rest = {key: tensor.to(self.device) for key, tensor in tensors.items() if key.startswith("fc.")}
        self.key = f"{self.name} {self.setting} {weights.digest(network)} 1"

    def extract(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """N x H x W x 3 uint8 -> N x D float32."""
        images = self.prepare.images(images)
        with exact():
            parts = [self._forward(images[i : i + _AT_ONCE]) for i in range(0, len(images), _AT_ONCE)]
            found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return found

    def _forward(self, images: NDArray[np.uint8]) -> torch.Tensor:
        x = FEEDS[self.setting](images, self.device).contiguous(memory_format=torch.channels_last)
        return self._head(inception_v3(x, self.layers, tensorflow=self.setting != "legacy"))

    def _head(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled


class Pool3(_Inception):
    """The 2048-d features of FID and KID: Inception of 2015-12-05, global average of the last block.

    Settings, by the tool whose numbers they reproduce (the same weights, fed differently: 13.468 to 13.191 on one set):
    ``torchmetrics`` (default): bilinear to 299x299 in float, antialiased; (x - 128) / 128.
    ``torch-fidelity``: TensorFlow 1's bilinear, corners at the origin; (x - 128) / 128.
    ``tfgan``: the same bilinear; x / 127.5 - 1, as the images that tf.contrib.gan's ``run_inception`` asks for.
    ``pytorch-fid``: bilinear without antialiasing of x / 255; 2 x - 1.
    ``clean``: Pillow's bicubic in float (Parmar et al., On Aliased Resizing, CVPR 2022); (x - 128) / 128.
    ``legacy``: another network, torchvision's, whose input the early 2019 script mis-normalised; the field's old FID.
    """


class Logits(_Inception):
    """1008 logits, without bias, of the same network: of these torch-fidelity and torchmetrics take their score."""

    network = "inception-fid-logits"
    settings = ("torchmetrics", "torch-fidelity", "pytorch-fid", "clean")

    def _head(self, pooled: torch.Tensor) -> torch.Tensor:
        return pooled @ self.rest["fc.weight"].T


class First64(_Inception):
    """64-d means after the first pooling: torchmetrics' ``feature=64``, whose value its documentation prints."""

    settings = ("torchmetrics", "torch-fidelity", "pytorch-fid", "clean")

    def _forward(self, images: NDArray[np.uint8]) -> torch.Tensor:
        return stem(FEEDS[self.setting](images, self.device), self.layers).mean((2, 3))


def _pixels(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()


def _bilinear(x: torch.Tensor, *, antialias: bool) -> torch.Tensor:
    return F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=antialias)


def _as_torchmetrics(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    return (_bilinear(_pixels(images, device), antialias=True) - 128) / 128


def _as_pytorch_fid(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    return _bilinear(_pixels(images, device) / 255, antialias=False) * 2 - 1


def _as_legacy(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    # The script takes its input for ImageNet-normalised and maps that to [-1, 1]; it is given [0, 1].
    x = _bilinear(_pixels(images, device) / 255, antialias=False)
    scale = torch.tensor([0.229, 0.224, 0.225], device=device).reshape(1, 3, 1, 1) / 0.5
    shift = (torch.tensor([0.485, 0.456, 0.406], device=device).reshape(1, 3, 1, 1) - 0.5) / 0.5
    return x * scale + shift


def _as_torch_fidelity(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    return (_tensorflow_bilinear(images, device) - 128) / 128


def _as_tfgan(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    return _tensorflow_bilinear(images, device) / 127.5 - 1


def _tensorflow_bilinear(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    x = _pixels(images, device)
    for axis in (2, 3):
        x = _tensorflow_resize(x, axis)
    return x


def _tensorflow_resize(x: torch.Tensor, axis: int) -> torch.Tensor:
    """TensorFlow 1's linear resize: output i lies at input i * in / out, not at the pixel's centre."""
    size = x.shape[axis]
    at = torch.arange(SIZE, device=x.device, dtype=torch.float32) * (size / SIZE)
    low = at.floor().long()
    high = (low + 1).clamp(max=size - 1)
    part = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
    below, above = x.index_select(axis, low), x.index_select(axis, high)
    return below + (above - below) * part


def _as_clean_fid(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    resized = np.empty((len(images), 3, SIZE, SIZE), np.float32)
    for i, image in enumerate(images):
        for channel in range(3):
            plane = PILImage.fromarray(np.ascontiguousarray(image[..., channel], np.float32))
            resized[i, channel] = np.asarray(plane.resize((SIZE, SIZE), PILImage.Resampling.BICUBIC))
    return (torch.from_numpy(resized.clip(0, 255)).to(device) - 128) / 128


FEEDS: Mapping[str, Callable[[NDArray[np.uint8], torch.device], torch.Tensor]] = {
    "torchmetrics": _as_torchmetrics,
    "torch-fidelity": _as_torch_fidelity,
    "tfgan": _as_tfgan,
    "pytorch-fid": _as_pytorch_fid,
    "clean": _as_clean_fid,
    "legacy": _as_legacy,
}
"""Setting -> N x H x W x 3 uint8 to N x 3 x 299 x 299 float32, as that tool's network wants it."""


def fold(tensors: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Batch normalisation drawn into each convolution's weight and bias, in float64: half the memory traffic."""
    layers = {}
    for layer in [name.removesuffix(".mean") for name in tensors if name.endswith(".mean")]:
        weight, beta, mean, var = (tensors[f"{layer}.{part}"].double() for part in ("weight", "beta", "mean", "var"))
        scale = tensors.get(f"{layer}.gamma", torch.ones_like(beta)).double() / (var + _EPSILON).sqrt()
        folded = (weight * scale[:, None, None, None]).float()
        layers[layer] = (
            folded.to(device, memory_format=torch.channels_last),
            (beta - mean * scale).float().to(device),
        )
    return layers


Layers = Mapping[str, tuple[torch.Tensor, torch.Tensor]]


def stem(x: torch.Tensor, layers: Layers) -> torch.Tensor:
    """N x 3 x 299 x 299 -> N x 64 x 73 x 73."""
    x = _conv(x, layers, "Conv2d_1a_3x3", stride=2)
    x = _conv(x, layers, "Conv2d_2a_3x3")
    x = _conv(x, layers, "Conv2d_2b_3x3", padding=1)
    return F.max_pool2d(x, 3, 2)


def inception_v3(x: torch.Tensor, layers: Layers, *, tensorflow: bool) -> torch.Tensor:
    """N x 3 x 299 x 299 -> N x 2048.

    Szegedy et al., Rethinking the Inception Architecture, CVPR 2016. ``tensorflow``: the graph of 2015-12-05, whose
    average pools leave the padding out of their counts and whose last block pools by maximum; else torchvision's.
    """
    x = _conv(_conv(stem(x, layers), layers, "Conv2d_3b_1x1"), layers, "Conv2d_4a_3x3")
    x = F.max_pool2d(x, 3, 2)
    for block in ("5b", "5c", "5d"):
        x = _mixed(x, layers, block, {"branch1x1": 1, "branch5x5": 2, "branch3x3dbl": 3}, count_pad=not tensorflow)
    x = _shrink(x, layers, "6a", {"branch3x3": 1, "branch3x3dbl": 3})
    for block in ("6b", "6c", "6d", "6e"):
        x = _mixed(x, layers, block, {"branch1x1": 1, "branch7x7": 3, "branch7x7dbl": 5}, count_pad=not tensorflow)
    x = _shrink(x, layers, "7a", {"branch3x3": 2, "branch7x7x3": 4})
    x = _fan(x, layers, "7b", F.avg_pool2d(x, 3, 1, 1, count_include_pad=not tensorflow))
    pooled = F.max_pool2d(x, 3, 1, 1) if tensorflow else F.avg_pool2d(x, 3, 1, 1)
    return _fan(x, layers, "7c", pooled).mean((2, 3))


def _conv(
    x: torch.Tensor, layers: Layers, name: str, *, stride: int = 1, padding: int | tuple[int, int] = 0
) -> torch.Tensor:
    weight, bias = layers[name]
    return F.relu_(F.conv2d(x, weight, bias, stride, padding))


def _same(x: torch.Tensor, layers: Layers, name: str) -> torch.Tensor:
    """A convolution that keeps height and width."""
    height, width = layers[name][0].shape[2:]
    return _conv(x, layers, name, padding=(height // 2, width // 2))


def _names(block: str, branch: str, count: int) -> list[str]:
    """Names of a branch's convolutions: numbered from 1 where there are several."""
    return [f"Mixed_{block}.{branch}{f'_{i}' if count > 1 else ''}" for i in range(1, count + 1)]


def _mixed(
    x: torch.Tensor, layers: Layers, block: str, branches: Mapping[str, int], *, count_pad: bool
) -> torch.Tensor:
    found = []
    for branch, count in branches.items():
        y = x
        for name in _names(block, branch, count):
            y = _same(y, layers, name)
        found.append(y)
    pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=count_pad)
    return torch.cat([*found, _same(pooled, layers, f"Mixed_{block}.branch_pool")], 1)


def _shrink(x: torch.Tensor, layers: Layers, block: str, branches: Mapping[str, int]) -> torch.Tensor:
    """Halves height and width: the last convolution of each branch, and a pool, have stride 2."""
    found = []
    for branch, count in branches.items():
        *inner, last = _names(block, branch, count)
        y = x
        for name in inner:
            y = _same(y, layers, name)
        found.append(_conv(y, layers, last, stride=2))
    return torch.cat([*found, F.max_pool2d(x, 3, 2)], 1)


def _fan(x: torch.Tensor, layers: Layers, block: str, pooled: torch.Tensor) -> torch.Tensor:
    def conv(y: torch.Tensor, name: str) -> torch.Tensor:
        return _same(y, layers, f"Mixed_{block}.{name}")

    once = conv(x, "branch3x3_1")
    twice = conv(conv(x, "branch3x3dbl_1"), "branch3x3dbl_2")
    return torch.cat(
        [
            conv(x, "branch1x1"),
            conv(once, "branch3x3_2a"),
            conv(once, "branch3x3_2b"),
            conv(twice, "branch3x3dbl_3a"),
            conv(twice, "branch3x3dbl_3b"),
            conv(pooled, "branch_pool"),
        ],
        1,
    )
