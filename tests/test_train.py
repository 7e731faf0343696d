"""The training loop: resumes exactly, averages over processes, keeps the best snapshot, refuses what is broken."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

from fhpt_bench import train_config
from fhpt_bench.baselines.drn.training import DRNTraining
from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.errors import BenchError
from fhpt_bench.train import _fabric, _update, train
from fhpt_bench.train_config import Phase, Recipe, seconds
from fhpt_bench.train_data import TrainingPairs, hue_rotation, points_of
from fhpt_bench.train_feed import Feed

sys.path.insert(0, str(Path(__file__).parent))
from stick_figures import Sticks

DATA = f"{Path(__file__).parent / 'stick_figures.py'}:Sticks"


def run(out: Path, **options: Any) -> Path:
    return train(
        "drn", **{"config": "tiny", "data": DATA, "out": out, "samples": 32, "device": "cpu", "log_every": 1, **options}
    )


def log(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "elapsed"} for line in lines]


def test_a_run_leaves_what_it_promises(tmp_path: Path) -> None:
    best = run(tmp_path / "run")
    assert {p.name for p in best.iterdir()} == {"model.safetensors", "optimisers.pt", "state.json"}
    assert [line["seen"] for line in log(tmp_path / "run")] == [0, 4, 8, 12, 16, 20, 24, 28, 32]
    assert "gan" in log(tmp_path / "run")[-2], "the second phase brings the discriminators in"
    assert "gan" not in log(tmp_path / "run")[0]
    assert log(tmp_path / "run")[-2]["lr"] == pytest.approx(1e-3 * (1 - 28 / 32) / 0.5)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    (grid,) = (tmp_path / "run" / "grids").glob("*.png")
    with PIL.Image.open(grid) as picture:
        assert picture.size == (44 * 5, 64 * 6)  # source, pose, truth, coarse, final; six pairs


def test_resumes_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", snapshot_minutes=0)
    step, calls = DRNTraining.step, []

    def killed(self: DRNTraining, *given: Any) -> Any:
        calls.append(1)
        if len(calls) in (3, 6):  # once in each phase; the log has already run ahead of the snapshot
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(DRNTraining, "step", killed)
    # Snapshots lie a step behind, so that some steps are done twice and logged twice.
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", snapshot_minutes=0)
    parts = run(tmp_path / "parts", snapshot_minutes=0)
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    ours, theirs = load_file(parts / "model.safetensors"), load_file(whole / "model.safetensors")
    assert parts.name == whole.name
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_log_lines_after_the_snapshot_are_dropped(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, samples=16)
    with (out / "log.jsonl").open("a") as file:
        file.write('{"seen": 16, "l1": 0.5}\n{"seen": 20, "l1"')  # killed while writing
    run(out, samples=32)
    assert [line["seen"] for line in log(out) if "validation" not in line] == [0, 4, 8, 12, 16, 20, 24, 28]


def test_keeps_the_best_snapshot_and_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distances = iter([3.0, 1.0, 2.0, 5.0])
    monkeypatch.setattr("fhpt_bench.train_files.validate", lambda *_: next(distances))
    best = run(tmp_path / "run", samples=16, snapshot_minutes=0)
    assert best.name == "000000008"
    assert sorted(p.name for p in (tmp_path / "run" / "snapshots").iterdir()) == ["000000008", "000000016"]


OWN = """
[wee.model]
size = [64, 44]
widths = [4, 8]
blocks = 1
dropout = 0.0
stem = 3
head = 3
code = 8
style = [4, 4, 4, 4, 4, 4]
hidden = 8
kernel = 3
sigma = 2.0
[wee.judges]
widths = [4, 8]
blocks = 0
dropout = 0.0
stem = 3
[wee.losses]
network = "random"
taps = ["relu1_1"]
style_taps = ["relu1_1"]
[wee.training]
optimizer = "radam"
lr = 1e-3
betas = [0.5, 0.999]
weight_decay = 0.0
constant = 1.0
samples = 16
batch = 4
phases = [{ until = 0.5, kind = "joint" }, { until = 1.0, kind = "cycle" }]
"""


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    # A baseline of one's own, found through the environment; without dropout, which processes draw differently.
    own = tmp_path / "baselines" / "wee"
    own.mkdir(parents=True)
    (own / "config.toml").write_text(OWN)
    (own / "model.py").write_text("")
    (own / "__init__.py").write_text("from fhpt_bench.baselines.drn.training import build\n")
    script = tmp_path / "go.py"
    script.write_text(
        "import sys, pathlib\nfrom fhpt_bench.train import train\n"
        f"train('wee', config='wee', data={DATA!r}, out=pathlib.Path(sys.argv[1]), device='cpu', log_every=1)\n"
    )
    env = {**os.environ, "FHPT_BENCH_BASELINES": str(own.parent), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for prefix, out in (([sys.executable], "one"), (torchrun, "two")):
        subprocess.run(
            [*prefix, str(script), str(tmp_path / out)], env=env, check=True, capture_output=True, timeout=240
        )
    one, two = (load_file(tmp_path / out / "snapshots" / "000000016" / "model.safetensors") for out in ("one", "two"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)


def test_another_run_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run", samples=4)
    with pytest.raises(BenchError, match="its seed differ"):
        run(tmp_path / "run", seed=1)
    with pytest.raises(BenchError, match="config and settings differ"):
        run(tmp_path / "run", config="tiny+end2end")
    with pytest.raises(BenchError, match="holds a training run"):
        run(tmp_path / "run", resume=False)
    assert run(tmp_path / "run", samples=8).parent == tmp_path / "run" / "snapshots", "more samples is the same run"


@pytest.mark.parametrize(
    ("file", "message"), [("model.safetensors", "cannot be loaded"), ("optimisers.pt", "optimiser state")]
)
def test_a_damaged_snapshot(tmp_path: Path, file: str, message: str) -> None:
    best = run(tmp_path / "run", samples=4)
    content = (best / file).read_bytes()
    (best / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(BenchError, match=message):
        run(tmp_path / "run", samples=8)


def test_a_pickle_in_the_optimiser_state_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    best = run(tmp_path / "run", samples=4)
    torch.save({"transfer": Evil()}, best / "optimisers.pt")
    with pytest.raises(BenchError, match="optimiser state"):
        run(tmp_path / "run", samples=8)
    assert not (tmp_path / "ran").exists()


def test_divergence_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DRNTraining, "step", lambda *_: {"l1": torch.tensor(float("nan"))})
    with pytest.raises(BenchError, match=r"diverged: l1 is not finite after 0 samples"):
        run(tmp_path / "run")


def test_wrong_options(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no baseline"):
        train("dnr", out=tmp_path)
    with pytest.raises(BenchError, match="no baseline"):
        train(tmp_path / "drn", out=tmp_path)
    for budget in ("90", "m", "-3m", "1d", "nanm"):
        with pytest.raises(BenchError, match="not a budget"):
            run(tmp_path, budget=budget)
    with pytest.raises(BenchError, match="precision"):
        run(tmp_path, precision="16-mixed")
    with pytest.raises(BenchError, match="device"):
        run(tmp_path, device="gpu0")
    with pytest.raises(BenchError, match="batch"):
        run(tmp_path, batch_size=0)
    assert (seconds("90m"), seconds("1.5h"), seconds("20s")) == (5400, 5400, 20)
    with pytest.raises(BenchError, match="phases"):
        train_config.parse(
            Recipe,
            {"training": {**train_config.read(Path("baselines/drn"), "tiny")["training"], "phases": []}},
            "training",
        )
    assert not list(tmp_path.iterdir())


def test_a_budget_ends_training_and_stretches_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # a clock that does not depend on how busy the machine is: 0.1 s a look
    monkeypatch.setattr("fhpt_bench.train.time", SimpleNamespace(monotonic=lambda: next(ticks) / 10))
    run(tmp_path / "run", budget="3s", samples=None)
    entries = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    steps = [line for line in entries if "lr" in line]
    assert 2.5 < steps[-1]["elapsed"] < 3
    assert all(("gan" in line) == (line["elapsed"] >= 1.5) for line in steps), "half the budget"
    assert steps[-1]["lr"] == pytest.approx(1e-3 * (1 - steps[-1]["elapsed"] / 3) / 0.5)


def test_schedule() -> None:
    phases = (Phase(until=0.25, kind="a", scale=0.5), Phase(until=1.0, kind="b"))
    recipe = Recipe(
        optimizer="adam", lr=1.0, betas=(0, 0), weight_decay=0, constant=0.6, samples=1, batch=1, phases=phases
    )
    assert [recipe.rate(p) for p in (0, 0.6, 0.8, 1)] == [1, 1, pytest.approx(0.5), 0]
    assert [recipe.phase(p).kind for p in (0, 0.24, 0.25, 1)] == ["a", "a", "b", "b"]
    warm = recipe.model_copy(update={"warm": 0.1})
    rates = [warm.rate(p) for p in (0, 0.05, 0.1, 0.24, 0.25, 0.3, 0.35, 0.8, 1)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 0, 0.5, 1, 0.5, 0])


def test_flip_swaps_sides_and_mirrors_points() -> None:
    data, pairs = Sticks("train"), TrainingPairs(Sticks("train"))
    plain = pairs.batch([0])
    flipped = pairs.batch([0], flips=torch.tensor([True]))
    assert torch.equal(flipped["source"], plain["source"].flip(3))
    left, right = BODY18.index("l_wrist"), BODY18.index("r_wrist")
    x, y = data[0].source.pose.keypoints[left]
    assert flipped["source_points"][0, right].tolist() == pytest.approx([43 - x, y])
    assert plain["source_points"][0, BODY18.index("l_ear")].isnan().all()
    assert flipped["source_points"][0, BODY18.index("r_ear")].isnan().all()


def test_half_size_keeps_points_on_their_pixels() -> None:
    half, full = (TrainingPairs(Sticks("train")).batch([1], scale) for scale in (0.5, 1.0))
    assert half["target"].shape == (1, 3, 32, 22)
    torch.testing.assert_close(half["target"][0, :, 3, 4], full["target"][0, :, 6:8, 8:10].mean((1, 2)))
    torch.testing.assert_close((half["target_points"] + 0.5) * 2 - 0.5, full["target_points"], equal_nan=True)


def test_hue_rotation_keeps_greys_and_turns_red_to_green() -> None:
    turn = hue_rotation(2 * np.pi / 3)
    np.testing.assert_allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(hue_rotation(1.234) @ [0.3, 0.3, 0.3], [0.3, 0.3, 0.3], rtol=1e-6)
    batch = TrainingPairs(Sticks("train"), hue=1.0).drawn([0])
    white = batch["source"][0, :, 0, 0]
    torch.testing.assert_close(white, torch.ones(3))


def test_every_pair_is_drawn_once_an_epoch_whatever_the_workers() -> None:
    pairs = TrainingPairs(Sticks("train"), seed=3)
    pairs.batch = lambda indices, *_: {"drawn": torch.tensor(list(indices))}  # type: ignore[method-assign]
    drawn = pairs.drawn(range(2 * len(pairs)))["drawn"].tolist()
    assert sorted(drawn[: len(pairs)]) == sorted(drawn[len(pairs) :]) == list(range(len(pairs)))
    assert drawn[: len(pairs)] != drawn[len(pairs) :]
    inline, ahead = (Feed(TrainingPairs(Sticks("train")), 4, 0, 4, workers) for workers in (0, 2))
    for seen, scale in ((0, 0.5), (4, 0.5), (8, 1.0), (12, 1.0)):
        one, other = inline.at(seen, scale), ahead.at(seen, scale)
        assert all(torch.equal(one[k].nan_to_num(), other[k].nan_to_num()) for k in one)
    ahead.close()


def test_points_of_keeps_occluded_and_drops_outside() -> None:
    pose = Sticks("train")[0].source.pose
    pose.visible[3] = 1
    points = points_of(pose)
    assert np.isfinite(points[3]).all()
    assert np.isnan(points[17]).all()
    assert np.isfinite(points).all(1).sum() == 17


def test_a_data_set_without_pairs() -> None:
    class Empty(Sticks):
        def __len__(self) -> int:
            return 0

    with pytest.raises(BenchError, match="without pairs"):
        TrainingPairs(Empty("train"))


def test_the_commands_of_the_docs_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from fhpt_bench.cli import app

    given: list[dict[str, Any]] = []
    for module in ("train", "train_turn"):
        monkeypatch.setattr(
            f"fhpt_bench.{module}.train", lambda baseline, **rest: given.append({"baseline": baseline, **rest})
        )
    text = (Path(__file__).parents[1] / "docs" / "training.md").read_text("utf-8")
    commands = [
        line for line in text.splitlines() if re.match(r"(fhpt-bench|OMP_NUM_THREADS=1 torchrun) .*train ", line)
    ]
    for command in commands:
        arguments = command.split(" train ", 1)[1].split()
        result = CliRunner().invoke(app, ["train", *arguments])
        assert result.exit_code == 0, result.output
    assert len(commands) == 5
    assert {entry["baseline"] for entry in given} == {"baselines/drn", "drn", "patn", "dsc", "intr-flow"}
    assert {entry["budget"] for entry in given} == {"90m", "2h", "7200.0s", None}
    assert [list(entry["earlier"]) for entry in given if entry.get("earlier")] == [["small-flow"]]


@pytest.mark.parametrize(("clip", "length"), [(None, 20.0), (1.0, 1.0), (50.0, 20.0)])
def test_long_gradients_are_shortened(clip: float | None, length: float) -> None:
    weight, other = torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(1))
    optimizers = {"a": torch.optim.SGD([weight], lr=1.0), "b": torch.optim.SGD([other], lr=1.0)}
    update = _update(_fabric("cpu", "32-true"), optimizers, clip)
    update(10 * weight.sum() + 3 * other.sum(), "a")
    assert weight.norm().item() == pytest.approx(length)
    assert other.item() == 0, "only what is named is updated"
