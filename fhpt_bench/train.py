"""Training of a baseline: one flat loop on lightning-fabric, resumable at every snapshot.

Everything random in a step is a function of the seed and of how many samples were seen, so a resumed run gives the same
losses as an uninterrupted one (with ``samples``; a ``budget`` ties the schedule to the clock).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from lightning_fabric import Fabric
from torch import Tensor

from fhpt_bench import datasets, registry, train_config
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Recipe
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.train_feed import Feed, Plan
from fhpt_bench.train_files import RunFolder
from fhpt_bench.types import Dataset, Trainable

Precision = Literal["32-true", "bf16-mixed"]


def train(
    baseline: str | Path,
    *,
    out: Path,
    config: str = "small",
    data: str = "catwalk",
    budget: str | None = None,
    samples: int | None = None,
    device: str = "auto",
    precision: Precision = "32-true",
    batch_size: int | None = None,
    workers: int = 0,
    seed: int = 0,
    resume: bool = True,
    snapshot_minutes: float = 5.0,
    log_every: int = 20,
    earlier: Mapping[str, Path] | None = None,
) -> Path:
    """Train ``baseline`` on the train split of ``data``, and return the folder of the snapshot to use.

    A configuration with stages (``train_config.stages``) trains each in turn in ``out``/<stage>, the budget divided in
    proportion to their samples, and hands the weights of each to the next ones; ``earlier`` names weights
    (safetensors) for stages that are not to be trained again.

    ``baseline``: a name or its folder; ``data``: a name, or the folder of a prepared data set.
    ``budget`` ("90m", "2h", "1200s") or ``samples`` ends training and stretches the schedule; with neither, the
    recipe's samples do. ``out`` receives ``log.jsonl``, TensorBoard events, ``grids/*.png`` and
    ``snapshots/<samples>/``; the snapshot with the least validation distance and the latest one are kept. Start the
    same command again to go on. ``batch_size`` counts all processes; under ``torchrun`` gradients are averaged over
    them. Raises BenchError for what the caller can mend.
    """
    folder, _ = find_baseline(baseline)
    options: dict[str, Any] = {
        "data": data, "device": device, "precision": precision, "batch_size": batch_size, "workers": workers,
        "seed": seed, "resume": resume, "snapshot_minutes": snapshot_minutes, "log_every": log_every,
    }  # fmt: skip
    names, given = train_config.stages(folder, config), dict(earlier or {})
    if names == [config]:
        return _train(baseline, config, Path(out), budget=train_config.seconds(budget) if budget else None,
                      samples=samples, earlier=given, **options)  # fmt: skip
    if samples:
        raise BenchError(
            f"{config} is trained in stages, each with samples of its own",
            fix=f"--budget, or one stage with --samples: --config {' or '.join(names)}",
        )
    names = [name for name in names if _stage(name) not in given]
    lengths = [train_config.parse(Recipe, train_config.read(folder, name), "training").samples for name in names]
    best = Path(out)
    for name, length in zip(names, lengths, strict=True):
        share = train_config.seconds(budget) * length / sum(lengths) if budget else None
        best = _train(baseline, name, Path(out) / name, budget=share, samples=None, earlier=given, **options)
        given[_stage(name)] = best / "model.safetensors"
    return best


def _stage(name: str) -> str:
    """A stage is handed on under its name without ablations."""
    return name.partition("+")[0]


def _train(
    baseline: str | Path,
    config: str,
    out: Path,
    *,
    budget: float | None,
    samples: int | None,
    earlier: Mapping[str, Path],
    data: str,
    device: str,
    precision: Precision,
    batch_size: int | None,
    workers: int,
    seed: int,
    resume: bool,
    snapshot_minutes: float,
    log_every: int,
) -> Path:
    """One stage."""
    folder, module = find_baseline(baseline)
    settings = train_config.read(folder, config)
    recipe = train_config.parse(Recipe, settings, "training")
    limit, goal = budget, samples or (None if budget else recipe.samples)
    batch_size = recipe.batch if batch_size is None else batch_size
    fabric = _fabric(device, precision)
    training, held_out = _data(data, settings)
    if batch_size < 1 or batch_size % fabric.world_size:
        raise BenchError(f"batch {batch_size} does not divide over {fabric.world_size} processes", fix="a multiple")
    share = batch_size // fabric.world_size

    # Model and optimisers; the same initial weights in every process.
    torch.manual_seed(seed)
    model = module.build({**settings, **({"earlier": {k: str(v) for k, v in earlier.items()}} if earlier else {})})
    fabric.to_device(model)
    optimizers: dict[str, Any] = {name: fabric.setup_optimizers(o) for name, o in model.optimizers().items()}

    # Data: in memory where there is room for it.
    wants: dict[str, Any] = {"reads": getattr(model, "reads", ()), "accepts": getattr(model, "accepts", None)}
    pairs, validation = TrainingPairs(training, seed, hue=recipe.hue, **wants), TrainingPairs(held_out, **wants)
    _say_refused(fabric, pairs)
    identity = {
        "baseline": folder.name, "config": config, "settings": settings, "data": training.sha256, "seed": seed,
        "batch_size": batch_size, "precision": precision, "budget": limit, "samples": goal,
        **({"earlier": {name: _sha256(path) for name, path in earlier.items()}} if earlier else {}),
    }  # fmt: skip

    # Resume.
    run = RunFolder(out, identity, writes=fabric.is_global_zero)
    seen, elapsed = run.resume(model, optimizers, fabric.device) if resume else run.fresh()
    kept = seen  # where the latest snapshot stands
    fabric.barrier()
    update = _update(fabric, optimizers, recipe.clip)
    started, snapshot_at = time.monotonic() - elapsed, time.monotonic() + 60 * snapshot_minutes
    plan, feed = Plan(recipe, goal, limit), Feed(pairs, batch_size, share * fabric.global_rank, share, workers)

    model.train()
    while True:
        # Where we are: one process's clock decides for all.
        elapsed = fabric.broadcast(time.monotonic() - started)
        progress = plan.progress(seen, elapsed)
        due = fabric.broadcast(progress >= 1 or time.monotonic() >= snapshot_at)
        if due and seen > kept:
            model.eval()
            run.snapshot(model, optimizers, validation, fabric, seen=seen, elapsed=elapsed)
            fabric.barrier()
            model.train()
            kept = seen
            snapshot_at = time.monotonic() + 60 * snapshot_minutes
        if progress >= 1:
            break

        # One step. Dropout is seeded by the sample, so that resuming needs no generator state.
        phase, rate = recipe.phase(progress), recipe.rate(progress)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("share", 1.0)  # e.g. a discriminator that learns more slowly
        batch = {key: value.to(fabric.device, non_blocking=True) for key, value in feed.at(seen, phase.scale).items()}
        torch.manual_seed((seed << 40) + seen * fabric.world_size + fabric.global_rank)
        with fabric.autocast():
            losses = model.step(batch, update, phase.kind)
        if (seen // batch_size) % log_every == 0:
            run.log(seen, {"elapsed": elapsed, "lr": rate, **{k: float(v) for k, v in losses.items()}})
        seen += batch_size
    feed.close()
    return run.best()


def _data(name: str, settings: Mapping[str, Any]) -> tuple[Dataset, Dataset]:
    size = settings.get("model", {}).get("size")
    training, held_out = (datasets.load(name, split, size=tuple(size) if size else None) for split in ("train", "val"))
    return training, held_out


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise BenchError("no such weights of an earlier stage", where=path, fix="name a snapshot's model.safetensors")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _say_refused(fabric: Fabric, pairs: TrainingPairs) -> None:
    if pairs.refused and fabric.is_global_zero:
        print(
            f"{len(pairs.refused)} of {len(pairs.refused) + len(pairs)} training pairs are left out, the first "
            f"{pairs.refused[0]}: this baseline cannot use them (see its card)",
            file=sys.stderr,
        )


def _update(fabric: Fabric, optimizers: Mapping[str, Any], clip: float | None) -> Any:
    """``update(loss, *names)``: a step of the named optimisers down the gradient of ``loss``, averaged over processes.

    Gradients are averaged here rather than by DistributedDataParallel, which expects each network to take part once
    in each backward pass; alternating schemes such as 1-1-3 break that.
    """

    def update(loss: Tensor, *names: str) -> None:
        for name in names:
            optimizers[name].zero_grad()
        fabric.backward(loss)
        for name in names:
            parameters = [p for group in optimizers[name].param_groups for p in group["params"]]
            if fabric.world_size > 1:
                _average(fabric, parameters)
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimizers[name].step()

    return update


def _average(fabric: Fabric, parameters: list[torch.nn.Parameter]) -> None:
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = fabric.all_reduce(torch.cat([gradient.reshape(-1) for gradient in gradients]), reduce_op="mean")
    assert isinstance(flat, Tensor)
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _fabric(device: str, precision: Precision) -> Fabric:
    if precision not in get_args(Precision):
        raise BenchError(f"no training in precision {precision!r}", fix=f"one of {', '.join(get_args(Precision))}")
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise BenchError(f"no kind of device is called {device!r}", fix="auto, cpu, cuda or mps")
    processes, here = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device == "cuda" and not torch.cuda.is_available():
        raise BenchError("no CUDA device is at hand", fix="--device cpu")
    strategy = "ddp" if processes > 1 else "auto"
    fabric = Fabric(
        accelerator=device, devices=here, num_nodes=processes // here, strategy=strategy, precision=precision
    )
    fabric.launch()
    return fabric


def find_baseline(baseline: str | Path) -> tuple[Path, Any]:
    """Folder and package of a baseline named by its name or its folder."""
    path = Path(baseline)
    name = path.name.replace("-", "_")  # as model names are written; a package cannot be
    path = path.with_name(name) if path.name else path
    known = {folder.name: folder for folder in registry.baseline_folders()}
    if name not in known or (path.parent != Path() and path.resolve() != known[name].resolve()):
        raise BenchError(
            f"no baseline {str(baseline)!r}",
            fix=f"name one of {', '.join(known)}; folders of your own: FHPT_BENCH_BASELINES=<their parent>",
        )
    module = importlib.import_module(f"fhpt_bench.baselines.{name}")
    if not hasattr(module, "build"):
        raise BenchError(
            f"{name} cannot be trained", where=known[name], fix="its package must offer build(config) -> Trainable"
        )
    return known[name], module


__all__ = ["Precision", "Trainable", "find_baseline", "train"]
