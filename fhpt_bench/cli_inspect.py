"""The command `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhpt_bench.cli_options import AsJson, Device, Seed, Split, print_json


def inspect(
    model: Annotated[str, typer.Argument(help="A baseline that can be looked into: drn.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("inside.png"),
    pairs: Annotated[str, typer.Option(help="Pair ids, separated by commas (fhpt-bench data pairs).")] = "",
    count: Annotated[int, typer.Option(help="Without --pairs: so many, spread evenly over the split.")] = 6,
    data: Annotated[str, typer.Option("--data", "-d", help="Data set's name or folder.")] = "catwalk",
    split: Split = "test",
    device: Device = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Look into a model: what it makes on its way to the image, beside source, target pose and truth, as one figure."""
    from fhpt_bench.inspection import inspect as look

    ids = [pair.strip() for pair in pairs.split(",") if pair.strip()]
    done = look(model, out, data=data, split=split, pairs=ids, count=count, device=device, seed=seed)
    if as_json:
        print_json(done)
    else:
        print(f"{done['file']}: {len(done['pairs'])} pairs, {', '.join(done['columns'])}")
