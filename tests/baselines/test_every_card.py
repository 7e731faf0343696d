"""Every baseline's configurations build, and its card and weights are what they say and within their limits."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
import sys
import tomllib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))
from sweep import BASELINES, FOLDERS, GENERATORS, ROOT, module, settings

from fhpt_bench import registry, train_config
from fhpt_bench.errors import BenchError

MB = 1 << 20
LARGEST = {"drn": 4 * MB}
"""Of one baseline's weights, its parts together; 2.4 MB for all others."""
NEEDS_A_FILE = {"pb-fixed"}
"""Ablations that start from weights which the user names."""
CARD = {"name", "paper", "config", "weights", "weights_sha256", "trained_on", "samples", "cost", "deviations"}

every_baseline = pytest.mark.parametrize("name", BASELINES)


def tables(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDERS[name] / "config.toml").read_text("utf-8"))


def configurations(name: str) -> list[str]:
    """What ``--config`` takes, but for stages that cannot come first."""
    found, staged = tables(name), train_config.staged(FOLDERS[name])
    later = {stage for key in staged for stage in train_config.stages(FOLDERS[name], key)[1:]}
    plain = {key for key in found if key not in ("ablations", "stages", *cards(name)) and key not in later}
    return sorted(plain | {key for key in staged if "+" not in key})


def cards(name: str) -> list[str]:
    return [key for key in tables(name) if key.startswith("shipped")]


def files(card: dict[str, Any]) -> list[str]:
    """The keys of a card that name a file of weights."""
    return [key for key, value in card.items() if str(value).endswith(".safetensors")]


def vgg_without_numbers(network: str) -> dict[str, torch.Tensor]:
    """Weights of the right shapes, wherever tensors are made at the moment: nowhere, under ``torch.device("meta")``."""
    convolutions = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4), "vgg19-normalised": (2, 2, 4, 4, 4)}[network]
    widths = [w for w, n in zip((64, 128, 256, 512, 512), convolutions, strict=True) for _ in range(n)]
    made = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise([3, *widths])):
        made[f"{index}.weight"], made[f"{index}.bias"] = torch.zeros(outputs, inputs, 3, 3), torch.zeros(outputs)
    return made


def builds(name: str, config: str, folder: Path) -> None:
    """All stages of a configuration, each given the shapes of those before it."""
    earlier: dict[str, Path] = {}
    stages = train_config.stages(FOLDERS[name], config)
    for stage in stages:
        given = settings(name, stage, earlier)
        if given.get("losses", {}).get("network") == "random":  # its numbers are drawn, which needs a real device
            model = module(name).build(given)
        else:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "for .*: copying from a non-meta parameter")  # of earlier stages
                model = module(name).build(given)
        assert model.optimizers()
        if stage == stages[-1]:
            return
        state = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in model.state_dict().items()}
        earlier[stage.partition("+")[0]] = folder / f"{stage}.safetensors"
        save_file(state, folder / f"{stage}.safetensors")


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhpt_bench.weights.load", vgg_without_numbers)


@every_baseline
def test_every_configuration_builds(name: str, tmp_path: Path) -> None:
    assert {"paper", "small", "tiny"} <= set(configurations(name))
    for config in configurations(name):
        builds(name, config, tmp_path)
    assert settings(name, train_config.stages(FOLDERS[name], "paper")[-1])["model"].get("mode", "paper") == "paper"


@every_baseline
def test_every_ablation_builds(name: str, tmp_path: Path) -> None:
    """Over ``paper``; over ``small`` too, unless a message says what stands against it."""
    for ablation in tables(name).get("ablations", {}):
        if ablation in NEEDS_A_FILE:
            with pytest.raises(BenchError, match="at which weights"):
                builds(name, f"paper+{ablation}", tmp_path)
            continue
        builds(name, f"paper+{ablation}", tmp_path)
        with suppress(BenchError):
            builds(name, f"small+{ablation}", tmp_path)


@every_baseline
def test_the_model_card_names_every_configuration_and_ablation(name: str) -> None:
    text = (FOLDERS[name] / "README.md").read_text("utf-8")
    said = [
        *(each for each in configurations(name) if not each.startswith("tiny-")),
        *tables(name).get("ablations", {}),
    ]
    assert [each for each in said if f"`{each}`" not in text] == []
    assert f"fhpt-bench train baselines/{name}" in text
    assert f"fhpt-bench run --model {registry.model_name(FOLDERS[name])}" in text
    assert "deviation" in text.lower()


@pytest.mark.parametrize("model", sorted(GENERATORS))
def test_a_card_is_whole_and_its_weights_are_the_ones_it_names(model: str) -> None:
    name = GENERATORS[model]
    make = registry.find("generators", model)
    card = train_config.read(FOLDERS[name], getattr(make, "part", "shipped"))
    assert card.keys() >= CARD
    assert card["name"] == model
    assert card["config"].partition("+")[0] in [*configurations(name), *train_config.stages(FOLDERS[name], "small")]
    assert card["trained_on"] == "catwalk/train"
    assert card["samples"] > 0
    assert card["cost"]
    assert all(isinstance(line, str) and line for line in card["deviations"])
    assert re.fullmatch(r"(\d{1,3}(,\d{3})* of \d{1,3}(,\d{3})* samples)?", card.get("undertrained", ""))
    for key in files(card):
        path = FOLDERS[name] / card[key]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == card[f"{key}_sha256"]
        with safe_open(path, framework="pt") as file:
            assert {str(file.get_tensor(k).dtype) for k in file.keys()} == {"torch.float16"}  # noqa: SIM118
    generator = make()
    assert generator.card["parameters"] > 1000, "the file fits the network that the card's configuration builds"


@every_baseline
def test_weights_stay_small_and_none_lies_about(name: str) -> None:
    found = {path.name: path.stat().st_size for path in FOLDERS[name].glob("*.safetensors")}
    assert set(found) == {tables(name)[card][key] for card in cards(name) for key in files(tables(name)[card])}
    assert 0 < sum(found.values()) <= LARGEST.get(name, 2.4 * MB)


def test_all_weights_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in ROOT.glob("*/*.safetensors")) <= 22 * MB


def test_the_tracked_tree_stays_under_60_mb() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT.parent, capture_output=True, check=True).stdout
    files = [ROOT.parent / name for name in listed.decode().split("\0") if name]
    assert len(files) > 500
    assert sum(path.stat().st_size for path in files if path.is_file()) < 60e6
