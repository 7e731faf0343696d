"""What all tests share: one cache for the whole session, in a temporary folder, so that each network is pulled once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when hypothesis is first used: without it, it keeps its examples in the checkout.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "fhpt-bench-hypothesis"))


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``FHPT_BENCH_CACHE`` of every test that does not set its own: networks and features, never the user's.

    ``FHPT_BENCH_TEST_CACHE`` names a folder that outlives the session, for running a few tests again and again.
    """
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent  # workers share it; weights.pull locks
    cache = Path(os.environ.get("FHPT_BENCH_TEST_CACHE") or root / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FHPT_BENCH_CACHE", str(cache))
        patch.delenv("FHPT_BENCH_WEIGHTS", raising=False)
        patch.delenv("FHPT_BENCH_OFFLINE", raising=False)
        yield cache


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our FID Inception as the state dict that torch-fidelity and torchmetrics load, with logits of zeros."""
    import torch

    from fhpt_bench import weights

    parts = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}
    state = {}
    for name, tensor in weights.load("inception-fid").items():
        layer, _, part = name.rpartition(".")
        state[f"{layer}.{parts[part]}"] = tensor
        if part == "beta":
            state |= {f"{layer}.bn.weight": torch.ones_like(tensor), f"{layer}.bn.num_batches_tracked": torch.tensor(0)}
    state |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    path = tmp_path_factory.mktemp("inception") / "weights-inception-2015-12-05.pth"
    torch.save(state, path)
    return path
