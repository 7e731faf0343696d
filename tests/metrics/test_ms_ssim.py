"""MS-SSIM: torchmetrics' number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.ms_ssim import MSSSIM, ms_ssim
from fhpt_bench.types import Batch, Context


def pair(seed: int, height: int, width: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8))
    target = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float64)
    generated = np.clip(np.roll(target, 3, axis=0) + rng.normal(0, noise, target.shape), 0, 255)
    return generated.astype(np.uint8), target.astype(np.uint8)


def theirs(generated: np.ndarray, target: np.ndarray) -> float:
    tensors = [torch.from_numpy(image).permute(2, 0, 1)[None].double() for image in (generated, target)]
    return float(multiscale_structural_similarity_index_measure(*tensors, data_range=255.0))


@pytest.mark.parametrize(("height", "width"), [(256, 176), (256, 256), (187, 201)])
@pytest.mark.parametrize("noise", [1, 60])
def test_equals_torchmetrics(height: int, width: int, noise: float) -> None:
    generated, target = pair(0, height, width, noise)
    assert ms_ssim(generated, target) == pytest.approx(theirs(generated, target), abs=1e-6)


def test_negative_terms_count_as_0_as_they_do_there() -> None:
    _, target = pair(1, 256, 176, 0)
    inverse = 255 - target
    assert ms_ssim(inverse, target) == pytest.approx(theirs(inverse, target), abs=1e-6) == 0


def test_identical_images_are_1_and_rows_and_scores_have_one_column() -> None:
    pairs = [pair(i, 192, 176, 10) for i in range(3)]
    generated, target = (np.stack(images) for images in zip(*pairs, strict=True))
    generated[0] = target[0]
    ids = ["a", "b", "c"]
    metric = MSSSIM("ms-ssim")
    rows = metric.measure(Batch(ids, generated, target, target, {}))
    assert rows.shape == (3, metric.columns)
    assert rows[0, 0] == 1
    (score,) = metric.summarise(rows, Context(ids, ids, ids, ids))
    assert score.value == pytest.approx(
        np.mean([ms_ssim(g, t) for g, t in zip(generated, target, strict=True)]), abs=1e-6
    )


def test_prepared_images_are_measured() -> None:
    generated, target = pair(2, 256, 256, 10)
    batch = Batch(["a"], generated[None], target[None], target[None], {})
    cropped = MSSSIM("ms-ssim", prepare={"crop": [40, 216]}).measure(batch)[0, 0]
    assert cropped == pytest.approx(ms_ssim(generated[:, 40:216], target[:, 40:216]), abs=1e-6)


def test_small_images_are_refused_with_the_size_that_is_needed() -> None:
    generated, target = pair(3, 256, 175, 1)
    with pytest.raises(BenchError, match="176 px"):
        ms_ssim(generated, target)
