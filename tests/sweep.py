"""What the sweeps over all baselines share: which there are, in which stages they train, data that suits them all."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from annotated_figures import AnnotatedSticks
from safetensors.torch import save_file

from fhpt_bench import registry, train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Recipe
from fhpt_bench.train_data import TrainingPairs

ROOT = Path(__file__).resolve().parents[1] / "baselines"
EXPECTED = {"drn", "dsc", "incarnation", "intr_flow", "patn", "rate_net", "spgnet"}
"""Written out, so that one that is lost, or left out of the sweep, is missed."""
DATA = f"{Path(__file__).with_name('annotated_figures.py')}:AnnotatedSticks"


def _whole(folder: Path) -> list[str]:
    """The stages of ``tiny``, or of a longer ``tiny-...`` that goes on from it."""
    try:
        names = [name for name in train_config.staged(folder) if name.startswith("tiny")]
        return max((train_config.stages(folder, name) for name in ("tiny", *names)), key=len)
    except BenchError:  # told by the tests of its configuration, not by the collection of all tests
        return ["tiny"]


FOLDERS = {folder.name: folder for folder in registry.baseline_folders() if folder.parent.resolve() == ROOT}
BASELINES = sorted(FOLDERS)
CHAINS = {name: _whole(FOLDERS[name]) for name in BASELINES}
"""Baseline -> its stages, in the order they are trained in."""
STAGES = [(name, stage) for name, stages in CHAINS.items() for stage in stages]
IDS = [f"{name}:{stage}" for name, stage in STAGES]
GENERATORS = {registry.model_name(FOLDERS[name]): name for name in BASELINES} | {
    model: target.split(":")[0].rpartition(".")[2]
    for model, target in registry.BUILT_IN["generators"].items()
    if target.startswith("fhpt_bench.baselines.")
}
"""Name of a model -> its baseline; a baseline may have several (drn, drn-coarse)."""


def module(name: str) -> Any:
    return importlib.import_module(f"fhpt_bench.baselines.{name}")


def settings(name: str, config: str, earlier: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """As ``train`` hands them to ``build``."""
    given = {"earlier": {stage: str(path) for stage, path in earlier.items()}} if earlier else {}
    return {**train_config.read(FOLDERS[name], config), **given}


def recipe(name: str, config: str) -> Recipe:
    return train_config.parse(Recipe, settings(name, config), "training")


def built(name: str, config: str, earlier: Mapping[str, Path] | None = None) -> Any:
    """The trainable of a configuration, with the same weights every time."""
    torch.manual_seed(0)
    return module(name).build(settings(name, config, earlier))


def before(name: str, stage: str, folder: Path) -> dict[str, Path]:
    """Untrained weights of the stages that come before ``stage``, as ``train`` would name them."""
    earlier: dict[str, Path] = {}
    for each in CHAINS[name]:
        if each == stage:
            return earlier
        earlier[each] = snapshot(built(name, each, earlier), folder / each) / "model.safetensors"
    raise AssertionError(f"{name} has no stage {stage}")


def snapshot(model: torch.nn.Module, folder: Path) -> Path:
    """The network of ``model`` as training leaves it in a snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    return folder


def pairs_for(model: Any, data: Any = None) -> TrainingPairs:
    """The training pairs of ``data`` with what ``model`` reads, less what it refuses."""
    wants = {"reads": getattr(model, "reads", ()), "accepts": getattr(model, "accepts", None)}
    return TrainingPairs(data or AnnotatedSticks("train"), **wants)


class Optimisers:
    """``update`` as the training loop gives it, without fabric; ``reached`` collects the largest gradient of each
    parameter that a step of its own optimiser saw, ``log`` and ``losses`` the names and the
    value of every call."""

    def __init__(self, model: Any, clip: float | None = None) -> None:
        self.optimizers, self.clip = dict(model.optimizers()), clip
        self.reached: dict[int, float] = {}
        self.log, self.losses = list[tuple[str, ...]](), list[float]()

    def __call__(self, loss: torch.Tensor, *names: str) -> None:
        for name in names:
            self.optimizers[name].zero_grad()
        loss.backward()
        for name in names:
            parameters = [p for group in self.optimizers[name].param_groups for p in group["params"]]
            for p in parameters:
                if p.grad is not None:
                    self.reached[id(p)] = max(self.reached.get(id(p), 0.0), float(p.grad.abs().max()))
            if self.clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, self.clip)
            self.optimizers[name].step()
        self.log.append(names)
        self.losses.append(float(loss.detach()))


def tiny_config(model: str) -> str:
    """The ``tiny`` counterpart of the configuration that a model ships."""
    make = registry.find("generators", model)
    card = train_config.read(FOLDERS[GENERATORS[model]], getattr(make, "part", "shipped"))
    return str(card["config"]).replace("small", "tiny", 1)


def painter(model: str) -> str:
    """The stage whose weights the generator takes."""
    return train_config.stages(FOLDERS[GENERATORS[model]], tiny_config(model).partition("+")[0])[-1]


def exported(model: str, snapshot: Path) -> Any:
    """The generator with the weights of a snapshot of ``painter(model)``."""
    weights = snapshot / "weights.safetensors"
    sha256 = shipped.export(snapshot, weights)
    return registry.find("generators", model)(config=tiny_config(model), weights=weights, sha256=sha256)
