"""Means inside regions: exact, independent of the batch, and honest about what is too small."""

from __future__ import annotations

import numpy as np
import pytest

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.regions import MIN_PIXELS, REGIONS, region_means, region_names, region_scores
from fhpt_bench.types import Context


def test_means_are_those_of_the_pixels_inside() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((3, 32, 20))
    masks = {name: rng.random(maps.shape) < 0.5 for name in ("visible", "face")}
    rows = region_means(maps, masks)
    assert rows.dtype == np.float32
    assert rows.shape == (3, len(REGIONS))
    for name in REGIONS:
        got = rows[:, REGIONS.index(name)]
        if name in masks:
            np.testing.assert_allclose(got, [m[k].mean() for m, k in zip(maps, masks[name], strict=True)], rtol=1e-6)
        else:
            assert np.isnan(got).all(), "a region that the data set cannot tell has no value"


def test_a_region_counts_from_64_pixels() -> None:
    maps = np.ones((2, 16, 16))
    mask = np.zeros((2, 16, 16), bool)
    mask[0].flat[: MIN_PIXELS - 1] = True
    mask[1].flat[:MIN_PIXELS] = True
    hands = region_means(maps, {"hands": mask}, ["hands"])
    assert np.isnan(hands[0, 0])
    assert hands[1, 0] == 1


def test_rows_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(1)
    maps, mask = rng.random((5, 40, 30)).astype(np.float32), rng.random((5, 40, 30)) < 0.3
    whole = region_means(maps, {"clothes": mask})
    single = np.concatenate([region_means(maps[i : i + 1], {"clothes": mask[i : i + 1]}) for i in range(5)])
    np.testing.assert_array_equal(whole, single)


def test_whole_is_the_mean_of_foreground_and_background_by_their_sizes() -> None:
    rng = np.random.default_rng(2)
    maps, mask = rng.random((1, 64, 44)), rng.random((1, 64, 44)) < 0.4
    inside, outside = region_means(maps, {"foreground": mask, "background": ~mask}, ["foreground", "background"])[0]
    assert mask.mean() * inside + (~mask).mean() * outside == pytest.approx(maps.mean(), rel=1e-6)


def test_scores_name_their_region_and_count_what_is_excluded() -> None:
    ids = ["a", "b", "c"]
    context = Context(pair_ids=ids, people=ids, target_ids=ids, source_ids=ids)
    rows = np.array([[0.5, 0.25, np.nan], [0.5, 0.5, np.nan], [0.5, np.nan, np.nan]], np.float32)
    whole, face, hands = region_scores("ssim[gauss1.5]", ["face", "hands"], rows, context, "higher")
    assert [s.name for s in (whole, face, hands)] == ["ssim[gauss1.5]", "ssim[gauss1.5]/face", "ssim[gauss1.5]/hands"]
    assert (face.value, face.pairs, face.excluded) == (0.375, 2, 1)
    assert (hands.value, hands.excluded) == (None, 3)
    assert hands.unavailable


def test_bad_masks_and_names_are_refused() -> None:
    with pytest.raises(BenchError, match="face"):
        region_means(np.zeros((1, 8, 8)), {"face": np.ones((1, 8, 9), bool)})
    for names in (["foot"], ["face", "face"], "face"):
        with pytest.raises(BenchError, match="regions"):
            region_names(names)
