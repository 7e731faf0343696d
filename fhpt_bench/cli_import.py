"""The command ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fhpt_bench.cli_options import AsJson, print_json, say


def import_(
    baseline: Annotated[str, typer.Argument(help="patn, intr-flow, spgnet or rate.")],
    files: Annotated[list[Path], typer.Argument(help="Every file of one published model.", metavar="FILE...")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="What to write (default: <model>.safetensors).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Weights that a system's authors published, as weights of our baseline. No code in them is run, no key guessed.

    Ends with 0: written; 1: the files do not fit, every difference is listed, nothing is written; 2: unreadable.
    """
    from fhpt_bench.importing import import_weights

    report = import_weights(baseline, files, out)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.fits:
        raise typer.Exit(1)
    say(f"use it: fhpt-bench run --model {report.out} --data <your prepared data set>   (docs/importing.md)")


def _print(report: Any) -> None:
    from fhpt_bench.folders.files import printable

    for entry in report.as_json()["files"]:
        if known := entry.get("known_as"):
            print(f"{entry['file']} is {known}")
        if entry["part"] is None:
            print(f"{entry['file']}: nothing documented to compare it with; it holds")
            print("".join(f"  {printable(key)}  {shape}\n" for key, shape in entry["keys"].items()), end="")
            continue
        print(f"{entry['file']} as {entry['part']} of {report.model}: {entry['taken']} tensors")
        for why, count in entry["dropped"].items():
            print(f"  {count} left out: {why}")
        if entry["filled"]:
            print(f"  {entry['filled']} counters of batches are not there and become 0")
        for kind in ("unknown", "missing", "misshapen", "unfit"):
            for key in entry[kind]:
                print(f"  {kind}: {printable(key)}")
    for part in report.twice:
        print(f"given more than once: the file of {part}")
    for part in report.lacking:
        print(f"not given: the file of {part}")
    if report.out:
        print(f"{report.out}  sha256 {report.sha256}")
    else:
        print("nothing was written: " + ("the files do not fit" if report.model else "no keys are documented"))
