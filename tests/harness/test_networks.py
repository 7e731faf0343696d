"""Networks run once an image: small features made of another feature's taps share its pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import sleep
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from fhpt_bench import registry
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.errors import BenchError
from fhpt_bench.features import Name
from fhpt_bench.harness import execute
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.models import find_model
from fhpt_bench.harness.reference import validation_rows
from fhpt_bench.types import Need

SEEN: list[int] = []
"""How many images each call of the large network had."""


class Large:
    small = False

    def __init__(self, name: Name, device: str) -> None:
        self.name, self.key, self.data = name.text, f"{name.text} 1", name.data

    def extract(self, images: np.ndarray) -> list[torch.Tensor]:
        SEEN.append(len(images))
        x = torch.from_numpy(images).float().permute(0, 3, 1, 2)
        return [x, x.square()]


class Head:
    """The mean of each channel of both taps; ``data`` shows that the data set's name arrives."""

    small, base = True, "large"

    def __init__(self, name: Name, device: str) -> None:
        self.name, self.key = name.text, f"{name.text} {name.data}"

    def reduce(self, taps: Sequence[torch.Tensor]) -> np.ndarray:
        return torch.cat([tap.mean((2, 3)) for tap in taps], 1).numpy()

    def extract(self, images: np.ndarray) -> np.ndarray:
        raise AssertionError("the shared pass is used")


@dataclass(frozen=True)
class Reads:
    needs: tuple[Need, ...]
    name: str = "reads"


@pytest.fixture
def networks(monkeypatch, tmp_path):
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))
    SEEN.clear()
    for name, cls in (("large", "Large"), ("head", "Head"), ("other", "Head")):
        monkeypatch.setitem(registry.BUILT_IN["features"], name, f"{__name__}:{cls}")

    def build(*needs: Need) -> Networks:
        return Networks([Reads(tuple(needs))], "cpu", "mini")  # type: ignore[list-item]

    return build


def batch(rng: np.random.Generator, **counts: int) -> tuple[dict[str, Any], dict[str, Any]]:
    images = {role: list(rng.integers(0, 256, (n, 8, 6, 3), np.uint8)) for role, n in counts.items()}
    return images, {role: [f"{role}{i}" for i in range(len(found))] for role, found in images.items()}


def means(images: Sequence[np.ndarray]) -> np.ndarray:
    x = np.stack(images).astype(np.float64)
    return np.concatenate([x.mean((1, 2)), np.square(x).mean((1, 2))], 1)


def test_heads_share_the_pass_of_the_taps(networks):
    images, hashes = batch(np.random.default_rng(0), generated=3, target=3, source=3)
    found = networks(
        Need("large"), Need("head", ("generated", "target", "source")), Need("other", ("target", "source"))
    ).extract(images, hashes)
    assert SEEN == [6, 3], "generated and target once for the taps, the sources once for both heads"
    for role in images:
        np.testing.assert_allclose(found["head", role], means(images[role]), rtol=1e-5)
    np.testing.assert_array_equal(found["head", "source"], found["other", "source"])


def test_taps_are_copied_only_where_an_image_occurs_twice(networks):
    images, hashes = batch(np.random.default_rng(5), generated=3, target=2)
    images["target"], hashes["target"] = [images["target"][i] for i in (0, 1, 1)], ["target0", "target1", "target1"]
    found = networks(Need("large")).extract(images, hashes)
    storage = {role: found["large", role][0].untyped_storage() for role in images}
    assert storage["generated"].nbytes() == 5 * 3 * 8 * 6 * 4, "a view of all five images' taps"
    assert storage["target"].nbytes() == 3 * 3 * 8 * 6 * 4
    for role in images:
        whole = np.stack(images[role]).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(found["large", role][0].numpy(), whole)


def test_without_taps_the_base_runs_for_the_heads_alone_and_truth_is_cached(networks):
    images, hashes = batch(np.random.default_rng(1), generated=2, target=2)
    made = networks(Need("head"), Need("other"))
    first = made.extract(images, hashes)
    assert SEEN == [2, 2]
    again = networks(Need("head")).extract(images, hashes)
    assert SEEN == [2, 2, 2], "only the generated images go through the network again"
    np.testing.assert_array_equal(first["head", "target"], again["head", "target"])


def test_a_repeated_image_goes_through_once(networks):
    images, hashes = batch(np.random.default_rng(2), generated=4, target=1)
    images["target"], hashes["target"] = images["target"] * 4, hashes["target"] * 4
    found = networks(Need("head")).extract(images, hashes)
    assert SEEN == [4, 1]
    assert len({row.tobytes() for row in found["head", "target"]}) == 1


class Slow:
    """Looks at images one by one."""

    small, alone = True, True

    def __init__(self, name: Name, device: str) -> None:
        self.name, self.key = name.text, name.text

    def extract(self, images: np.ndarray) -> np.ndarray:
        SEEN.append(len(images))
        return images.mean((1, 2)).astype(np.float32)


def test_a_feature_of_single_images_runs_only_those_that_are_not_cached(networks, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["features"], "slow", f"{__name__}:Slow")
    images, hashes = batch(np.random.default_rng(3), target=3)
    first = networks(Need("slow", ("target",))).extract(images, hashes)
    more, _ = batch(np.random.default_rng(4), target=2)
    both = {"target": images["target"] + more["target"]}, {"target": hashes["target"] + ["new0", "new1"]}
    found = networks(Need("slow", ("target",))).extract(*both)
    assert SEEN == [3, 2]
    np.testing.assert_array_equal(found["slow", "target"][:3], first["slow", "target"])
    np.testing.assert_allclose(found["slow", "target"][3:], np.stack(more["target"]).mean((1, 2)), rtol=1e-5)


@dataclass(frozen=True)
class _MeanColour:
    name: str = "colour"
    key: str = "colour 1"
    small: ClassVar[bool] = True

    def extract(self, images: np.ndarray) -> np.ndarray:
        return images.mean((1, 2)).astype(np.float32)


def test_validation_rows_are_those_of_the_validation_people(monkeypatch, tmp_path):
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(registry.BUILT_IN["features"], "colour", f"{__name__}:_colour")
    networks = Networks([Reads((Need("colour"),))], "cpu", "catwalk")  # type: ignore[list-item]
    data = Catwalk("test")
    found = validation_rows(data, networks, show=False)("colour")
    photos = Catwalk("val").photos()
    assert list(found.ids) == [p.id for p in photos]
    assert set(found.people).isdisjoint({data[i].target.person for i in range(len(data))})
    np.testing.assert_allclose(found.rows[5], photos[5].image.mean((0, 1)), rtol=1e-5)


def test_photographs_of_other_splits_have_a_time_of_their_own(monkeypatch):
    def asked(*_: Any) -> Any:
        def rows(feature: str) -> Any:
            sleep(0.05)
            raise BenchError("none")

        return rows

    monkeypatch.setattr(execute, "validation_rows", asked)
    seconds = {"measure": 1.0}
    job = SimpleNamespace(data=Catwalk("test"), indices=[], seed=0, show=False)
    about = execute.about_of(job, Networks([], "cpu"), seconds)  # type: ignore[arg-type]
    assert seconds == {"measure": 1.0, "references": 0.0}, "nobody asked"
    for _ in range(2):
        with pytest.raises(BenchError):
            about.validation("face")  # type: ignore[misc]
    assert seconds["references"] >= 0.1


def _colour(name: Name, device: str) -> _MeanColour:
    return _MeanColour()


def test_an_edited_part_of_a_baseline_is_another_model(monkeypatch, tmp_path):
    from fhpt_bench.harness import models

    before = find_model("drn", data=Catwalk("val"), device="cpu").card.key
    read = models.Path.read_bytes
    changed = {"layers.py"}
    monkeypatch.setattr(models.Path, "read_bytes", lambda p: read(p) + (b"\n#" if p.name in changed else b""))
    assert find_model("drn", data=Catwalk("val"), device="cpu").card.key != before
    changed = {"training.py", "discriminators.py"}  # not what makes the images
    assert find_model("drn", data=Catwalk("val"), device="cpu").card.key == before
