"""Averages inside regions of the true image: what a person's detail, its face, its hands and its background score
apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import mean_score
from fhpt_bench.types import Context, Rows, Score

REGIONS = ("foreground", "visible", "occluded", "background", "face", "hands", "clothes")
"""Masks over the target image. ``visible`` / ``occluded``: the part of the foreground that the source image shows /
hides, which is what FHPT calls detail deficiency and content ambiguity."""
MIN_PIXELS = 64
"""A region smaller than this in a pair is excluded there and counted: the mean over a few pixels says nothing."""


def region_means(
    maps: NDArray[np.floating], regions: Mapping[str, NDArray[np.bool_]], names: Sequence[str] = REGIONS
) -> Rows:
    """Mean of each map inside each region.

    maps: N x H x W, finite. regions: name -> N x H x W bool; a name that is not in it is a region the data set cannot
    tell. Returns N x len(names) float32 in the order of ``names``; NaN where a region is absent or has fewer than
    ``MIN_PIXELS`` pixels. Sums run in float64, pair by pair, so that no number depends on which pairs share a batch.
    Raises BenchError where a mask's shape is not the maps'.
    """
    means = np.full((len(maps), len(names)), np.nan, np.float32)
    for column, name in enumerate(names):
        masks = regions.get(name)
        if masks is None:
            continue
        if masks.shape != maps.shape:
            raise BenchError(
                f"the masks of region {name!r} are {masks.shape}, the images are {maps.shape}",
                fix="masks must lie over the target image, pixel by pixel",
            )
        for row, (values, mask) in enumerate(zip(maps, masks, strict=True)):
            pixels = np.count_nonzero(mask)
            if pixels >= MIN_PIXELS:
                means[row, column] = np.multiply(values, mask, dtype=np.float64).sum() / pixels
    return means


def region_names(regions: Sequence[str] | bool) -> tuple[str, ...]:
    """A metric's ``regions`` setting as names: True is all of ``REGIONS``, False none; a BenchError for anything
    unknown."""
    if isinstance(regions, bool):
        return REGIONS if regions else ()
    if isinstance(regions, str) or any(name not in REGIONS for name in regions) or len(set(regions)) < len(regions):
        raise BenchError(
            f"regions = {regions!r}", fix=f"true, false, or a list without repeats of {', '.join(REGIONS)}"
        )
    return tuple(regions)


def region_scores(
    name: str, regions: Sequence[str], rows: Rows, context: Context, better: Literal["higher", "lower", "neither"]
) -> list[Score]:
    """Scores of rows whose columns are [whole image, *regions]: ``name`` first, then ``name/region``."""
    scores = [mean_score(name, rows[:, 0], context, better)]
    for column, region in enumerate(regions, 1):
        why = f"no pair shows {region} in {MIN_PIXELS} px or more, or the data set has no such mask"
        scores.append(mean_score(f"{name}/{region}", rows[:, column], context, better, why=why))
    return scores
