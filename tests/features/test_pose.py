"""Keypoints on their way through the harness: once an image, the true ones from the cache."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fhpt_bench import features, points, weights
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.detectors.mediapipe import MediaPipe
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.images import pixels_sha256
from fhpt_bench.types import Need

METRICS = [SimpleNamespace(needs=[Need("pose[mediapipe]")])]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session_cache: Path) -> Path:
    """A cache of features of its own, with the networks of the session's."""
    for name in MediaPipe.networks:
        weights.get(name)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights").symlink_to(session_cache / "weights")
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_each_image_once_and_true_ones_from_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    detect = MediaPipe.detect

    def counted(self: MediaPipe, images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return detect(self, images)

    monkeypatch.setattr(MediaPipe, "detect", counted)
    true = [p.image for p in Catwalk("val").photos()[:3]]
    images = {"generated": [i[:, ::-1] for i in true], "target": [true[0], true[1], true[0]]}
    hashes = {role: [pixels_sha256(i) for i in of] for role, of in images.items()}

    def extracted() -> dict[tuple[str, str], np.ndarray]:
        networks = Networks(METRICS, "cpu")
        try:
            assert not networks.missing
            return networks.extract(images, hashes)
        finally:
            networks.close()

    first = extracted()
    assert seen == [3, 2]  # three generated images, two distinct true ones
    rows = first["pose[mediapipe]", "target"]
    assert rows.shape == (3, points.WIDTH)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert len(list((cache / "features").rglob("*.npy"))) == 2
    second = extracted()
    assert seen == [3, 2, 3]  # the generated ones again, of the true ones none
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value)
    truth, _ = points.truth(Catwalk("val").photos()[0].pose)
    body = points.PARTS["body"]
    assert np.nanmedian(np.linalg.norm(points.unpack(rows)[0][0, body] - truth[body], axis=1)) < 6


def test_networks_and_names() -> None:
    assert features.networks("pose[mediapipe]") == features.networks("pose") == MediaPipe.networks
    assert features.networks("pose[openpose-json]") == ()
    with pytest.raises(BenchError, match="no keypoint detector is called 'openpose'"):
        features.build("pose[openpose]")


def test_closed_with_the_networks(cache: Path) -> None:
    networks = Networks(METRICS, "cpu")
    networks.close()
    with pytest.raises(BenchError, match="closed"):
        networks.features["pose[mediapipe]"].extract(np.zeros((1, 256, 176, 3), np.uint8))
