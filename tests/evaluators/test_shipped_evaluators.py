"""The four evaluators that ship for Catwalk: right file, right trunk, as right as their cards say."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fhpt_bench import evaluators, features, paths, registry, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators import accuracy, config
from fhpt_bench.evaluators.network import Evaluator

FEATURES = {
    "gender": "gender.vgg",
    "attributes": "attributes.vgg",
    "retrieval-vgg": "retrieval.vgg",
    "retrieval-resnet": "retrieval.resnet",
}


@pytest.fixture(scope="module")
def photos():
    """Every photograph of the first two validation people."""
    found = registry.find("datasets", "catwalk")("val").photos()
    people = sorted({photo.person for photo in found})[:2]
    return [photo for photo in found if photo.person in people]


@pytest.fixture(scope="module")
def taps(photos):
    """The trunk once for the three heads on it."""
    trunk = features.build("vgg16.taps")
    parts = [trunk.extract(np.stack([photo.image for photo in photos[i : i + 4]])) for i in range(0, len(photos), 4)]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def test_all_together_stay_small() -> None:
    sizes = [evaluators.find(name, "catwalk").path.stat().st_size for name in evaluators.NAMES]
    assert sum(sizes) <= 4_000_000


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_the_shipped_file_is_the_pinned_one(name: str) -> None:
    found = evaluators.find(name, "catwalk")
    assert found.path.is_relative_to(paths.shipped("protocols"))
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == found.sha256
    said = json.loads(found.accuracy.read_text("utf-8"))
    assert said["sha256"] == found.sha256
    assert said["data_sha256"] == registry.find("datasets", "catwalk")("train").sha256
    # What it was trained with is what config.toml still says.
    assert config.Config.model_validate(said["settings"]) == config.read(name, said["config"])
    trunk = said["settings"]["task"]["trunk"]
    assert said["trunk_digest"] == ("" if trunk == "none" else weights.digest(trunk))


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_it_is_as_right_as_its_card_says(name: str, photos, taps) -> None:
    evaluator = Evaluator(evaluators.find(name, "catwalk"))
    if evaluator.settings.task.trunk == "vgg16":
        outputs = evaluator.reduce(taps)
    else:
        outputs = evaluator.extract(np.stack([photo.image for photo in photos]))
    said = {s["name"]: s for s in json.loads(evaluator.found.accuracy.read_text("utf-8"))["val"]}
    if evaluator.settings.task.kind == "retrieve":
        # The card's gallery is all 192 photographs; among these 32 an item has fewer rivals, so recall is no less.
        items = [photo.labels["item"] for photo in photos]
        found = {score.name: score for score in accuracy.recalls(outputs, items, photos)}
        assert found["recall@1"].sums is not None
        assert np.greater_equal(found["recall@1"].sums, said["recall@1"]["sums"][:2]).all()
        return
    if evaluator.settings.task.positive:
        outputs = np.concatenate([outputs, 1 - outputs], 1)
        assert evaluator.labels == (("gender", "men"), ("gender", "women"))
    for score in accuracy.accuracies(outputs, evaluator.labels, photos):
        if score.value is not None and score.sums is not None:
            # Of each of the two people, how many photographs are right.
            np.testing.assert_allclose(score.sums, said[score.name]["sums"][:2])


def test_labels_are_those_of_the_training_people() -> None:
    labels = evaluators.labels("attributes", "catwalk")
    photos = registry.find("datasets", "catwalk")("train").photos()
    groups = list(dict.fromkeys(group for group, _ in labels))
    assert groups == ["top", "bottom", "top_colour", "bottom_colour", "top_pattern", "bottom_pattern"]
    for group in groups:
        assert [value for g, value in labels if g == group] == sorted({photo.labels[group] for photo in photos})
    # Worn by test people only: what the card says the recogniser cannot know.
    assert ("top_pattern", "dots") not in labels and ("top_pattern", "camouflage") not in labels
    assert evaluators.labels("retrieval-vgg", "catwalk") == ()


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_another_hash_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluators.find(name, "catwalk")
    folder = tmp_path / "evaluators" / name
    shutil.copytree(evaluators.folder(name), folder)
    changed = bytearray(found.path.read_bytes())
    changed[-1] ^= 1
    (folder / found.path.name).write_bytes(changed)
    monkeypatch.setattr(paths, "shipped", lambda _: tmp_path)
    with pytest.raises(BenchError, match="wrong hash"):
        features.build(FEATURES[name], data="catwalk")
    (folder / found.path.name).unlink()
    with pytest.raises(BenchError, match="cannot be read"):
        evaluators.labels(name, "catwalk")


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_one_of_other_data_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path))
    with pytest.raises(BenchError, match="is trained for the data set 'market1501'") as caught:
        features.build(FEATURES[name], data="market1501")
    assert caught.value.fix == f"fhpt-bench train protocols/evaluators/{name} --data market1501"
    # Catwalk's file under another data set's name.
    found = evaluators.find(name, "catwalk")
    to = evaluators.installed(name, "market1501")
    to.parent.mkdir(parents=True)
    shutil.copy(found.path, to)
    paths.write_json(evaluators.note_of(name, "market1501"), {"sha256": found.sha256})
    with pytest.raises(BenchError, match="evaluator of 'catwalk', not the"):
        features.build(FEATURES[name], data="market1501")
    evaluators.note_of(name, "market1501").write_text("{")
    with pytest.raises(BenchError, match="damaged"):
        evaluators.find(name, "market1501")


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_a_pin_chooses_or_refuses(name: str) -> None:
    sha256 = evaluators.find(name, "catwalk").sha256
    pinned = features.build(f"{FEATURES[name]}[pin={sha256[:12]},blur2]", data="catwalk")
    assert sha256 in pinned.key
    if name != "retrieval-resnet":
        assert pinned.base == "vgg16.taps[blur2]"
    with pytest.raises(BenchError, match="has the hash 000000000000"):
        features.build(f"{FEATURES[name]}[pin=000000000000]", data="catwalk")
    with pytest.raises(BenchError, match="at most one"):
        features.build(f"{FEATURES[name]}[sharp]", data="catwalk")
    with pytest.raises(BenchError, match="depends on the data set"):
        features.build(FEATURES[name])


def test_an_unknown_evaluator() -> None:
    with pytest.raises(BenchError, match="no evaluator is called 'age'"):
        evaluators.find("age", "catwalk")
    assert evaluators.named_by("protocols/evaluators/gender") == "gender" == evaluators.named_by("gender")
    assert evaluators.named_by("baselines/gender") is None and evaluators.named_by("baselines/drn") is None


def test_blur_changes_what_is_read(photos) -> None:
    images = np.stack([photo.image for photo in photos[:2]])
    sharp, blurred = (features.build(name, data="catwalk") for name in ("retrieval.vgg", "retrieval.vgg[blur2]"))
    assert np.abs(sharp.extract(images) - blurred.extract(images)).max() > 1e-3
    taps = features.build(blurred.base).extract(images)
    np.testing.assert_array_equal(blurred.reduce(taps), blurred.extract(images))


@pytest.mark.parametrize("name", evaluators.NAMES)
def test_the_card_prints_what_was_measured(name: str) -> None:
    card = (evaluators.folder(name) / "README.md").read_text("utf-8")
    for score in json.loads(evaluators.find(name, "catwalk").accuracy.read_text("utf-8"))["val"]:
        assert f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]" in card, score["name"]
    if name == "gender":
        assert "never for real individuals" in card
