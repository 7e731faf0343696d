"""The command `score`, and how a measured row is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fhpt_bench.cli_options import (
    AllowMissing,
    AsJson,
    BatchSize,
    Data,
    Device,
    Limit,
    Out,
    Seed,
    Split,
    Workers,
    print_json,
    say,
)
from fhpt_bench.errors import BenchError


def score(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder or zip with one image a pair, named as any system does (--layout).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the row (default: the folder's name).")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol", "-p", help="Name, .toml file, or all: every protocol side by side (default: catwalk-v1)."
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(help="How the files are named: auto, ours, patn, rate, dsc, intrflow, gfla, or a CSV: file,pair."),
    ] = "auto",
    pairs: Annotated[
        Path | None, typer.Option(help="Instead of a folder: a CSV of paths, generated,target[,source][,person].")
    ] = None,
    allow_missing: AllowMissing = False,
    data: Data = None,
    split: Split = "test",
    out: Out = None,
    limit: Limit = None,
    device: Device = "auto",
    batch_size: BatchSize = 8,
    workers: Workers = 2,
    seed: Seed = 0,
    as_json: AsJson = False,
    html: Annotated[bool, typer.Option(help="Also write the HTML leaderboard with pictures.")] = True,
) -> None:
    """Score images that are there already, whatever code wrote them."""
    from fhpt_bench import api, show
    from fhpt_bench.folders.coverage import CoverageError

    options: dict[str, Any] = {
        "pairs": pairs,
        "layout": layout,
        "allow_missing": allow_missing,
        "name": name,
        "data": data,
        "split": split,
        "out": out,
        "limit": limit,
        "device": device,
        "batch_size": batch_size,
        "workers": workers,
        "seed": seed,
    }
    if folder is None and pairs is None:
        raise BenchError("no images were named", fix="fhpt-bench score DIR, or fhpt-bench score --pairs pairs.csv")
    try:
        if protocol == "all":
            _side_by_side(folder, options, as_json=as_json)
            return
        record = api.score(folder, protocol=protocol, **options)
    except CoverageError as error:
        if as_json:
            print_json({"coverage": error.coverage.as_json()})
        raise
    finish(record, api.run_folder(record, out), protocol or record.protocol.name, as_json, html, show)


def _side_by_side(folder: Path | None, options: dict[str, Any], *, as_json: bool) -> None:
    from fhpt_bench.folders import every_protocol
    from fhpt_bench.leaderboard import protocols

    found, where = every_protocol.measure(folder, **options)
    page = protocols.write(found, where)
    if as_json:
        print_json(found.as_json())
    else:
        protocols.show(found)
        say(f"page: {page.resolve().as_uri()}")


def finish(record: Any, folder: Path, protocol: str, as_json: bool, html: bool, show: Any) -> None:
    """Write the page of a row that was just measured, and print it."""
    page = show.write_html(record, folder, protocol) if html else None
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    show.print_leaderboard(record)
    if len(show.beside(record)) > 1:
        say("other rows: as shipped with fhpt-bench; measure one yourself with fhpt-bench run --model NAME")
    say(f"record: {folder / 'record.json'}")
    if page is not None:
        say(f"leaderboard: {page.resolve().as_uri()}")
