"""What every baseline documents of its published files fits its own network: all keys, once, under a config it has."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fhpt_bench import registry, train_config
from fhpt_bench.importing.mapping import Released

FOLDERS = {folder.name: folder for folder in registry.baseline_folders()}
DOCUMENTED = [name for name in FOLDERS if find_spec(f"fhpt_bench.baselines.{name}.released")]
RELEASED = [
    (name, entry) for name in DOCUMENTED
    for entry in importlib.import_module(f"fhpt_bench.baselines.{name}.released").released_keys()
]  # fmt: skip


def test_patn_is_among_them() -> None:
    assert "patn" in DOCUMENTED


@pytest.mark.parametrize(("name", "released"), RELEASED, ids=[entry.name for _, entry in RELEASED])
def test_parts_fill_the_network_that_the_generator_builds(name: str, released: Released) -> None:
    settings = train_config.read(FOLDERS[name], released.config)
    assert settings["model"]["mode"] == "released"
    generator = registry.find("generators", name)
    with torch.device("meta"):
        state = released.network().state_dict()
        # The generator's own way to its network needs nothing of an instance: no weights exist that could make one.
        network = generator.network(object.__new__(generator), settings)
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in state.items()}
    ours = Counter(key for part in released.parts for key in part.keys)
    assert set(ours) == set(state) and set(ours.values()) == {1}
    assert len({part.name for part in released.parts}) == len(released.parts)
    for part in released.parts:
        for key, theirs in part.keys.items():
            same = {state[k].shape for k, t in part.keys.items() if t == theirs}
            assert same == {state[key].shape}, f"{theirs} fills several of ours, of different shapes"
            assert not any(re.search(pattern, theirs) for pattern in part.ignored), f"{theirs} is taken and left out"


def test_the_page_names_every_published_model_and_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "importing.md").read_text("utf-8")
    said = set(re.findall(r"`([^`\n]+)`", page))
    wanted = {name for _, entry in RELEASED for name in (entry.name, *(part.name for part in entry.parts))}
    assert wanted <= said, wanted - said
    models = {word for word in said if re.fullmatch(r"[a-z]+(-[a-z]+)*-released(-[a-z0-9]+)*", word)}
    assert models == {entry.name for _, entry in RELEASED}
