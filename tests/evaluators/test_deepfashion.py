"""The evaluators that a DeepFashion user trains: one epoch on a mini data set in the real layout, then its metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mini_deepfashion import prepared

from fhpt_bench import datasets, evaluators, features, weights
from fhpt_bench.evaluators import config
from fhpt_bench.evaluators import train as training
from fhpt_bench.evaluators.network import Evaluator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("mini"))


@pytest.mark.parametrize(("name", "group"), [("attributes", "category"), ("gender", "gender")])
def test_it_trains_on_what_deepfashion_prints(name: str, group: str, folder: Path, tmp_path: Path, monkeypatch):
    weights.get("vgg16")
    settings = config.read(name, "paper")
    once = settings.model_copy(update={"training": settings.training.model_copy(update={"epochs": 1, "copies": 1})})
    monkeypatch.setattr(config, "read", lambda name, table: once)
    found = training.train(name, config="paper", data=str(folder), out=tmp_path, device="cpu")
    assert found.data == "deepfashion"
    labels = Evaluator(found).labels
    photos = datasets.load(str(folder), "train").photos()
    assert set(labels) >= {(group, photo.labels[group]) for photo in photos}
    installed = evaluators.find  # under the user's cache it is found by the data set's name, as a metric asks for it
    monkeypatch.setattr(evaluators, "find", lambda n, d, pin="": found if d == "deepfashion" else installed(n, d, pin))
    feature = features.build(f"{name}.vgg", data="deepfashion")
    rows = feature.extract(np.stack([photos[0].image]))
    assert rows.shape == (1, 1 if name == "gender" else len(labels))
