"""AlexNet's and VGG16's layers: torchvision's numbers, one row an image whatever its batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_batches import pictures
from torchvision.models import vgg

from fhpt_bench import features, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.features.trunks import IMAGENET_MEAN, IMAGENET_STD

PHOTOS = pictures(3, 96, 72, seed=7)


def normalised(images: np.ndarray) -> torch.Tensor:
    x = (images / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).float()


def test_vgg16_is_torchvisions() -> None:
    layers = vgg.make_layers(vgg.cfgs["D"])
    layers.load_state_dict({k.removeprefix("features."): v for k, v in weights.load("vgg16").items()})
    ours = features.build("vgg16.taps").extract(PHOTOS)
    x, expected = normalised(PHOTOS), []
    with torch.no_grad():
        for number, layer in enumerate(layers):
            x = layer(x)
            if number in (3, 8, 15, 22, 29):
                expected.append(x.clone())
    assert [tuple(t.shape) for t in ours] == [
        (3, 64, 96, 72),
        (3, 128, 48, 36),
        (3, 256, 24, 18),
        (3, 512, 12, 9),
        (3, 512, 6, 4),
    ]
    for tap, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(tap, theirs, rtol=1e-4, atol=1e-5 * float(theirs.max()))


def test_alexnet_is_torchvisions() -> None:
    from torch import nn

    state = weights.load("alexnet")
    plan = [
        (0, 3, 64, 11, 4, 2),
        (3, 64, 192, 5, 1, 2),
        (6, 192, 384, 3, 1, 1),
        (8, 384, 256, 3, 1, 1),
        (10, 256, 256, 3, 1, 1),
    ]
    x, expected = normalised(PHOTOS), []
    with torch.no_grad():
        for number, inside, out, kernel, stride, padding in plan:
            conv = nn.Conv2d(inside, out, kernel, stride, padding)
            conv.load_state_dict({part: state[f"features.{number}.{part}"] for part in ("weight", "bias")})
            x = torch.relu(conv(nn.MaxPool2d(3, 2)(x) if number in (3, 6) else x))
            expected.append(x)
    for tap, theirs in zip(features.build("alexnet.taps").extract(PHOTOS), expected, strict=True):
        torch.testing.assert_close(tap, theirs, rtol=1e-4, atol=1e-5 * float(theirs.max()))


# L2 pooling takes a root, which magnifies rounding near 0; the distance itself is held to 1e-6 in test_dists.
@pytest.mark.parametrize(("name", "close"), [("alexnet.taps", 1e-6), ("vgg16.taps", 1e-6), ("vgg16.l2taps", 1e-5)])
def test_a_row_does_not_depend_on_its_batch(name: str, close: float) -> None:
    feature = features.build(name)
    together, alone = feature.extract(PHOTOS), [feature.extract(PHOTOS[i : i + 1]) for i in range(3)]
    for layer, tap in enumerate(together):
        apart = torch.cat([taps[layer] for taps in alone])
        assert float((tap - apart).norm() / apart.norm()) < close


def test_l2_taps_begin_with_the_image_and_pool_otherwise() -> None:
    taps = features.build("vgg16.l2taps").extract(PHOTOS)
    assert len(taps) == 6
    np.testing.assert_allclose(taps[0].permute(0, 2, 3, 1).numpy(), PHOTOS / 255, rtol=0, atol=1e-7)
    plain = features.build("vgg16.taps").extract(PHOTOS)
    torch.testing.assert_close(taps[1], plain[0])
    assert taps[2].shape == plain[1].shape
    assert not torch.allclose(taps[2], plain[1], rtol=1e-2)


def test_images_too_small() -> None:
    with pytest.raises(BenchError, match=r"vgg16.taps needs images of at least 16 pixels a side, not 12x40"):
        features.build("vgg16.taps").extract(np.zeros((1, 12, 40, 3), np.uint8))


def test_smallest_images_do_work() -> None:
    for name, side in (("alexnet.taps", 31), ("vgg16.taps", 16)):
        taps = features.build(name).extract(np.zeros((1, side, side, 3), np.uint8))
        assert all(tap.numel() for tap in taps)
