"""clean-v1 against the packages that everybody trusts."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import originals as o
import pytest
import torch
from constructed import Case, case
from PIL import Image
from skimage.metrics import structural_similarity

from fhpt_bench import score, weights
from fhpt_bench.record import Record


@pytest.fixture(scope="module")
def on() -> Case:
    return case((256, 176), 2)


@pytest.fixture(scope="module")
def record(on: Case, session_cache: Path) -> Record:
    return score(on.by_id, data=on.data, protocol="clean-v1", device="cpu", show=False)


def test_pixels(on: Case, record: Record) -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    def plain(made: np.ndarray, true: np.ndarray) -> float:
        how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        return float(structural_similarity(true, made, channel_axis=2, data_range=255, **how))

    assert record.score("ssim[gauss1.5]").value == pytest.approx(o.mean(plain, on.generated, on.target), abs=1e-6)
    assert record.score("psnr").value == pytest.approx(o.mean(o.psnr, on.generated, on.target), abs=1e-5)
    x, y = (torch.from_numpy(i.transpose(0, 3, 1, 2).copy()).double() for i in (on.generated, on.target))
    several = multiscale_structural_similarity_index_measure(x, y, data_range=255.0)
    assert record.score("ms-ssim").value == pytest.approx(float(several), abs=1e-5)


@pytest.mark.parametrize(("net", "trunk"), [("alex", "alexnet"), ("vgg", "vgg16")])
def test_lpips(net: str, trunk: str, on: Case, record: Record) -> None:
    made, true = ([o.signed(i) for i in images] for images in (on.generated, on.target))
    expected = o.lpips(net, weights.load(trunk), made, true).mean()
    assert record.score(f"lpips[{net}]").value == pytest.approx(float(expected), abs=1e-5)


def test_fid_and_kid(on: Case, record: Record, inception_file: Path) -> None:
    """clean-fid's resize (Pillow's bicubic, in float), torch-fidelity's network, SciPy's root; KID as defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        network = FeatureExtractorInceptionV3("inception", ["2048"], str(inception_file))
    layers = torch.nn.Sequential(*list(network.children())[:-1])

    def features(images: np.ndarray) -> np.ndarray:
        planes = images.transpose(0, 3, 1, 2).reshape(-1, 256, 176).astype(np.float32)
        small = [np.asarray(Image.fromarray(p).resize((299, 299), Image.Resampling.BICUBIC)) for p in planes]
        x = torch.from_numpy(np.stack(small).clip(0, 255).reshape(-1, 3, 299, 299))
        with torch.no_grad():
            return layers((x - 128) / 128).flatten(1).numpy().astype(np.float64)

    made, true = features(on.generated), features(on.target)
    assert record.score("fid[clean]").value == pytest.approx(o.frechet(made, true), rel=1e-3)
    kernel = [(a @ b.T / 2048 + 1) ** 3 for a, b in ((made, made), (true, true), (made, true))]
    within = sum((k.sum() - np.trace(k)) / 2 for k in kernel[:2])
    assert record.score("kid[clean]").value == pytest.approx(within - 2 * kernel[2].mean(), rel=1e-3)


def test_every_column_has_a_value_or_a_reason(record: Record) -> None:
    """The pictures show nobody, so no face and no body is found in them: that is said, not scored."""
    assert {s.name for s in record.scores} >= {name for group in record.protocol.headline.values() for name in group}
    for found in record.scores:
        assert (found.value is None) == bool(found.unavailable), found.name
