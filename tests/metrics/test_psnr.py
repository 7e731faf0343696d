"""PSNR: scikit-image's number, the one of each region, and 100 dB where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from fhpt_bench.metrics.psnr import CEILING, PSNR
from fhpt_bench.metrics.regions import REGIONS
from fhpt_bench.types import Batch, Context

RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 256, (3, 64, 44, 3), dtype=np.uint8)
GENERATED = np.clip(TARGET + RNG.normal(0, [[[[5]]], [[[20]]], [[[80]]]], TARGET.shape), 0, 255).astype(np.uint8)


def batch(generated: np.ndarray, target: np.ndarray, **regions: np.ndarray) -> Batch:
    return Batch([str(i) for i in range(len(target))], generated, target, target, regions)


def test_equals_scikit_image() -> None:
    rows = PSNR("psnr", regions=False).measure(batch(GENERATED, TARGET))
    theirs = [peak_signal_noise_ratio(t, g, data_range=255) for t, g in zip(TARGET, GENERATED, strict=True)]
    np.testing.assert_allclose(rows[:, 0], theirs, rtol=0, atol=2e-6)  # float32 of about 30 dB


def test_regions_take_the_squared_error_inside() -> None:
    mask = RNG.random((3, 64, 44)) < 0.2
    rows = PSNR("psnr").measure(batch(GENERATED, TARGET, face=mask))
    assert rows.shape == (3, 1 + len(REGIONS))
    for i in range(3):
        theirs = peak_signal_noise_ratio(TARGET[i][mask[i]], GENERATED[i][mask[i]], data_range=255)
        assert rows[i, 1 + REGIONS.index("face")] == pytest.approx(theirs, abs=3e-6)
    assert np.isnan(rows[:, 1 + REGIONS.index("hands")]).all()


def test_differences_are_signed() -> None:
    """250 against 5 is 245 apart; uint8 arithmetic would say 11, and 27 dB instead of 0.35."""
    low, high = np.full((1, 16, 16, 3), 5, np.uint8), np.full((1, 16, 16, 3), 250, np.uint8)
    for generated, target in ((low, high), (high, low)):
        value = PSNR("psnr", regions=False).measure(batch(generated, target))[0, 0]
        assert value == pytest.approx(20 * np.log10(255 / 245), abs=1e-6)


def test_identical_images_are_held_to_100_db_and_one_grey_level_is_less() -> None:
    target = RNG.integers(0, 255, (2, 256, 176, 3), dtype=np.uint8)
    generated = target.copy()
    generated[1, 100, 100, 0] += 1
    face = np.ones((2, 256, 176), bool)
    rows = PSNR("psnr", regions=["face"]).measure(batch(generated, target, face=face))
    assert rows[0].tolist() == [CEILING, CEILING]
    assert rows[1, 0] == pytest.approx(99.44, abs=0.01)
    ids = ["a", "b"]
    whole, _ = PSNR("psnr", regions=["face"]).summarise(rows, Context(ids, ids, ids, ids))
    assert whole.excluded == 0, "a perfect pair counts"
    assert whole.value == pytest.approx(99.72, abs=0.01)


def test_white_padding_raises_psnr_by_its_share_of_the_pixels() -> None:
    """176 of 256 columns: 10 log10(256 / 176) = 1.63 dB, the protocol difference of the facts page."""
    target = RNG.integers(0, 256, (1, 256, 176, 3), dtype=np.uint8)
    generated = np.roll(target, 1, axis=1)
    plain, padded = (
        PSNR("psnr", prepare=prepare, regions=False).measure(batch(generated, target))[0, 0]
        for prepare in (None, {"pad": [256, 256]})
    )
    assert padded - plain == pytest.approx(1.627, abs=0.001)
