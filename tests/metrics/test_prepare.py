"""Crop, resize, pad, JPEG: what a protocol does before it measures."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.protocol import MetricSpec, build_metric


def images(height: int = 64, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_nothing_asked_nothing_done() -> None:
    given = images()
    assert Prepare().images(given) is given
    assert Prepare().label == ""
    assert Prepare.of(None) == Prepare.of({}) == Prepare()


def test_crop_and_pad_put_the_columns_back_where_they_were() -> None:
    given = images(64, 64)
    out = Prepare(crop=(10, 54), pad=(64, 64)).images(given)
    np.testing.assert_array_equal(out[:, :, 10:54], given[:, :, 10:54])
    assert (out[:, :, :10] == 255).all()
    assert (out[:, :, 54:] == 255).all()


@pytest.mark.parametrize("name", ["bicubic", "bilinear", "nearest"])
def test_resize_is_pillows(name: Any) -> None:
    given = images()
    out = Prepare(resize=(32, 40), filter=name).images(given)
    expected = Image.fromarray(given[1]).resize((40, 32), Image.Resampling[name.upper()])
    np.testing.assert_array_equal(out[1], np.asarray(expected))


def test_shrinking_is_antialiased() -> None:
    """Columns of one pixel, black and white: without antialiasing half the size would be all black or all white."""
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    out = Prepare(resize=(32, 32)).images(stripes)[0, 4:-4, 4:-4]
    assert (abs(out.astype(int) - 127) <= 4).all()


def test_jpeg_is_that_of_pillow_and_loses_more_at_a_lower_quality() -> None:
    given = images()
    out = [Prepare(jpeg=quality).images(given) for quality in (95, 75)]
    file = io.BytesIO()
    Image.fromarray(given[0]).save(file, format="JPEG", quality=75)
    np.testing.assert_array_equal(out[1][0], np.asarray(Image.open(file)))
    errors = [np.square(o.astype(int) - given).mean() for o in out]
    assert 0 < errors[0] < errors[1]


def test_masks_go_where_the_pixels_go() -> None:
    """A white square on black, cropped, enlarged and padded: its mask still covers exactly the white pixels."""
    given = np.zeros((1, 40, 60, 3), np.uint8)
    given[:, 10:20, 20:40] = 254
    mask = given[..., 0] > 0
    how = Prepare(crop=(10, 50), resize=(80, 80), filter="nearest", pad=(100, 90))
    out, moved = how.images(given), how.masks(mask)
    assert moved.dtype == np.bool_
    np.testing.assert_array_equal(moved, out[..., 0] == 254)
    assert moved.sum() == 4 * mask.sum()


def test_label_names_the_steps_in_order() -> None:
    how = Prepare.of({"jpeg": 75, "pad": [256, 256], "crop": [40, 216], "resize": [256, 176]})
    assert how.label == "crop40:216,bicubic256x176,pad256x256,jpeg75"


@pytest.mark.parametrize(
    "steps",
    [
        {"crop": [5]}, {"crop": [-1, 5]}, {"crop": [5, 5]}, {"crop": "40:216"}, {"resize": [0, 5]},
        {"resize": [5.0, 5]}, {"pad": 256},
        {"filter": "lanczos"}, {"jpeg": 0}, {"jpeg": 101}, {"jpeg": True}, {"blur": 0}, {"sharpen": 1}, [40, 216],
    ],
)  # fmt: skip
def test_unreadable_steps_are_refused(steps: Any) -> None:
    with pytest.raises(BenchError):
        Prepare.of(steps)


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BenchError, match="48 columns wide"):
        Prepare(crop=(40, 216)).images(images())
    with pytest.raises(BenchError, match="already larger"):
        Prepare(pad=(64, 40)).images(images())


def test_every_metric_of_the_documentation_can_be_built() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    specs = tomllib.loads(text.split("```toml")[1].split("```")[0])["metrics"]
    built = [build_metric(MetricSpec(**spec), where="docs/metrics.md") for spec in specs]
    assert [metric.name for metric in built] == [spec["name"] for spec in specs]
    assert len(built) >= 6
    assert built[1].prepare.label in built[1].name, "the name says what is done"  # type: ignore[attr-defined]
