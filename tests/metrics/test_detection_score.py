"""The detection score against torchvision called directly, with weights made here."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_batches import batch_for, context_for, pictures

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.features.detection import PERSON
from fhpt_bench.metrics.detection_score import DetectionScore
from fhpt_bench.weights import catalogue

CLASSES = 91
IMAGES = pictures(3, 64, 44)


@pytest.fixture(scope="module")
def network() -> Any:
    """SSD300 with random weights, smaller in the heads, which else are sure of everything."""
    from torchvision.models.detection import ssd300_vgg16

    torch.manual_seed(0)
    model = ssd300_vgg16(weights=None, weights_backbone=None).eval()
    with torch.no_grad():
        for layer in model.head.classification_head.module_list:
            layer.weight *= 0.1
    return model


@pytest.fixture
def install(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], dict[str, torch.Tensor]]:
    """Raise every person logit, save the network as the user's file, known by its own hash in place of the real one."""

    def put(person: float) -> dict[str, torch.Tensor]:
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        for name, tensor in state.items():
            if name.startswith("head.classification_head.module_list.") and name.endswith("bias"):
                tensor[PERSON::CLASSES] += person
        path = tmp_path / "ssd300_vgg16_coco-b556d3b4.pth"
        torch.save(state, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        official = catalogue.Official(f"https://nowhere.invalid/{path.name}", digest, "state-dict")
        entry = catalogue.Network("ssd300-vgg16", "made up", "tests", "us", "none", "none", official)
        monkeypatch.setitem(catalogue.NETWORKS, "ssd300-vgg16", entry)
        monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(tmp_path))
        return state

    return put


def test_equals_torchvision(install: Callable[[float], dict[str, torch.Tensor]], network: Any) -> None:
    theirs = copy.deepcopy(network)
    theirs.load_state_dict(install(2.0))
    expected = []
    for image in IMAGES:
        with torch.no_grad():
            [found] = theirs([torch.from_numpy(image).permute(2, 0, 1) / 255.0])
        expected.append(
            max(s for s, label in zip(found["scores"].tolist(), found["labels"].tolist(), strict=True) if label == 1)
        )
    metric = DetectionScore("detection-score")
    rows = metric.measure(batch_for(metric, IMAGES, IMAGES))
    assert rows.shape == (3, 1)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, 0], expected, rtol=1e-6)
    assert len(set(expected)) == 3, expected
    feature = features.build("detection[ssd]")
    np.testing.assert_array_equal(feature.extract(IMAGES[2:]), rows[2:], "batching matters")
    assert feature.extract(IMAGES[:0]).shape == (0, 1)
    assert 0 < min(expected) < max(expected) < 1
    [score] = metric.summarise(rows, context_for(["a", "b", "b"]))
    assert score.value == pytest.approx(np.mean(expected))
    assert (score.name, score.better, score.pairs) == ("detection-score", "higher", 3)


def test_no_person_is_zero_and_counts(install: Callable[[float], dict[str, torch.Tensor]]) -> None:
    install(-100.0)
    metric = DetectionScore("detection-score")
    rows = metric.measure(batch_for(metric, IMAGES[:1], IMAGES[:1]))
    np.testing.assert_array_equal(rows, [[0]])
    [score] = metric.summarise(np.array([[0], [0.5]], np.float32), context_for(["a", "b"]))
    assert (score.value, score.pairs, score.excluded) == (0.25, 2, 0)


def test_without_its_weights_it_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BenchError, match=r"download\.pytorch\.org/models/ssd300_vgg16_coco-b556d3b4\.pth"):
        features.build("detection[ssd]")
    with pytest.raises(BenchError, match="no setting"):
        features.build("detection[yolo]")


def test_the_entry_is_torchvisions_own() -> None:
    from torchvision.models.detection import SSD300_VGG16_Weights

    official = catalogue.NETWORKS["ssd300-vgg16"].official
    assert official is not None
    assert official.url == SSD300_VGG16_Weights.COCO_V1.url
    assert SSD300_VGG16_Weights.COCO_V1.meta["categories"][PERSON] == "person"
