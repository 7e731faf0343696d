"""Values that saturate the last tanh are charged for, in every baseline whose losses have ``saturated``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from sweep import BASELINES, module, pairs_for, settings

LAST = {"intr_flow": "painter.generator.head.1", "spgnet": "painter.head.1", "spgnet+patn-s": "painter.net.head"}
"""The convolution before tanh."""


def test_no_baseline_is_left_out() -> None:
    having = {name for name in BASELINES if "saturated" in settings(name, "small")["losses"]}
    assert having == {name.partition("+")[0] for name in LAST}


@pytest.mark.parametrize("name", LAST)
def test_saturated_values_are_pulled_back(name: str) -> None:
    """Where all is -30 before tanh, a bias of one of three channels is pulled by 2 * 0.1 * (30 - 4) / 3 more."""
    baseline, plus, ablation = name.partition("+")
    pulls = []
    for weight in (0.0, 0.1):
        config = settings(baseline, "tiny" + plus + ablation)
        config["losses"]["saturated"] = weight
        torch.manual_seed(0)
        model = module(baseline).build(config)
        last = model.network.get_submodule(LAST[name])
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, -30.0)
        model.step(pairs_for(model).batch(range(4)), lambda loss, *_: loss.backward(), "content")
        pulls.append(last.bias.grad)
        assert not model._saturation._given, "nothing is kept from step to step"
    torch.testing.assert_close(pulls[1] - pulls[0], torch.full((3,), -2 * 0.1 * 26 / 3), rtol=1e-3, atol=0.0)
