"""The commands ``train`` (baselines, one or several in turn, and evaluators) and ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fhpt_bench.cli_options import AsJson, Device, Seed, Workers, print_json, say
from fhpt_bench.errors import BenchError


def train(
    baselines: Annotated[
        list[str], typer.Argument(help="Baselines or one evaluator, by folder or name: baselines/drn, patn.")
    ],
    config: Annotated[str, typer.Option(help="Which table of its config.toml: paper, small, tiny.")] = "small",
    data: Annotated[str, typer.Option("--data", "-d", help="Data set's name or folder.")] = "catwalk",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where snapshots, samples and logs go (default: runs/train/<baseline>-<config>); of several: "
            "OUT/<baseline>.",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Stop after this time: 90m, 2h, 1200s; of several: in equal parts.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Stop after this many samples (each).")] = None,
    device: Device = "auto",
    precision: Annotated[Literal["32-true", "bf16-mixed"], typer.Option(help="Arithmetic.")] = "32-true",
    batch_size: Annotated[int | None, typer.Option(help="Overrides the config's.")] = None,
    workers: Workers = 2,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from the newest snapshot in OUT.")] = True,
    earlier: Annotated[
        list[str] | None,
        typer.Option(help="Weights of a stage that is not to be trained again: small-flow=PATH (repeatable)."),
    ] = None,
) -> None:
    """Train baselines, which resume exactly where they stopped, or an evaluator (protocols/evaluators/gender)."""
    from fhpt_bench import evaluators

    evaluator = next(filter(None, map(evaluators.named_by, baselines)), None)
    if evaluator is not None:
        if len(baselines) > 1:
            raise BenchError("an evaluator is trained alone", fix="one command each")
        if any(given is not None for given in (budget, samples, batch_size)):
            fix = "leave out --budget, --samples and --batch-size"
            raise BenchError("the length of an evaluator's training stands in its config.toml", fix=fix)
        from fhpt_bench.evaluators.train import train as start_evaluator

        found = start_evaluator(evaluator, config=config, data=data, out=out, device=device, seed=seed)
        say(f"its accuracy on validation people: {found.accuracy}\nto pin it: [pin={found.sha256[:12]}]")
        print(found.path)
        return
    from fhpt_bench.train import train as start
    from fhpt_bench.train_turn import train_in_turn

    options: dict[str, Any] = {
        "config": config, "data": data, "budget": budget, "samples": samples, "device": device,
        "precision": precision, "batch_size": batch_size, "workers": workers, "seed": seed, "resume": resume,
    }  # fmt: skip
    home = Path("runs") / "train"
    if len(baselines) == 1:
        folder = out or home / f"{Path(baselines[0]).name}-{config}"
        best = start(baselines[0], out=folder, earlier=_stages(earlier or []), **options)
        print(best)
        say(f"to measure it: fhpt-bench export {best}")
        return
    if earlier:
        raise BenchError("--earlier belongs to one baseline", fix="train that baseline by a command of its own")
    for best in train_in_turn(baselines, out=out or home / config, **options).values():
        print(best)


def export(
    snapshot: Annotated[Path, typer.Argument(help="The folder that train printed.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="What to write (default: NAME.safetensors).")] = None,
    name: Annotated[
        str, typer.Option(help="Of the model in records (default: baseline, configuration, samples).")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """A snapshot of your own training as one file that run, generate and inspect take for --model."""
    from fhpt_bench.train_export import export as write

    made = write(snapshot, out, name)
    if as_json:
        print_json({"file": str(made.path), "name": made.name, "sha256": made.sha256})
    else:
        print(f"{made.path}  sha256 {made.sha256}")
    say(f"use it: fhpt-bench run --model {made.path}")


def _stages(given: list[str]) -> dict[str, Path]:
    parts = [text.partition("=") for text in given]
    if wrong := [text for text, (_, equals, path) in zip(given, parts, strict=True) if not (equals and path)]:
        raise BenchError(f"--earlier {wrong[0]!r} names no stage and file", fix="--earlier small-flow=PATH")
    return {stage: Path(path) for stage, _, path in parts}
