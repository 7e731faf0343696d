"""DISTS: torchmetrics' numbers from the same weights."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from network_batches import batch_for, context_for, pictures
from torchvision.models import vgg

from fhpt_bench import weights
from fhpt_bench.metrics.dists import DISTS

TARGET = pictures(3, 80, 64, seed=5)
GENERATED = pictures(3, 80, 64, seed=6)
GENERATED[1] = np.clip(TARGET[1].astype(int) + 9, 0, 255)
GENERATED[2] = TARGET[2]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.functional.image import dists

    trunk = torch.nn.Module()
    trunk.features = vgg.make_layers(vgg.cfgs["D"])
    trunk.load_state_dict(weights.load("vgg16"))
    monkeypatch.setattr(dists, "vgg16", lambda **_: trunk)
    return dists.DISTSNetwork()


def test_equals_torchmetrics(theirs: torch.nn.Module) -> None:
    metric = DISTS("dists")
    rows = metric.measure(batch_for(metric, GENERATED, TARGET))
    x, y = (torch.from_numpy(i).permute(0, 3, 1, 2).float() / 255 for i in (GENERATED, TARGET))
    np.testing.assert_allclose(rows[:, 0], theirs(x, y).detach().numpy(), rtol=0, atol=1e-5)
    assert rows[2, 0] == pytest.approx(0, abs=1e-6)
    assert rows[0, 0] > rows[1, 0] > 0.001


def test_a_row_does_not_depend_on_its_batch() -> None:
    metric = DISTS("dists")
    together = metric.measure(batch_for(metric, GENERATED, TARGET))
    alone = [metric.measure(batch_for(metric, GENERATED[i : i + 1], TARGET[i : i + 1])) for i in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=0, atol=1e-6)


def test_symmetric_and_summed_up() -> None:
    metric = DISTS("dists")
    rows = metric.measure(batch_for(metric, GENERATED, TARGET))
    np.testing.assert_allclose(rows, metric.measure(batch_for(metric, TARGET, GENERATED)), rtol=0, atol=1e-6)
    [score] = metric.summarise(rows, context_for(["a", "a", "b"]))
    assert (score.name, score.pairs, score.better) == ("dists", 3, "lower")
    assert score.value == pytest.approx(rows.mean(), rel=1e-6)
