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
from fhpt_bench.features import Name
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


def test_stored_comes_first_and_jpeg_last() -> None:
    given = images(64, 64)
    out = Prepare(stored=75, crop=(10, 54), pad=(64, 64)).images(given)
    file = io.BytesIO()
    Image.fromarray(given[0]).save(file, format="JPEG", quality=75)
    np.testing.assert_array_equal(out[0, :, 10:54], np.asarray(Image.open(file))[:, 10:54])
    assert (out[:, :, :10] == 255).all(), "the padding is not stored"


def test_cut_is_the_way_through_a_loader_and_back() -> None:
    """torchvision's transforms and a cast, on every grey level."""
    from torchvision import transforms

    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    there = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])(levels[0])
    back = ((there.numpy().transpose(1, 2, 0) + 1) / 2.0 * 255.0).astype(np.uint8)
    out = Prepare(cut=True).images(levels)
    np.testing.assert_array_equal(out[0], back)
    lower = levels.astype(int) - out
    assert set(np.unique(lower)) == {0, 1}
    assert lower[..., 0].sum() == 63
    # Intr-Flow writes the way back as (x + 1) * 127.5: the same levels.
    other = ((there.numpy() + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
    np.testing.assert_array_equal(out[0], other.transpose(1, 2, 0))


@pytest.mark.parametrize("size", [(32, 20), (64, 30), (100, 90)])
def test_linear_is_torchs_and_opencvs(size: tuple[int, int]) -> None:
    import torch
    import torch.nn.functional as F

    given = images()
    out = Prepare(resize=size, filter="linear").images(given)
    assert out.dtype == np.float32
    x = torch.from_numpy(given.transpose(0, 3, 1, 2).astype(np.float32))
    theirs = F.interpolate(x, size=size, mode="bilinear", align_corners=False).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(out, theirs, rtol=0, atol=5e-3)
    cv2 = pytest.importorskip("cv2", reason="make extras")
    np.testing.assert_allclose(out[1], cv2.resize(given[1].astype(np.float32), size[::-1]), rtol=0, atol=5e-3)


def test_what_is_not_rounded_is_for_networks_only() -> None:
    how = {"resize": [32, 20], "filter": "linear"}
    for use in ("ssim", "psnr", "mask-ssim"):
        with pytest.raises(BenchError, match="linear"):
            build_metric(MetricSpec(use=use, name=use, prepare=how), where="here")
    with pytest.raises(BenchError, match="cannot follow"):
        Prepare.of({**how, "jpeg": 75})


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
    how = Prepare.of({"stored": 90, "cut": True, "resize": [256, 176], "filter": "linear"})
    assert how.label == "cut,stored90,linear256x176"
    assert Name.parse(f"x[y,{how.label}]").prepare == how


@pytest.mark.parametrize(
    "steps",
    [
        {"crop": [5]}, {"crop": [-1, 5]}, {"crop": [5, 5]}, {"crop": "40:216"}, {"resize": [0, 5]},
        {"resize": [5.0, 5]}, {"pad": 256},
        {"filter": "lanczos"}, {"jpeg": 0}, {"jpeg": 101}, {"jpeg": True}, {"stored": 0},
        {"cut": 1}, {"blur": 0}, {"sharpen": 1}, [40, 216],
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
