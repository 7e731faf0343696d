"""Moments of the training photographs: streamed, kept by content, gone on with after a kill."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from network_batches import pictures

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.harness import reference
from fhpt_bench.types import Photo, Pose

POSE = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))


class Train:
    """70 photographs that say when they are read."""

    name, split = "trained", "train"

    def __init__(self, seed: int = 0) -> None:
        self.images = pictures(70, 16, 12, seed)
        self.sha256 = hashlib.sha256(self.images.tobytes()).hexdigest()
        self.read: list[int] = []

    def photos(self) -> list[Photo]:
        def photo(i: int) -> Photo:
            return Photo(str(i), POSE, "p", lambda: (self.read.append(i), self.images[i])[1])

        return [photo(i) for i in range(70)]

    def training(self) -> Train:
        return self


class Means:
    """A feature of three numbers; may die after some images."""

    name, key, small = "means", "means 1", True

    def __init__(self, dies_after: int = 1000) -> None:
        self.seen, self.dies_after = 0, dies_after

    def extract(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        if self.seen > self.dies_after:
            raise KeyboardInterrupt
        return images.mean(axis=(1, 2)).astype(np.float32)


class Networks:
    def __init__(self, feature: Means) -> None:
        self.features = {"means": feature}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))


def moments(data: Train, feature: Means, batch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return reference.training_moments(data, Networks(feature), False)("means", batch)  # type: ignore[arg-type]


def expected(data: Train, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = data.images[:count].mean(axis=(1, 2)).astype(np.float32).astype(np.float64)
    return rows.mean(0), np.cov(rows.T)


def test_mean_and_covariance_and_nothing_else_is_kept() -> None:
    data, feature = Train(), Means()
    for found, true in zip(moments(data, feature), expected(data, 70), strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-10)
    files = [path for path in paths.cache().rglob("*") if path.is_file()]
    assert [path.suffix for path in files] == [".npz"]
    assert files[0].stat().st_size < 2000
    moments(Train(), feature)
    assert feature.seen == 70, "the same photographs are not measured again"
    moments(Train(seed=1), feature)
    assert feature.seen == 140, "others are"


def test_a_last_batch_that_is_not_full_is_not_read() -> None:
    data = Train()
    for found, true in zip(moments(data, Means(), 64), expected(data, 64), strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-10)
    assert max(data.read) == 63


def test_goes_on_after_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "AT_ONCE", 8)
    monkeypatch.setattr(reference, "KEEP_EVERY", 2)
    data = Train()
    with pytest.raises(KeyboardInterrupt):
        moments(data, Means(dies_after=45))
    data.read.clear()
    found = moments(data, Means())
    assert min(data.read) == 32, "two times two batches of eight were written"
    for value, true in zip(found, expected(data, 70), strict=True):
        np.testing.assert_allclose(value, true, rtol=1e-10)
    assert not list(paths.cache().rglob("*.part.npz"))


def test_an_unfinished_file_cut_short_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "AT_ONCE", 8)
    monkeypatch.setattr(reference, "KEEP_EVERY", 1)
    data = Train()
    with pytest.raises(KeyboardInterrupt):
        moments(data, Means(dies_after=20))
    [unfinished] = paths.cache().rglob("*.part.npz")
    unfinished.write_bytes(unfinished.read_bytes()[:100])
    for found, true in zip(moments(data, Means()), expected(data, 70), strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-10)


def test_a_data_set_without_training_photographs_says_so() -> None:
    class Without:
        name = "without"

    with pytest.raises(BenchError, match="cannot say which its training photographs are"):
        reference.training_moments(Without(), Networks(Means()), False)("means", 0)  # type: ignore[arg-type]
