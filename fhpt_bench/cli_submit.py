"""Commands for handing a row on, and for checking one that was handed in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fhpt_bench.cli_options import AsJson, Device, print_json, say

Known = Annotated[str | None, typer.Option("--protocol", "-p", help="The protocol's .toml, if it does not ship.")]
Data = Annotated[str | None, typer.Option("--data", "-d", help="The data set's folder, if its name is not enough.")]


def submit(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    images: Annotated[
        bool, typer.Option("--images", help="Also the images, so that rows can be measured again.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The zip (default: RUN/submission.zip).", metavar="FILE.zip")
    ] = None,
    protocol: Known = None,
    data: Data = None,
    max_mb: Annotated[int, typer.Option("--max-mb", help="Most megabytes of images.", min=1)] = 1024,
    as_json: AsJson = False,
) -> None:
    """Pack record, rows and protocol of a run into one zip that anybody can check; checked before it is written."""
    from fhpt_bench.submission import submit as pack

    path, verdict = pack(run, out=out, images=images, protocol=protocol, data=data, max_images=max_mb * 2**20)
    if as_json:
        print_json({**_json(verdict), "bytes": path.stat().st_size})
    else:
        _print(verdict)
        print(f"{path} ({path.stat().st_size / 2**20:.1f} MB)")
    say("another checks it with: fhpt-bench verify FILE.zip (docs/submitting.md)")


def verify(
    files: Annotated[list[Path], typer.Argument(help="Zips of submit, rows (leaderboard/rows/...json), run folders.")],
    protocol: Known = None,
    data: Data = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also measure some pairs again from the images sent.")] = False,
    pairs: Annotated[int, typer.Option("--pairs", help="How many, with --deep.")] = 16,
    seed: Annotated[int | None, typer.Option(help="Which, with --deep (default: drawn afresh, and said).")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Recompute what can be of a submission or a row, and say what could not be.

    Exit code 0: all that could be checked holds. 1: something differs. 2: not a submission, damaged or unsafe.
    """
    from fhpt_bench.submission import verify as check

    found = [
        check(file, data=data, protocol=protocol, deep=deep, pairs=pairs, seed=seed, device=device) for file in files
    ]
    if as_json:
        print_json([_json(verdict) for verdict in found])
    else:
        for verdict in found:
            _print(verdict)
    if any(verdict.state == "differs" for verdict in found):
        raise typer.Exit(1)


def _print(verdict: Any) -> None:
    from fhpt_bench.folders.files import printable

    print(f"{verdict.state}: {printable(verdict.model)} under {printable(verdict.protocol)} ({verdict.file})")
    for check in verdict.checks:
        said = "".join(c if c.isprintable() else "?" for c in check.said)
        print(f"  {check.state:9}  {check.name:13}  {said}")


def _json(verdict: Any) -> dict[str, Any]:
    return {
        "file": verdict.file,
        "model": verdict.model,
        "protocol": verdict.protocol,
        "verdict": verdict.state,
        "checks": [check.__dict__ for check in verdict.checks],
    }
