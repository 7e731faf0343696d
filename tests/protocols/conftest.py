"""Networks for the protocols: those that are at hand, and one of random weights in place of the one that is not."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision

from fhpt_bench import weights
from fhpt_bench.weights import catalogue

AT_HAND = ("alexnet", "lpips-alex")


@pytest.fixture(scope="session")
def cache(session_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with LPIPS' networks and nothing else: what random weights give must not stay in anybody's, and an
    Inception that is not there costs no time."""
    folder = tmp_path_factory.mktemp("protocols") / "cache" / "weights"
    folder.mkdir(parents=True)
    for name in AT_HAND:
        file = weights.get(name, progress=False)
        for found in file.parent.glob(f"{file.name}*"):
            (folder / found.name).symlink_to(found)
    return folder.parent


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be pulled."""
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(cache))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")


@pytest.fixture(scope="session")
def random_inception() -> torch.nn.Module:
    """torchvision's Inception v3 with random weights, without its classifier."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=False).eval()
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    for name, parameter in network.named_parameters():
        if ".bn." in name:
            parameter.data.uniform_(0.5, 1.5)
    return network


@pytest.fixture(scope="session")
def their_inception(random_inception: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file, as torchvision's address would give it; from here on the network has no classifier."""
    path = tmp_path_factory.mktemp("inception-tv") / "random.pth"
    torch.save(random_inception.state_dict(), path)
    random_inception.fc = torch.nn.Identity()
    return path


@pytest.fixture
def legacy(offline: None, their_inception: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``inception-tv`` is the network of random weights."""
    digest = hashlib.sha256(their_inception.read_bytes()).hexdigest()
    known = catalogue.NETWORKS["inception-tv"]
    assert known.official is not None
    official = replace(known.official, url=f"https://nowhere.invalid/{their_inception.name}", sha256=digest)
    monkeypatch.setitem(catalogue.NETWORKS, "inception-tv", replace(known, official=official))
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(their_inception.parent))
