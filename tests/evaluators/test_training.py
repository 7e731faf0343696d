"""Training from beginning to end on painted people, in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fhpt_bench import evaluators, features, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators import config
from fhpt_bench.evaluators import train as training
from fhpt_bench.evaluators.network import Evaluator
from fhpt_bench.evaluators.samples import fresh, stored
from fhpt_bench.evaluators.trunks import TRUNKS, trunk
from fhpt_bench.features.trunks import IMAGENET_MEAN, IMAGENET_STD

PAINTED = f"{Path(__file__).with_name('painted.py')}:Painted"


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory, session_cache: Path):
    """A cache of this module's own, with the session's networks: what is trained here is installed here."""
    weights.get("vgg16")
    cache = tmp_path_factory.mktemp("cache")
    (cache / "weights").symlink_to(session_cache / "weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FHPT_BENCH_CACHE", str(cache))
        yield cache


@pytest.fixture(scope="module", params=evaluators.NAMES)
def trained(request: pytest.FixtureRequest, own_cache: Path) -> evaluators.Found:
    return training.train(request.param, config="tiny", data=PAINTED, device="cpu")


def painted(split: str):
    from painted import Painted

    return Painted(split)


def test_what_is_trained_is_found_and_says_how_right_it_is(trained: evaluators.Found) -> None:
    assert evaluators.find(trained.name, "painted") == trained
    assert evaluators.find(trained.name, "painted", pin=trained.sha256[:12]) == trained
    said = json.loads(trained.accuracy.read_text("utf-8"))
    assert said["sha256"] == trained.sha256 and said["data_sha256"] == painted("train").sha256
    values = {score["name"]: score["value"] for score in said["val"]}
    if trained.name == "gender":  # a third of the validation people are men, so guessing is right on at most two thirds
        assert values["accuracy/gender"] > 0.9 and set(values) == {f"accuracy/{g}" for g in ("gender", "men", "women")}
    elif trained.name == "attributes":
        assert values["accuracy/top_colour"] > 0.6  # a third by guessing
    else:
        assert values["recall@5"] > 0.5  # 5 of 35 others, two of them right: 0.27 by guessing
    assert all(score["low"] <= score["value"] <= score["high"] for score in said["val"])


def test_features_of_what_was_trained(trained: evaluators.Found) -> None:
    feature = {"gender": "gender.vgg", "attributes": "attributes.vgg"}.get(trained.name, trained.name.replace("-", "."))
    images = np.stack([photo.image for photo in painted("test").photos()[:5]])
    network = features.build(feature, data="painted")
    rows = network.extract(images)
    assert rows.dtype == np.float32 and len(rows) == 5
    # No number depends on the batch, and none on whether LPIPS had the taps already.
    if feature.endswith("vgg"):
        taps = features.build(network.base).extract(images)
        np.testing.assert_array_equal(network.reduce(taps), rows)
        np.testing.assert_array_equal(network.reduce([tap[2:3] for tap in taps]), rows[2:3])
    else:
        np.testing.assert_array_equal(network.extract(images[2:3]), rows[2:3])
    labels = evaluators.labels(trained.name, "painted")
    if trained.name == "gender":
        assert labels == (("gender", "men"), ("gender", "women"))
        assert rows.shape == (5, 1) and rows.min() >= 0 and rows.max() <= 1
    elif trained.name == "attributes":
        assert rows.shape == (5, len(labels)) and ("top", "stripes") in labels
        for group in ("top", "bottom", "top_colour"):
            columns = [i for i, label in enumerate(labels) if label[0] == group]
            np.testing.assert_allclose(np.exp(rows[:, columns]).sum(1), 1, rtol=1e-5)
    else:
        assert labels == () and rows.shape == (5, 8)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert trained.sha256 in network.key


def test_the_same_seed_gives_the_same_file(trained: evaluators.Found, tmp_path: Path) -> None:
    again = training.train(trained.name, config="tiny", data=PAINTED, out=tmp_path, device="cpu")
    assert again.sha256 == trained.sha256
    assert again.path == tmp_path / "weights-painted.safetensors"
    assert evaluators.find(trained.name, "painted").path == trained.path  # with --out nothing is installed
    if trained.name == "gender":
        other = training.train(trained.name, config="tiny", data=PAINTED, out=tmp_path / "b", device="cpu", seed=1)
        assert other.sha256 != trained.sha256


def test_a_trunk_that_a_head_was_not_trained_on(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = training.train("gender", config="tiny", data=PAINTED, device="cpu")
    monkeypatch.setattr(weights, "digest", lambda name: "another")
    with pytest.raises(BenchError, match="trained on another vgg16"):
        Evaluator(found)


def test_a_label_that_the_data_lacks(own_cache: Path) -> None:
    with pytest.raises(BenchError, match="no label 'bottom_colour'") as caught:
        training.train("attributes", config="small", data=PAINTED, device="cpu")
    assert caught.value.where == "train0-0-0" and "heads" in caught.value.fix


def test_extraction_goes_on_where_it_stopped(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))
    (tmp_path / "weights").symlink_to(own_cache / "weights")
    data = painted("val")
    whole = stored(data, "vgg16", 1, "cpu")
    before = whole.inputs(range(len(whole)), 1)
    lost, kept = whole.files[1][0], whole.files[0][0]
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    again = stored(data, "vgg16", 1, "cpu")
    assert torch.equal(again.inputs(range(len(again)), 1), before)
    assert kept.stat().st_mtime_ns == stamp
    assert not torch.equal(before, again.inputs(range(len(again)), 0))  # a copy is changed
    assert torch.equal(fresh(data, "vgg16", "cpu").inputs([8, 9, 10, 11], 1), before[8:12])  # four by four through it


def test_from_the_command_line(own_cache: Path, tmp_path: Path) -> None:
    from fhpt_bench.cli import app

    args = ["train", "protocols/evaluators/retrieval-resnet", "--config", "tiny", "--data", PAINTED]
    result = CliRunner().invoke(app, [*args, "--out", str(tmp_path), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "weights-painted.safetensors")
    assert "pin=" in result.stderr
    refused = CliRunner().invoke(app, [*args, "--budget", "3s"])
    assert isinstance(refused.exception, BenchError) and "config.toml" in str(refused.exception)


def test_resnet50_as_the_trunk(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration for photographs, on a ResNet-50 of random weights: torchvision's file cannot be had here."""
    from torchvision.models import resnet50
    from torchvision.models.feature_extraction import create_feature_extractor

    torch.manual_seed(0)
    reference = resnet50(weights=None).eval()
    load, digest = weights.load, weights.digest
    monkeypatch.setattr(weights, "load", lambda n: reference.state_dict() if n == "resnet50" else load(n))
    monkeypatch.setattr(weights, "digest", lambda n: "random" if n == "resnet50" else digest(n))
    images = np.stack([photo.image for photo in painted("val").photos()[:2]])
    cells = trunk("resnet50", "cpu").cells(images)
    assert cells.shape == (2, sum(TRUNKS["resnet50"].layers), 2, 2)
    extractor = create_feature_extractor(reference, ["layer3", "layer4"])
    with torch.no_grad():
        pixels = torch.from_numpy(images / 255).permute(0, 3, 1, 2).float()
        expected = extractor((pixels - _shape(IMAGENET_MEAN)) / _shape(IMAGENET_STD))
    torch.testing.assert_close(cells[:, -2048:], expected["layer4"], rtol=1e-4, atol=1e-4)
    pooled = torch.nn.functional.adaptive_max_pool2d(expected["layer3"], 2)
    torch.testing.assert_close(cells[:, -3072:-2048], pooled, rtol=1e-4, atol=1e-4)

    settings = config.read("retrieval-resnet", "paper")
    once = settings.model_copy(update={"training": settings.training.model_copy(update={"epochs": 1})})
    monkeypatch.setattr(config, "read", lambda name, table: once)
    found = training.train("retrieval-resnet", config="paper", data=PAINTED, out=tmp_path, device="cpu")
    embedding = Evaluator(found).extract(images)
    assert embedding.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)
    monkeypatch.setattr(weights, "digest", lambda n: "other")
    with pytest.raises(BenchError, match="trained on another resnet50"):
        Evaluator(found)


def _shape(values: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 3, 1, 1)
