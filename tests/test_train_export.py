"""From training to a measured model: train, export, run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from stick_figures import Sticks
from typer.testing import CliRunner

from fhpt_bench.cli import app
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.models import find_model
from fhpt_bench.importing import imported
from fhpt_bench.train import train
from fhpt_bench.train_export import export
from fhpt_bench.types import Prompt

DATA = f"{Path(__file__).parent / 'stick_figures.py'}:Sticks"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("patn", config="tiny", data=DATA, samples=8, out=tmp_path_factory.mktemp("patn"), device="cpu")


def test_what_was_trained_is_what_runs(snapshot: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    made = CliRunner().invoke(app, ["export", str(snapshot), "--out", str(out), "--name", "mine", "--json"])
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout) == {"file": str(out), "name": "mine", "sha256": imported.sha256(out)}
    assert f"fhpt-bench run --model {out}" in made.stderr

    model = find_model(str(out), data=Sticks(), device="cpu")
    assert model.card.name == "mine" and model.card.weights_sha256 == imported.sha256(out)
    assert model.card.card["samples"] == 8 and model.card.card["config"] == "tiny"
    assert model.card.card["trained_on"] == f"the data of sha256 {Sticks('train').sha256[:12]}"
    assert "undertrained" not in model.card.card, "said of the weights that ship"
    trained = {k.removeprefix("network."): v for k, v in load_file(snapshot / "model.safetensors").items()}
    for key, value in model.generator.net.state_dict().items():
        assert torch.equal(value, trained[key]), key

    pair = Sticks()[0]
    (image,) = model.generator.generate([Prompt(pair.id, pair.source, pair.target.pose, 0)])
    assert image.shape == (64, 44, 3) and image.dtype == np.uint8


def test_names(snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert export(snapshot).path == Path("patn-tiny-8.safetensors")
    assert export(snapshot).name == "patn-tiny-8", "the same again is no other file"
    Path("mine.safetensors").write_bytes(b"something")
    with pytest.raises(BenchError, match="something else"):
        export(snapshot, name="mine")
    assert Path("mine.safetensors").read_bytes() == b"something"


def test_what_paints_nothing_yet_is_refused(snapshot: Path, tmp_path: Path) -> None:
    def as_if(stage: str, folder: str, **changed: object) -> Path:
        from fhpt_bench import registry, train_config

        settings = train_config.read(registry.baseline(folder), stage)
        copy = shutil.copytree(snapshot, tmp_path / "-".join([stage, *changed]))
        identity = {"baseline": folder, "config": stage, "settings": {**settings, **changed}, "data": "0"}
        (copy / "state.json").write_text(json.dumps({"identity": identity, "seen": 8}), encoding="utf-8")
        return Path(copy)

    for stage, folder in (
        ("small-flow", "intr_flow"), ("small-generator", "intr_flow"), ("small-generator+released", "intr_flow"),
        ("small-parsing", "spgnet"), ("paper-flow", "spgnet"),
    ):  # fmt: skip
        with pytest.raises(BenchError, match=f"{re.escape(stage)} paints nothing yet: "):
            export(as_if(stage, folder))
    out = tmp_path / "x.safetensors"
    for stage, folder in (
        ("small-pixels", "intr_flow"), ("small-generator+no-pixels", "intr_flow"),
        ("small", "drn"), ("paper", "drn"), ("tiny+end2end", "drn"),
    ):  # fmt: skip
        export(as_if(stage, folder), out)
        out.unlink()
    with pytest.raises(BenchError, match="has changed since"):
        export(as_if("tiny", "patn", model={}))
    export(as_if("tiny", "patn", losses={}, training={}), out)
    odd = as_if("tiny", "patn", odd=True)
    state = {"identity": {"baseline": "../x", "config": "tiny", "settings": {}, "data": "0"}, "seen": 1}
    (odd / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(BenchError, match="no baseline"):
        export(odd)
    mute = as_if("tiny", "patn", mute=True)
    save_file({"judge.weight": torch.zeros(1)}, mute / "model.safetensors")
    (mute / "state.json").write_bytes((snapshot / "state.json").read_bytes())
    with pytest.raises(BenchError, match="nothing in this snapshot"):
        export(mute)
    with pytest.raises(BenchError, match="no snapshot here"):
        export(tmp_path)
