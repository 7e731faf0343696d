"""Inception: the numbers of torchmetrics, torch-fidelity, pytorch-fid and clean-fid from the same weights."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from network_batches import pictures
from PIL import Image

from fhpt_bench import features, frechet, weights
from fhpt_bench.features.inception import FEEDS, fold, inception_v3
from fhpt_bench.weights import catalogue, convert

PHOTOS = pictures(6, 256, 176, seed=1)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@pytest.fixture(scope="module")
def fidelity(inception_file: Path) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        return FeatureExtractorInceptionV3("inception", ["2048"], str(inception_file))


def after_the_feed(network: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    """torch-fidelity's layers in their order on 299 x 299 input prepared otherwise; all but the logits."""
    with torch.no_grad():
        return torch.nn.Sequential(*list(network.children())[:-1])(x).flatten(1).numpy()


def test_torchmetrics_features(inception_file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.fid import NoTrainInceptionV3

        network = NoTrainInceptionV3("inception", ["2048"], str(inception_file))
        with torch.no_grad():
            theirs = network(tensor(PHOTOS)).numpy()
    ours = features.build("inception.pool3").extract(PHOTOS)
    assert ours.dtype == np.float32
    assert ours.shape == (6, 2048)
    assert relative(ours, theirs) < 1e-4
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def test_torch_fidelity_features(fidelity: torch.nn.Module) -> None:
    with torch.no_grad():
        theirs = fidelity(tensor(PHOTOS))[0].numpy()
    assert relative(features.build("inception.pool3[torch-fidelity]").extract(PHOTOS), theirs) < 1e-4


def test_tfgan_features(fidelity: torch.nn.Module) -> None:
    """tf.contrib.gan: the graph's own bilinear of x / 127.5 - 1, as RATE-Net's author feeds it. torch-fidelity's first
    step is that resize; here it is done by indexing, one pixel at a time."""
    at = [np.arange(299) * (size / 299) for size in (256, 176)]
    low = [a.astype(int) for a in at]
    part = [a - b for a, b in zip(at, low, strict=True)]
    high = [np.minimum(b + 1, size - 1) for b, size in zip(low, (256, 176), strict=True)]
    x = PHOTOS.astype(np.float64)
    rows = x[:, low[0]] + (x[:, high[0]] - x[:, low[0]]) * part[0][None, :, None, None]
    both = rows[:, :, low[1]] + (rows[:, :, high[1]] - rows[:, :, low[1]]) * part[1][None, None, :, None]
    fed = torch.from_numpy((both / 127.5 - 1).astype(np.float32).transpose(0, 3, 1, 2))
    ours = features.build("inception.pool3[tfgan]").extract(PHOTOS)
    assert relative(ours, after_the_feed(fidelity, fed)) < 1e-4
    assert relative(ours, features.build("inception.pool3[torch-fidelity]").extract(PHOTOS)) > 1e-4


def test_pytorch_fid_features(fidelity: torch.nn.Module) -> None:
    """pytorch-fid 0.3: to [0, 1], bilinear without antialiasing, 2 x - 1 (``resize_input`` and ``normalize_input``)."""
    x = F.interpolate(tensor(PHOTOS) / 255, size=(299, 299), mode="bilinear", align_corners=False)
    ours = features.build("inception.pool3[pytorch-fid]").extract(PHOTOS)
    assert relative(ours, after_the_feed(fidelity, 2 * x - 1)) < 1e-4


def test_clean_fid_features(fidelity: torch.nn.Module) -> None:
    """clean-fid 0.1.35: Pillow's bicubic, a plane at a time in float, clipped to 0..255."""
    planes = PHOTOS.transpose(0, 3, 1, 2).reshape(-1, 256, 176).astype(np.float32)
    resized = np.stack([np.asarray(Image.fromarray(p).resize((299, 299), Image.Resampling.BICUBIC)) for p in planes])
    x = torch.from_numpy(resized.clip(0, 255).reshape(6, 3, 299, 299))
    ours = features.build("inception.pool3[clean]").extract(PHOTOS)
    assert relative(ours, after_the_feed(fidelity, (x - 128) / 128)) < 1e-4


def test_the_ways_to_feed_differ() -> None:
    """Shrinking is where they part: the same images, six sets of pixels."""
    large = pictures(1, 700, 500, seed=2)
    found = [feed(large, torch.device("cpu")).numpy() for feed in FEEDS.values()]
    assert all(x.shape == (1, 3, 299, 299) for x in found)
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert np.abs(one - other).max() > 1e-3


def test_legacy_is_torchvisions_network(tmp_path: Path) -> None:
    """Random weights: the arithmetic. (The file itself comes only from its own address.)"""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=False).eval()
    for name, buffer in theirs.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    for name, parameter in theirs.named_parameters():
        if ".bn." in name:
            parameter.data.uniform_(0.5, 1.5)
    torch.save(theirs.state_dict(), tmp_path / "tv.pth")
    layers = fold(convert.FORMS["inception-pool3"](tmp_path / "tv.pth"), torch.device("cpu"))
    theirs.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 299, 299)
    with torch.no_grad():
        expected = theirs(x).numpy()
        ours = inception_v3(x, layers, tensorflow=False).numpy()
        other = inception_v3(x, layers, tensorflow=True).numpy()
    assert relative(ours, expected) < 1e-4
    assert relative(other, expected) > 1e-3


def test_a_row_does_not_depend_on_its_batch() -> None:
    feature = features.build("inception.pool3")
    together = feature.extract(PHOTOS[:5])
    alone = np.concatenate([feature.extract(PHOTOS[i : i + 1]) for i in range(5)])
    assert relative(together, alone) < 1e-6


def test_prepared_images_are_what_the_network_sees() -> None:
    cropped = features.build("inception.pool3[torchmetrics,crop40:136]").extract(PHOTOS[:1])
    np.testing.assert_array_equal(cropped, features.build("inception.pool3").extract(PHOTOS[:1, :, 40:136]))


def test_keys_change_with_the_settings() -> None:
    keys = {features.build(n).key for n in ("inception.pool3", "inception.pool3[clean]", "inception.pool3[crop0:9]")}
    assert len(keys) == 3


@pytest.fixture
def random_logits(inception_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The official file's form with made-up logits, known by its own hash in place of the real one."""
    state = torch.load(inception_file, weights_only=True)
    torch.manual_seed(1)
    state |= {"fc.weight": torch.randn(1008, 2048) / 20, "fc.bias": torch.randn(1008)}
    path = tmp_path / "made-up.pth"
    torch.save(state, path)
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(tmp_path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    official = catalogue.Official("https://nowhere.invalid/made-up.pth", digest, "inception-logits")
    network = catalogue.Network("inception-fid-logits", "made up", "is", "us", "none", "none", official)
    monkeypatch.setitem(catalogue.NETWORKS, "inception-fid-logits", network)
    return path


def test_logits(random_logits: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        network = FeatureExtractorInceptionV3("inception", ["logits_unbiased"], str(random_logits))
    with torch.no_grad():
        theirs = network(tensor(PHOTOS[:2]))[0].numpy()
    ours = features.build("inception.logits[torch-fidelity]").extract(PHOTOS[:2])
    assert ours.shape == (2, 1008)
    assert relative(ours, theirs) < 1e-4


@pytest.mark.slow
def test_documented_fid64_of_torchmetrics(inception_file: Path) -> None:
    """12.6388 in the documentation of FrechetInceptionDistance: seed 42, the images drawn after the network is built.

    End to end: that the weights are the right ones, not only that two programs agree on them.
    """
    torch.manual_seed(42)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image.fid import FrechetInceptionDistance

        FrechetInceptionDistance(feature=64, feature_extractor_weights_path=str(inception_file))
    draws = [torch.randint(*span, (100, 3, 299, 299), dtype=torch.uint8) for span in ((0, 200), (100, 255))]
    feature = features.build("inception.first64")
    real, fake = (feature.extract(d.permute(0, 2, 3, 1).numpy()) for d in draws)
    assert frechet.distance(real, fake) == pytest.approx(12.6388, abs=1e-4)


def test_digests_of_the_carried_networks() -> None:
    """What the index's files convert to: any other source of these networks must give the same tensors."""
    assert weights.digest("inception-fid").startswith("0abdc630349d")
    assert weights.digest("alexnet").startswith("55bf5f9599d7")
    assert weights.digest("vgg16").startswith("ec92018a5117")
