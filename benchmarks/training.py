"""``python -m benchmarks.training [--baselines patn dsc] [--steps 6] [--repeats 3]``: measures what the training loop
costs beside its networks, and writes the third part of docs/performance.md.

The loop is ``fhpt_bench.train`` itself, with data, mirroring, clipping and logging, stopped after some steps; beside it
the same network takes the same kind of step, forward, backward and optimiser, on one batch that lies in memory. Both by
turns in one process, each baseline in a process of its own, on Catwalk's training people.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save_file

from benchmarks import page
from benchmarks.training_page import write
from fhpt_bench import datasets, registry, train_config
from fhpt_bench.train import Precision, find_baseline, train
from fhpt_bench.train_config import Phase, Recipe
from fhpt_bench.train_data import TrainingPairs

ROOT = Path(__file__).resolve().parents[1]
FORMATS: tuple[tuple[Precision, bool], ...] = (
    ("bf16-mixed", True), ("bf16-mixed", False), ("32-true", True), ("32-true", False)
)  # fmt: skip
"""Precision, channels last. The first is what the small networks were trained in."""
Times = list[tuple[float, float]]
"""Seconds by the clock and of the processor, one entry a step."""


class _EnoughError(Exception):
    """Ends the training loop from within."""


def main() -> None:
    """Without ``--only``: every stage of every baseline, each in a new process. With it: that one, printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baselines", nargs="*", default=[folder.name for folder in registry.baseline_folders()])
    parser.add_argument("--formats", default="patn", help="the baseline that is also timed in other number formats")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        formats = FORMATS if given.only[0] == given.formats else FORMATS[:1]
        print(json.dumps(measure(*given.only, formats, given.steps, given.repeats)))
        return
    found = []
    for name in given.baselines:
        for stage in stages(name):
            load = os.getloadavg()[0]
            found.append(_in_new_process(name, stage, given) | {"load": load})
            print(f"{name} {stage}", file=sys.stderr, flush=True)
    page.put(given.out, 2, write(found, given.steps, given.repeats))
    print(given.out)


def stages(name: str) -> list[str]:
    """The stages of ``small``, and those of a longer training that goes on from it."""
    folder = find_baseline(name)[0]
    chains = [train_config.stages(folder, key) for key in ("small", *train_config.staged(folder)) if "+" not in key]
    return max((chain for chain in chains if chain[0].startswith("small")), key=len)


def _in_new_process(name: str, stage: str, given: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training", "--only", name, stage, "--formats", given.formats]
    command += ["--steps", str(given.steps), "--repeats", str(given.repeats)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # waiting is not to count as processor time
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(
    name: str,
    stage: str,
    formats: tuple[tuple[Precision, bool], ...] = FORMATS[:1],
    steps: int = 6,
    repeats: int = 3,
    data: str = "catwalk",
) -> dict[str, Any]:
    """One stage: steps of the loop and bare ones by turns, in each of ``formats`` (the loop in the first alone)."""
    folder = find_baseline(name)[0]
    recipe = train_config.parse(Recipe, train_config.read(folder, stage), "training")
    phase = recipe.phases[0]
    with tempfile.TemporaryDirectory() as temporary:
        earlier = _untrained(name, stage, Path(temporary))
        bare = {form: _bare(name, stage, phase, earlier, form, data) for form in formats}
        loop: Times = []
        alone: dict[tuple[Precision, bool], Times] = {form: [] for form in formats}
        for turn in range(repeats):
            out = Path(temporary) / f"run{turn}"
            loop += _loop(name, stage, phase, earlier, formats[0][0], steps, out, data)
            for form, step in bare.items():
                step()  # warms up
                alone[form] += [_timed(step) for _ in range(steps)]
        return {
            "baseline": registry.model_name(folder),
            "stage": stage,
            "kind": phase.kind,
            "scale": phase.scale,
            "batch": recipe.batch,
            "loop": _median(loop),
            "bare": [{"precision": p, "channels last": last, "time": _median(t)} for (p, last), t in alone.items()],
            "data": _median(_data(name, stage, phase, earlier, steps, data)),
            "reads": list(getattr(_model(name, stage, earlier), "reads", ())),
        }


def _loop(
    name: str, stage: str, phase: Phase, earlier: Mapping[str, Path], precision: Precision, steps: int, out: Path,
    data: str,
) -> Times:  # fmt: skip
    """From the start of one step to that of the next; the first step is not counted."""
    marks: Times = []
    module, read = find_baseline(name)[1], train_config.read

    def watched(settings: Mapping[str, Any], build: Callable[[Mapping[str, Any]], Any] = module.build) -> Any:
        model = build(settings)
        step = model.step

        def timed(*given: Any) -> Any:
            marks.append((time.perf_counter(), time.process_time()))
            if len(marks) > steps + 1:
                raise _EnoughError
            return step(*given)

        model.step = timed
        return model

    def one_phase(folder: Path, config: str) -> dict[str, Any]:
        settings = read(folder, config)
        if "training" in settings:
            settings["training"] = settings["training"] | {"phases": [phase.model_dump() | {"until": 1.0}]}
        return settings

    watching = mock.patch.object(module, "build", watched), mock.patch.object(train_config, "read", one_phase)
    with watching[0], watching[1], suppress(_EnoughError):
        train(name, config=stage, out=out, data=data, device="cpu", precision=precision, workers=2, earlier=earlier)
    return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks[1:])]


def _bare(
    name: str, stage: str, phase: Phase, earlier: Mapping[str, Path], form: tuple[Precision, bool], data: str
) -> Callable[[], None]:
    """One step, forward, backward and optimiser, on a batch that is at hand."""
    precision, channels_last = form
    model = _model(name, stage, earlier).train()
    optimizers, layout = model.optimizers(), torch.channels_last if channels_last else torch.contiguous_format
    model.to(memory_format=layout)
    recipe, pairs = _pairs(name, stage, model, data)
    batch = {
        key: value.contiguous(memory_format=layout) if value.ndim == 4 else value
        for key, value in pairs.batch(range(recipe.batch), phase.scale).items()
    }

    def update(loss: torch.Tensor, *names: str) -> None:
        for each in names:
            optimizers[each].zero_grad()
        loss.backward()
        for each in names:
            optimizers[each].step()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16-mixed" else nullcontext():
            model.step(batch, update, phase.kind)

    return step


def _data(name: str, stage: str, phase: Phase, earlier: Mapping[str, Path], steps: int, data: str) -> Times:
    """Batches as the loop draws them, alone."""
    recipe, pairs = _pairs(name, stage, _model(name, stage, earlier), data)
    starts = range(0, (steps + 1) * recipe.batch, recipe.batch)
    return [_timed(lambda k=k: pairs.drawn(range(k, k + recipe.batch), phase.scale)) for k in starts][1:]


def _pairs(name: str, stage: str, model: Any, data: str) -> tuple[Recipe, TrainingPairs]:
    settings = train_config.read(find_baseline(name)[0], stage)
    dataset = datasets.load(data, "train", size=tuple(settings["model"]["size"]))
    wants = {"reads": getattr(model, "reads", ()), "accepts": getattr(model, "accepts", None)}
    return train_config.parse(Recipe, settings, "training"), TrainingPairs(dataset, **wants)


def _model(name: str, stage: str, earlier: Mapping[str, Path]) -> Any:
    folder, module = find_baseline(name)
    torch.manual_seed(0)
    given = {"earlier": {each: str(path) for each, path in earlier.items()}} if earlier else {}
    return module.build(train_config.read(folder, stage) | given)


def _untrained(name: str, stage: str, folder: Path) -> dict[str, Path]:
    """Weights for the stages before ``stage``: speed does not ask whether they are good."""
    earlier: dict[str, Path] = {}
    chain = stages(name)
    for each in chain[: chain.index(stage)] if stage in chain else ():
        state = _model(name, each, earlier).state_dict()
        save_file({key: value.contiguous() for key, value in state.items()}, folder / f"{each}.safetensors")
        earlier[each] = folder / f"{each}.safetensors"
    return earlier


def _timed(run: Callable[[], Any]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def _median(times: Times) -> list[float]:
    return [median(column) for column in zip(*times, strict=True)]


if __name__ == "__main__":
    main()
