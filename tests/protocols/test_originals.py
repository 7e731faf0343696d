"""Each protocol, run as a user runs it, against the original's library calls on constructed images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import originals as o
import pytest
import torch
from constructed import Case, case

from fhpt_bench import protocol, score, weights
from fhpt_bench.paths import shipped
from fhpt_bench.record import Record

BATCH = 4
"""In place of 64, so that six pairs are a full batch and two more."""
KEPT = 4
Values = dict[str, float]


def run(name: str, on: Case, folder: Path) -> Record:
    """The shipped protocol through the harness, with batches of four."""
    text = (shipped("protocols") / f"{name}.toml").read_text(encoding="utf-8")
    path = folder / f"{name}.toml"
    path.write_text(text.replace("drop_last = 64", f"drop_last = {BATCH}"), encoding="utf-8")
    return score(on.by_id, data=on.data, protocol=path, name="constructed", device="cpu", show=False)


def alex(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    return o.lpips("alex", weights.load("alexnet"), [o.signed(i) for i in a], [o.signed(i) for i in b])


def patn2019(on: Case) -> Values:
    made, true = ([o.bounded(o.stored(i)) for i in images] for images in (on.generated, map(o.loaded, on.target)))
    return {"ssim[gauss1.5,range=prediction,stored75,pad256x256]": o.mean(o.ssim_patn, made, true)}


def patn2019_market(on: Case) -> Values:
    made, true = ([o.stored(i) for i in images] for images in (on.generated, map(o.loaded, on.target)))
    masks = masks_of(on)
    masked = [[i * m[..., None] for i, m in zip(images, masks, strict=True)] for images in (made, true)]
    return {
        "ssim[gauss1.5,range=prediction,stored75]": o.mean(o.ssim_patn, made, true),
        "mask-ssim[pose,gauss1.5,range=prediction,stored75]": o.mean(o.ssim_patn, *masked),
    }


def rate2020(on: Case) -> Values:
    made, true = [o.bounded(i) for i in on.generated], [o.bounded(o.loaded(i)) for i in on.target]
    return {
        "ssim[gauss1.5,range=prediction,pad256x256]": o.mean(o.ssim_patn, made, true),
        "lpips[alex]": float(alex([*on.generated], [*on.target]).mean()),
    }


def dsc2018(on: Case) -> Values:
    return {"ssim[gauss1.5,range=prediction]": o.mean(o.ssim_patn, on.generated, on.target)}


def dsc2018_market(on: Case) -> Values:
    return {**dsc2018(on), **masked_ssim(on)}


def intrflow2019(on: Case) -> Values:
    return {"ssim[uniform7]": o.mean(o.ssim_intrflow, on.generated, [o.loaded(i) for i in on.target])}


def spgnet2021(on: Case) -> Values:
    made, true = [o.stored(i[:, 40:216]) for i in on.generated], [i[:, 40:216] for i in on.target]
    return {**intrflow2019(on), "lpips[alex,crop40:216]": float(alex(made, true)[:KEPT].mean())}


def spgnet2021_market(on: Case) -> Values:
    return {**intrflow2019(on), **masked_ssim(on), **plain_and_masked_lpips(on)}


def gfla2020(on: Case) -> Values:
    return {
        "lpips[alex]": float(alex([*on.generated], [*on.target])[:KEPT].mean()),
        "ssim[uniform51]": o.mean(o.ssim_gfla, on.generated, on.target),
        "psnr": o.mean(o.psnr, on.generated, on.target),
        **dsc2018(on),
    }


def gfla2020_market(on: Case) -> Values:
    return {**gfla2020(on), **plain_and_masked_lpips(on)}


def pidm2023(on: Case) -> Values:
    made, true = ([o.squeezed(i) for i in images] for images in (on.generated, on.target))
    return {
        "lpips[alex,linear256x176]": float(alex(made, true)[:KEPT].mean()),
        "ssim[uniform51]": o.mean(o.ssim_gfla, on.generated, on.target),
        "ssim[gauss1.2,range=prediction]": o.mean(lambda g, t: o.ssim_patn(g, t, 1.2), on.generated, on.target),
        "psnr": o.mean(o.psnr, on.generated, on.target),
    }


def cfld2024(on: Case) -> Values:
    return {**gfla2020(on), "lpips[alex]": float(alex([*on.generated], [*on.target]).mean())}


def incarnation2021(on: Case) -> Values:
    return {"lpips[alex]": float(alex([*on.generated], [*on.target]).mean())}


def masks_of(on: Case) -> list[np.ndarray]:
    return [o.mask(points, on.data.size) for points in on.data.points]


def masked_ssim(on: Case) -> Values:
    masks = masks_of(on)
    made, true = (
        [i * m[..., None] for i, m in zip(images, masks, strict=True)] for images in (on.generated, on.target)
    )
    return {"mask-ssim[pose,gauss1.5,range=prediction]": o.mean(o.ssim_patn, made, true)}


def plain_and_masked_lpips(on: Case) -> Values:
    """The mask is laid over images in [-1, 1]."""
    masks = masks_of(on)
    made, true = (
        [o.signed(i) * m[..., None] for i, m in zip(images, masks, strict=True)] for images in (on.generated, on.target)
    )
    return {
        "lpips[alex]": float(alex([*on.generated], [*on.target])[:KEPT].mean()),
        "mask-lpips[pose,alex]": float(o.lpips("alex", weights.load("alexnet"), made, true)[:KEPT].mean()),
    }


PIXELS: dict[str, Callable[[Case], Values]] = {
    "patn2019": patn2019,
    "patn2019-market": patn2019_market,
    "rate2020": rate2020,
    "dsc2018": dsc2018,
    "dsc2018-market": dsc2018_market,
    "intrflow2019": intrflow2019,
    "spgnet2021": spgnet2021,
    "spgnet2021-market": spgnet2021_market,
    "gfla2020": gfla2020,
    "gfla2020-market": gfla2020_market,
    "pidm2023": pidm2023,
    "cfld2024": cfld2024,
    "cfld2024-512": cfld2024,
    "incarnation2021": incarnation2021,
    "incarnation2021-market": incarnation2021,
}
UNAVAILABLE = {
    "is": "inception-fid-logits",
    "pckh": "openpose",
    "fid[legacy": "inception-tv",
    "fid[tfgan": "inception-fid",
}
"""Columns whose networks are not at hand in these tests -> what their reason names."""


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_and_lpips_are_the_originals(name: str, offline: None, tmp_path: Path) -> None:
    size = protocol.load(name).size
    on = case(size, 6 if size[0] < 512 else 3)
    record = run(name, on, tmp_path)
    expected = PIXELS[name](on)
    for column, value in expected.items():
        found = record.score(column)
        # By n or by n - 1 of a window of 51 is 3e-6 apart; LPIPS is computed in float32 on both sides.
        near = {"rel": 2e-5, "abs": 2e-6} if "lpips" in column else {"rel": 0, "abs": 5e-7}
        assert found.value == pytest.approx(value, **(near if column != "psnr" else {"rel": 1e-6})), column
        dropped = "lpips" in column and "drop_last" in (shipped("protocols") / f"{name}.toml").read_text()
        assert (found.pairs, found.excluded) == ((KEPT, 2) if dropped else (len(on.data), 0)), column
    for found in (column for column in record.scores if column.name not in expected):
        [reason] = {said for start, said in UNAVAILABLE.items() if found.name.startswith(start)}
        assert found.value is None, found.name
        assert reason in found.unavailable, found.name


LEGACY: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray], bool]] = {
    "spgnet2021": (
        "fid[legacy,train,crop40:216]",
        lambda i: o.stored(i[:, 40:216]),
        lambda i: i[:, 40:216],
        True,
    ),
    "spgnet2021-market": ("fid[legacy,train]", lambda i: i, lambda i: i, True),
    "pidm2023": ("fid[legacy,train,linear256x176]", o.squeezed, o.squeezed, True),
    "cfld2024": ("fid[legacy,train]", lambda i: i, lambda i: i, False),
}
"""Protocol -> column, what is done to generated and to true images, whether a last batch is dropped. GFLA's and the
512 x 352 variant of CFLD differ from these in the size of their images only."""


@pytest.mark.parametrize("name", ["spgnet2021", *(pytest.param(n, marks=pytest.mark.slow) for n in list(LEGACY)[1:])])
def test_legacy_fid_is_the_originals(
    name: str, legacy: None, random_inception: torch.nn.Module, tmp_path: Path
) -> None:
    """Random weights: what is fed to the network, which images, and the distance. (The real ones come only from their
    own address.)"""
    column, to_generated, to_true, drops = LEGACY[name]
    on = case(protocol.load(name).size)
    found = run(name, on, tmp_path).score(column)
    train = on.data.training().targets
    keep = BATCH if drops else None
    made = o.legacy_features(random_inception, [to_generated(i) for i in on.generated[:keep]])
    true = o.legacy_features(random_inception, [to_true(i) for i in train[:keep]])
    assert found.value == pytest.approx(o.frechet(made, true), rel=1e-3)
    assert (found.pairs, found.excluded) == ((KEPT, 2) if drops else (6, 0))


def test_the_legacy_columns_differ_in_their_files_only_by_size() -> None:
    """What stands for the protocols whose legacy FID is not run above."""
    settings = {
        name: {spec.name: spec.settings for spec in protocol.load(name).metrics if spec.use == "fid"}
        for name in protocol.names()
    }
    assert settings["gfla2020"] == settings["gfla2020-market"] == settings["spgnet2021-market"]
    assert settings["cfld2024"] == settings["cfld2024-512"]


def test_rates_fid_is_tensorflows(inception_file: Path, tmp_path: Path) -> None:
    """Images padded, TensorFlow's bilinear of [-1, 1], the FID Inception, against the targets."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        network = FeatureExtractorInceptionV3("inception", ["2048"], str(inception_file))
    layers = torch.nn.Sequential(*list(network.children())[:-1])

    def features(images: list[np.ndarray]) -> np.ndarray:
        x = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()).float() / 255 * 2 - 1
        x = interpolate_bilinear_2d_like_tensorflow1x(x, size=(299, 299), align_corners=False)
        with torch.no_grad():
            return layers(x).flatten(1).numpy().astype(np.float64)

    on = case((256, 176), 3)
    found = run("rate2020", on, tmp_path).score("fid[tfgan,targets]")
    made = features([o.bounded(i) for i in on.generated])
    true = features([o.bounded(o.loaded(i)) for i in on.target])
    assert found.value == pytest.approx(o.frechet(made, true), rel=1e-3)
    assert found.pairs == 3
