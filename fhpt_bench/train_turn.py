"""Several baselines trained one after the other by one command, for a night or for the time that a machine is lent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fhpt_bench import registry, train_config
from fhpt_bench.errors import BenchError
from fhpt_bench.train import find_baseline, train


def train_in_turn(
    baselines: Sequence[str | Path], *, out: Path, config: str = "small", budget: str | None = None, **options: Any
) -> dict[str, Path]:
    """Train each of ``baselines`` in ``out``/<name>; its name -> the snapshot to use.

    ``budget`` is for all together, and each gets an equal part, so that the same command goes on where it stopped;
    other options are those of ``train.train``. A baseline that fails costs the others nothing: they are trained, and
    the BenchError comes at the end. A wrong name or configuration is told before anything is written.
    """
    folders = [find_baseline(baseline)[0] for baseline in baselines]
    names = [registry.model_name(folder) for folder in folders]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BenchError(f"{sorted(twice)[0]} is named twice", fix="name each baseline once")
    for folder in folders:
        for stage in train_config.stages(folder, config):
            train_config.read(folder, stage)
    share = f"{train_config.seconds(budget) / len(names)}s" if budget else None
    best: dict[str, Path] = {}
    failed: dict[str, BenchError] = {}
    for name, baseline in zip(names, baselines, strict=True):
        print(f"{name}:", file=sys.stderr, flush=True)
        try:
            best[name] = train(baseline, out=Path(out) / name, config=config, budget=share, **options)
        except BenchError as error:
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            failed[name] = error
    if failed:
        raise BenchError(
            f"{', '.join(failed)} failed; trained: {', '.join(f'{k} in {v}' for k, v in best.items()) or 'none'}",
            fix=next(iter(failed.values())).fix,
        )
    return best
