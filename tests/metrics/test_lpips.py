"""LPIPS: the package's numbers, whole and spatial, from the same weights; regions; the masked score."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from network_batches import batch_for, context_for, pictures

from fhpt_bench import weights
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.lpips import LPIPS, TRUNKS, MaskLPIPS, layer_maps, spatial_map
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.metrics.regions import REGIONS

TARGET = pictures(4, 96, 72, seed=3)
GENERATED = pictures(4, 96, 72, seed=4)
GENERATED[1] = np.clip(TARGET[1] + np.random.default_rng(0).normal(0, 12, TARGET[1].shape), 0, 255).astype(np.uint8)
GENERATED[2] = TARGET[2]


def the_package(net: str, *, spatial: bool) -> Any:
    """``lpips.LPIPS`` with our trunk put into it (its own comes from a model hub); its heads are its own."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        import lpips
        from torchvision.models import vgg

        # A whole VGG16 draws 138 million random numbers first, most of them for a classifier that nobody asks.
        trunk_only = SimpleNamespace(features=vgg.make_layers(vgg.cfgs["D"]))
        patch.setattr("lpips.pretrained_networks.tv.vgg16", lambda **_: trunk_only)
        model = lpips.LPIPS(net=net, pnet_rand=True, spatial=spatial, verbose=False)
    trunk = weights.load(TRUNKS[net].split(".")[0])  # type: ignore[index]
    own = model.net.state_dict()
    model.net.load_state_dict({name: trunk[f"features.{name.split('.', 1)[1]}"] for name in own})
    return model


def their_value(net: str, a: np.ndarray, b: np.ndarray, *, spatial: bool = False) -> np.ndarray:
    model = the_package(net, spatial=spatial)
    x, y = (torch.from_numpy(i).permute(0, 3, 1, 2).float() / 127.5 - 1 for i in (a, b))
    with torch.no_grad():
        return np.asarray(model(x, y)[:, 0])


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_equals_the_package(net: Any) -> None:
    metric = LPIPS("lpips", net=net, regions=False)
    ours = metric.measure(batch_for(metric, GENERATED, TARGET))
    np.testing.assert_allclose(ours[:, 0], their_value(net, GENERATED, TARGET)[:, 0, 0], rtol=0, atol=1e-6)
    assert ours[2, 0] == 0
    assert ours[0, 0] > ours[1, 0] > 0


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_regions_average_the_packages_spatial_map(net: Any) -> None:
    metric = LPIPS("lpips", net=net)
    masks = {"face": np.zeros((4, 96, 72), bool), "clothes": np.random.default_rng(1).random((4, 96, 72)) < 0.3}
    masks["face"][:2, 10:18, 20:28] = True  # 64 px, just enough
    masks["face"][2, 10:17, 20:28] = True  # 56 px
    batch = batch_for(metric, GENERATED, TARGET, **masks)
    rows = metric.measure(batch)
    theirs = their_value(net, GENERATED, TARGET, spatial=True)
    for name, mask in masks.items():
        column = 1 + REGIONS.index(name)
        for i in range(4):
            if mask[i].sum() >= 64:
                assert rows[i, column] == pytest.approx(theirs[i][mask[i]].mean(), abs=1e-6)
            else:
                assert np.isnan(rows[i, column])
    feature = metric.needs[0].feature
    layers = layer_maps(*([tap[0] for tap in batch.features[feature, r]] for r in ("generated", "target")), net)
    np.testing.assert_allclose(spatial_map(layers, (96, 72)), theirs[0], rtol=0, atol=1e-5)


def test_regions_too_small_are_excluded_and_counted() -> None:
    metric = LPIPS("lpips", regions=["face"])
    face = np.zeros((4, 96, 72), bool)
    face[:3, 10:30, 10:30] = True
    rows = metric.measure(batch_for(metric, GENERATED, TARGET, face=face))
    whole, inside = metric.summarise(rows, context_for(["a", "a", "b", "b"]))
    assert (whole.name, whole.pairs, whole.excluded, whole.better) == ("lpips", 4, 0, "lower")
    assert (inside.name, inside.pairs, inside.excluded) == ("lpips/face", 3, 1)
    assert inside.value == pytest.approx(rows[:3, 1].mean(), rel=1e-6)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_equal_images(net: Any) -> None:
    metric = LPIPS("lpips", net=net, regions=False)
    assert (metric.measure(batch_for(metric, TARGET, TARGET)) == 0).all()


@pytest.mark.parametrize(("net", "value"), [("alex", 0.805412), ("vgg", 0.878211)])
def test_the_value_these_weights_give(net: Any, value: float) -> None:
    """A checkerboard against a ramp, drawn by arithmetic alone. The same weights give 0.72188 and 0.13757 (Alex) on the
    LPIPS authors' example images, for which they print 0.722 and 0.138 (checked by hand: the images are not ours)."""
    y, x = np.mgrid[0:64, 0:64]
    ramp = np.stack([4 * x, 4 * y, 2 * (x + y)], 2).astype(np.uint8)[None]
    board = np.repeat(((x // 8 + y // 8) % 2 * 255).astype(np.uint8)[None, :, :, None], 3, 3)
    metric = LPIPS("lpips", net=net, regions=False)
    assert metric.measure(batch_for(metric, board, ramp))[0, 0] == pytest.approx(value, abs=1e-5)


def test_a_row_does_not_depend_on_its_batch() -> None:
    for net in TRUNKS:
        metric = LPIPS("lpips", net=net, regions=False)
        together = metric.measure(batch_for(metric, GENERATED, TARGET))
        alone = [metric.measure(batch_for(metric, GENERATED[i : i + 1], TARGET[i : i + 1])) for i in range(4)]
        np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6, atol=1e-9)


def test_prepared_images() -> None:
    plain, cropped = LPIPS("a", regions=["face"]), LPIPS("b", regions=["face"], prepare={"crop": [8, 64]})
    face = np.zeros((4, 96, 72), bool)
    face[:, 20:40, 30:50] = True
    one = cropped.measure(batch_for(cropped, GENERATED, TARGET, face=face))
    inside = [images[:, :, 8:64] for images in (GENERATED, TARGET, face)]
    two = plain.measure(batch_for(plain, inside[0], inside[1], face=inside[2]))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_masked_score_is_lpips_of_masked_images() -> None:
    person = np.zeros((4, 96, 72), bool)
    person[:3, 10:80, 20:50] = True
    metric, plain = MaskLPIPS("mask-lpips"), LPIPS("lpips", regions=False)
    rows = metric.measure(batch_for(metric, GENERATED, TARGET, foreground=person))
    masked = [images * person[..., None].astype(np.uint8) for images in (GENERATED, TARGET)]
    expected = plain.measure(batch_for(plain, *masked))
    np.testing.assert_allclose(rows[:3], expected[:3], rtol=1e-6)
    assert np.isnan(rows[3, 0])
    rows = metric.measure(batch_for(metric, GENERATED, TARGET))
    [score] = metric.summarise(rows, context_for(list("abcd")))
    assert score.value is None
    assert score.unavailable == "the data set has no foreground masks"


def test_unknown_settings() -> None:
    with pytest.raises(BenchError, match="net = 'squeeze'"):
        LPIPS("lpips", net="squeeze")  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="31 pixels"):
        batch_for(LPIPS("lpips"), pictures(1, 20, 20), pictures(1, 20, 20))


def test_a_last_batch_that_is_not_full_is_excluded_where_the_protocol_says_so() -> None:
    rows = np.arange(7, dtype=np.float32)[:, None]
    context = context_for(list("abcabca"))
    [score] = LPIPS("lpips", drop_last=3, regions=False).summarise(rows, context)
    assert (score.value, score.pairs, score.excluded) == (2.5, 6, 1)
    [few] = LPIPS("lpips", drop_last=64, regions=False).summarise(rows, context)
    assert (few.value, few.pairs, few.excluded) == (3, 7, 0)
    with pytest.raises(BenchError, match="drop_last"):
        LPIPS("lpips", drop_last=-2)


def test_generated_images_prepared_otherwise() -> None:
    metric = LPIPS("lpips", prepare={"crop": [4, 68]}, prepare_generated={"crop": [4, 68], "jpeg": 50}, regions=False)
    ours = metric.measure(batch_for(metric, GENERATED, TARGET))
    made = Prepare(crop=(4, 68), jpeg=50).images(GENERATED)
    np.testing.assert_allclose(ours[:, 0], their_value("alex", made, TARGET[:, :, 4:68])[:, 0, 0], rtol=0, atol=1e-6)
    assert ours[2, 0] > 0, "only one of two equal images is stored again"


def test_masked_by_grey_is_the_mask_times_images_in_minus_one_to_one() -> None:
    """The scripts of GFLA and SPGNet multiply [-1, 1]; the background is then 0, a grey that 8 bits do not have."""
    metric = MaskLPIPS("mask-lpips", outside="grey")
    mask = np.zeros((4, 96, 72), bool)
    mask[:, 20:80, 10:60] = True
    ours = metric.measure(batch_for(metric, GENERATED, TARGET, foreground=mask))
    model = the_package("alex", spatial=False)
    x, y = (
        torch.from_numpy((i.astype(np.float32) / 127.5 - 1) * mask[..., None]).permute(0, 3, 1, 2).float()
        for i in (GENERATED, TARGET)
    )
    with torch.no_grad():
        expected = np.asarray(model(x, y)[:, 0, 0, 0])
    np.testing.assert_allclose(ours[:, 0], expected, rtol=0, atol=1e-6)
    black = MaskLPIPS("mask-lpips").measure(batch_for(metric, GENERATED, TARGET, foreground=mask))
    assert np.abs(black - ours)[[0, 1, 3]].min() > 1e-4
    with pytest.raises(BenchError, match="outside"):
        MaskLPIPS("mask-lpips", outside="white")  # type: ignore[arg-type]
