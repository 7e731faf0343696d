"""PSNR in float, whole and by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.metrics.prepare import Prepare, check_rounded
from fhpt_bench.metrics.regions import region_means, region_names, region_scores
from fhpt_bench.types import Batch, Context, Need, Rows, Score

CEILING = 100.0
"""dB. What two identical images (or regions) get, and the most any pair gets."""


@dataclass(frozen=True)
class PSNR:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / MSE), MSE over pixels and channels; the mean of the pairs' dB.

    The numbers are scikit-image's ``peak_signal_noise_ratio`` with data_range 255; differences are taken as signed
    integers (a published 31.38 dB came from uint8 wrapping round at a true 15 dB). Identical images have no PSNR
    (infinite). Excluding such pairs would punish a model for its perfect ones and leave ``truth`` without a score, so
    every pair is held to at most ``CEILING`` = 100 dB: one grey level in one channel of one pixel of a 256x176 image
    is 99.4 dB, so nothing that differs at that size is called perfect. ``name/region``: MSE over the truth's mask.
    Rows: [whole, *regions].
    """

    name: str
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to both images first. (Padding to 256x256 raises the PSNR of a 256x176 image by 1.63 dB.)"""
    regions: Sequence[str] | bool = True
    """True: all; False: none; or names of ``metrics.regions.REGIONS``."""

    needs: ClassVar[Sequence[Need]] = ()
    better: ClassVar[Literal["higher"]] = "higher"

    def __post_init__(self) -> None:
        object.__setattr__(self, "prepare", check_rounded(self.name, Prepare.of(self.prepare)))
        object.__setattr__(self, "regions", region_names(self.regions))

    @property
    def columns(self) -> int:
        return 1 + len(region_names(self.regions))

    def measure(self, batch: Batch) -> Rows:
        """N x (1 + regions) float32 dB; NaN for a region that is absent or smaller than 64 px."""
        prepare, names = Prepare.of(self.prepare), region_names(self.regions)
        generated, target = prepare.images(batch.generated), prepare.images(batch.target)
        errors = np.stack([_squared_error(g, t) for g, t in zip(generated, target, strict=True)])
        masks = {name: prepare.masks(batch.regions[name]) for name in names if name in batch.regions}
        whole = np.array([each.mean() for each in errors])
        return decibels(np.column_stack([whole, region_means(errors, masks, names)]))

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score of the whole image and one of each region."""
        return region_scores(self.name, region_names(self.regions), rows, context, self.better)


def decibels(mse: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean squared errors of 8-bit values, any shape -> dB, at most ``CEILING``; NaN stays NaN."""
    least = 255.0**2 / 10 ** (CEILING / 10)
    return (10 * np.log10(255.0**2 / np.maximum(mse, least))).astype(np.float32)


def _squared_error(prediction: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float64]:
    """H x W: mean over the channels."""
    signed = prediction.astype(np.int32) - target
    mean: NDArray[np.float64] = np.square(signed).sum(2) / signed.shape[2]
    return mean
