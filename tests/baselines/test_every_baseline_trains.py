"""Every baseline that ships under the training loop: learns, saves, resumes, in two processes, at Market's size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))
import mini_market
from annotated_figures import Annotated, AnnotatedSticks
from sweep import (
    BASELINES,
    CHAINS,
    DATA,
    FOLDERS,
    GENERATORS,
    IDS,
    STAGES,
    Optimisers,
    before,
    built,
    exported,
    painter,
    pairs_for,
    recipe,
    snapshot,
)

from fhpt_bench import datasets, train_config
from fhpt_bench.errors import BenchError
from fhpt_bench.train import train
from fhpt_bench.train_files import load_model
from fhpt_bench.types import Pair, Prompt

STEPS, RATE = 100, 2e-3
"""Steps of each phase, and their learning rate."""
ADVERSARIAL = {"adversarial", "cycle", "both"}
"""Kinds of phases."""
LACKING = {
    ("drn", "tiny-face"): "none of the",
    ("incarnation", "tiny"): "parsing",
    ("intr_flow", "tiny"): "flow",
    ("spgnet", "tiny"): "parsing|flow",
}
"""Stages that cannot train on Market-1501 as it is, and what they say."""
every_stage = pytest.mark.parametrize(("name", "stage"), STAGES, ids=IDS)
every_baseline = pytest.mark.parametrize("name", BASELINES)


class FourPairs(AnnotatedSticks):
    """Of four people; all faces look into the camera."""

    people: ClassVar = {"train": 4}
    chosen: ClassVar = (0, 6, 12, 18)

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Pair:
        return super().__getitem__(self.chosen[index])


def learnt(name: str, stage: str, folder: Path, earlier: dict[str, Path]) -> Path:
    """A snapshot of ``stage`` after steps on four pairs, over and over, and its distance fell.

    In the recipe's phases, but for those with an adversary, which does not want anything learnt by heart.
    """
    model = built(name, stage, earlier)
    kinds = [phase.kind for phase in recipe(name, stage).phases if phase.kind not in ADVERSARIAL]
    pairs, update = pairs_for(model, FourPairs("train")), Optimisers(model, clip=1.0)
    assert len(pairs) == 4
    batch = pairs.batch(range(4))
    with torch.no_grad():
        first = model.eval().validate(batch).mean()
    for group in (group for optimizer in update.optimizers.values() for group in optimizer.param_groups):
        group["lr"] = RATE
    model.train()
    for step in range(STEPS * len(kinds)):
        torch.manual_seed(step)
        model.step(batch, update, kinds[step // STEPS])
    with torch.no_grad():
        last = model.eval().validate(batch).mean()
    print(f"{name} {stage}: distance {first:.3f} -> {last:.3f}")
    assert last < (first if earlier else 0.5 * first)
    return snapshot(model, folder / stage)


@every_baseline
def test_learns_four_pairs_by_heart(name: str, tmp_path: Path) -> None:
    """Stage after stage, exported, through the generator: each image is its own truth's, far nearer than a colour."""
    earlier: dict[str, Path] = {}
    found: dict[str, Path] = {}
    for stage in CHAINS[name]:
        found[stage] = learnt(name, stage, tmp_path, earlier)
        earlier[stage] = found[stage] / "model.safetensors"
    model = next(model for model, of in GENERATORS.items() if of == name)
    data = FourPairs("train")
    pairs = [data[i] for i in range(4)]
    made = exported(model, found[painter(model)]).generate(
        [Prompt(pair.id, pair.source, pair.target.pose, 0) for pair in pairs]
    )
    truth = np.stack([pair.target.image for pair in pairs]).astype(float)
    far = np.array([[np.abs(image - true).mean() for true in truth] for image in made])
    colour = np.abs(truth - np.median(truth, axis=(0, 1, 2))).mean()
    print(f"{name}: L1 {np.diag(far).mean():.1f}, of the best colour {colour:.1f}")
    assert far.argmin(1).tolist() == [0, 1, 2, 3]
    assert np.diag(far).mean() < 0.5 * colour


@every_stage
def test_saves_and_loads_to_the_bit(name: str, stage: str, tmp_path: Path) -> None:
    earlier = before(name, stage, tmp_path)
    model = built(name, stage, earlier)
    pairs, update = pairs_for(model), Optimisers(model)
    model.step(pairs.drawn(range(4)), update, recipe(name, stage).phases[-1].kind)
    torch.manual_seed(1)
    again = built(name, stage, earlier)
    torch.nn.init.ones_(next(again.parameters()))
    load_model(again, snapshot(model, tmp_path / "saved") / "model.safetensors")
    ours, theirs = again.state_dict(), model.state_dict()
    assert ours.keys() == theirs.keys()
    assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []
    batch = pairs.batch([0, 3])
    with torch.no_grad():
        images, expected = again.eval().sample(batch), model.eval().sample(batch)
    assert all(torch.equal(images[title], expected[title]) for title in expected)


def run(name: str, config: str, out: Path, **options: Any) -> Path:
    given = {"data": DATA, "device": "cpu", "log_every": 1, **options}
    return train(name, config=config, out=out, **given)


@every_stage
def test_resumes_exactly(name: str, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed once in each phase; the steps between the last snapshot and the kill are done twice."""
    earlier, phases = before(name, stage, tmp_path), recipe(name, stage).phases
    options: dict[str, Any] = {"earlier": earlier, "snapshot_minutes": 0, "batch_size": 4, "samples": 16}
    whole = run(name, stage, tmp_path / "whole", **options)
    kind = type(built(name, stage, earlier))
    step, calls = kind.step, []
    kills = {2, 5} if len(phases) > 1 else {3}

    def killed(self: Any, *given: Any) -> Any:
        calls.append(1)
        if len(calls) in kills:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(kind, "step", killed)
    for _ in kills:
        with pytest.raises(KeyboardInterrupt):
            run(name, stage, tmp_path / "parts", **options)
    parts = run(name, stage, tmp_path / "parts", **options)
    assert parts.name == whole.name
    ours, theirs = load_file(parts / "model.safetensors"), load_file(whole / "model.safetensors")
    assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []


# All baselines in one start of the interpreter. Without what differs by its nature: dropout is drawn, and a batch's
# statistics are taken, in each process for itself; Adam makes whole steps of the rounding of gradients that are 0.
TOGETHER = """
import pathlib, sys
import torch
from fhpt_bench import datasets, train_config
from fhpt_bench.train import train

class Plain(torch.optim.SGD):
    def __init__(self, params, lr, betas=None, weight_decay=0):
        super().__init__(params, lr=lr)

torch.optim.Adam = torch.optim.RAdam = Plain
torch.nn.Dropout.forward = lambda self, x: x
torch.nn.BatchNorm2d.forward = lambda self, x: torch.nn.functional.batch_norm(
    x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
)
out, data, *stages = sys.argv[1:]
for stage in stages:
    baseline, config = stage.split(":")
    train(baseline, config=config, data=data, out=pathlib.Path(out) / baseline, device="cpu", batch_size=4, samples=8)
"""


@pytest.fixture(scope="module")
def one_and_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "go.py"
    script.write_text(TOGETHER)
    stages = [f"{name}:{stages[0]}" for name, stages in CHAINS.items()]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for prefix, out in (([sys.executable], "one"), (torchrun, "two")):
        command = [*prefix, str(script), str(folder / out), DATA, *stages]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


@every_baseline
def test_two_processes_train_as_one(name: str, one_and_two: Path) -> None:
    """Two steps: what they change is the same, but for rounding."""
    stage = CHAINS[name][0]
    start = built(name, stage).state_dict()
    one, two = (
        load_file(one_and_two / out / name / "snapshots" / "000000008" / "model.safetensors") for out in ("one", "two")
    )
    steps = {key: (one[key] - start[key]).norm() for key in one if one[key].is_floating_point()}
    apart = {key: (one[key] - two[key]).norm() for key in steps}
    assert sum(steps.values()) > 0
    assert {key: float(v) for key, v in apart.items() if v > 0.02 * steps[key] + 1e-6} == {}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini_market.prepared(tmp_path_factory.mktemp("market"))


@pytest.fixture
def at_markets_size(monkeypatch: pytest.MonkeyPatch) -> None:
    read = train_config.read

    def sized(folder: Path, name: str) -> dict[str, Any]:
        config = read(folder, name)
        if "size" in config.get("model", {}):
            config["model"]["size"] = [128, 64]
        return config

    monkeypatch.setattr(train_config, "read", sized)


@every_baseline
@pytest.mark.usefixtures("at_markets_size")
def test_a_step_on_market(name: str, market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real-form Market-1501 at 128x64. What a baseline reads and Market has not is refused by name, then lent."""
    options: dict[str, Any] = {"data": str(market), "batch_size": 2, "samples": 2}
    load = datasets.load
    earlier: dict[str, Path] = {}
    for stage in CHAINS[name]:
        assert train_config.read(FOLDERS[name], stage)["model"]["size"] == [128, 64]
        lacks = LACKING.get((name, stage))
        with monkeypatch.context() as patch:
            if lacks:
                with pytest.raises(BenchError, match=lacks):
                    run(name, stage, tmp_path / "bare", earlier=earlier, **options)
                lent = lambda folder, split, size: Annotated(load(folder, split, size=size))  # noqa: E731
                patch.setattr("fhpt_bench.train.datasets.load", lent)
            best = run(name, stage, tmp_path / stage, earlier=earlier, **options)
        assert best.name == "000000002"
        earlier[stage] = best / "model.safetensors"
