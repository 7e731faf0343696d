"""Each command: read options, call one function, print. Numbers go to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fhpt_bench import __version__
from fhpt_bench.cli_import import import_
from fhpt_bench.cli_look import inspect, retrieve, sanity
from fhpt_bench.cli_options import (
    AllowMissing,
    AllScores,
    AsJson,
    BatchSize,
    Data,
    Device,
    Limit,
    Out,
    Protocol,
    Seed,
    Split,
    Workers,
    print_json,
    say,
)
from fhpt_bench.cli_resources import data_app, weights_app
from fhpt_bench.cli_score import finish, score
from fhpt_bench.cli_submit import submit, verify
from fhpt_bench.cli_train import export, train
from fhpt_bench.errors import BenchError

app = typer.Typer(
    name="fhpt-bench",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="The measuring stick of human pose transfer: run and score models under named protocols, with intervals.",
    epilog="Start with: [bold]fhpt-bench run --model drn[/bold]   (works offline once the networks are cached)",
)
app.add_typer(weights_app, name="weights")
app.add_typer(data_app, name="data")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"fhpt-bench {__version__}")
        raise typer.Exit


@app.command(epilog="Examples: fhpt-bench run --model drn | --model results/mine | --model mine.py:Mine --limit 50")
def run(
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Baseline, reference, folder, imported weights, entry point, or file.py:Class."
        ),
    ],
    protocol: Protocol = "catwalk-v1",
    data: Data = None,
    split: Split = "test",
    out: Out = None,
    limit: Limit = None,
    device: Device = "auto",
    batch_size: BatchSize = 8,
    workers: Workers = 2,
    seed: Seed = 0,
    allow_missing: AllowMissing = False,
    as_json: AsJson = False,
    html: Annotated[bool, typer.Option(help="Also write the HTML leaderboard with pictures.")] = True,
) -> None:
    """Make every image with a model, score them, and show the leaderboard. Killed? Run it again: it goes on."""
    from fhpt_bench import api, show

    record = api.run(
        model,
        protocol=protocol,
        data=data,
        split=split,
        out=out,
        limit=limit,
        device=device,
        batch_size=batch_size,
        workers=workers,
        seed=seed,
        allow_missing=allow_missing,
    )
    finish(record, api.run_folder(record, out), protocol, as_json, html, show)


app.command(
    epilog="Examples: fhpt-bench score results/mine | fhpt-bench score theirs.zip --layout patn --json | "
    "fhpt-bench score results/mine --protocol all | fhpt-bench score --pairs pairs.csv"
)(score)


@app.command(epilog="Example: fhpt-bench generate --model copy-source --out images/copy")
def generate(
    model: Annotated[str, typer.Option("--model", "-m", help="As for run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder for the images.")],
    data: Annotated[str, typer.Option("--data", "-d", help="Data set's name or folder.")] = "catwalk",
    split: Split = "test",
    limit: Limit = None,
    device: Device = "auto",
    batch_size: BatchSize = 8,
    workers: Workers = 2,
    seed: Seed = 0,
    allow_missing: AllowMissing = False,
    as_json: AsJson = False,
) -> None:
    """Only make the images, OUT/images/<pair id>.png."""
    from fhpt_bench import api

    made = api.make(
        model,
        data=data,
        split=split,
        out=out,
        limit=limit,
        device=device,
        batch_size=batch_size,
        workers=workers,
        seed=seed,
        allow_missing=allow_missing,
    )
    if as_json:
        print_json({"made": made, "folder": str(out / "images")})
    else:
        print(f"{made} images made in {out / 'images'}")


@app.command(epilog="Example: fhpt-bench compare runs/catwalk-v1/drn runs/catwalk-v1/copy-source")
def compare(
    a: Annotated[str, typer.Argument(help="Run folder, record.json, or the name of a shipped row.")],
    b: Annotated[str, typer.Argument(help="As A.")],
    protocol: Protocol = "catwalk-v1",
    all_scores: AllScores = False,
    as_json: AsJson = False,
) -> None:
    """Two records score by score: the difference with its interval over the same people; "tie" where that holds 0."""
    from fhpt_bench import api, show

    first, second = show.find_record(a, protocol), show.find_record(b, protocol)
    table = api.compare(first, second)
    if as_json:
        print_json(json.loads(table.to_json(orient="records", double_precision=12)))
    else:
        show.print_comparison(table, (a, first), (b, second), all_scores=all_scores)


@app.command(
    epilog="Examples: fhpt-bench leaderboard | fhpt-bench leaderboard runs/catwalk-v1/* --format latex > table.tex"
)
def leaderboard(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Run folders or record files to add to the shipped rows.")
    ] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", "-p", help="Only rows of this protocol.")] = None,
    shipped: Annotated[bool, typer.Option(help="Show the rows that ship with fhpt-bench.")] = True,
    format_: Annotated[
        str, typer.Option("--format", "-f", help="terminal, csv, markdown, latex or json.")
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write CSV, Markdown, LaTeX and HTML into this folder.")
    ] = None,
    all_scores: AllScores = False,
    columns: Annotated[
        list[str] | None, typer.Option("--columns", "-c", help="Only this family: perceptual, structural, semantic.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Papers' numbers too, unranked; without --protocol: which there are.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The table of shipped rows and your own; rows of other protocols or data are never ranked together."""
    from fhpt_bench import published as papers
    from fhpt_bench import show

    if published and protocol is None:
        kinds = papers.overview()
        print_json(kinds) if as_json else show.print_rows(
            kinds, only=("protocol", "paper", "data", "methods", "numbers")
        )
        return
    said = papers.of(protocol) if published and protocol is not None else []
    found = show.collect(records or [], protocol, shipped=shipped, empty=published)
    format_ = "json" if as_json else format_
    text = show.render(found, format_, all_scores=all_scores, families=columns or (), published=said)
    if out is not None:
        say(f"leaderboard: {show.write_all(found, out, records or [], said).resolve().as_uri()}")
    print(text, end="")


@app.command("list", epilog="Examples: fhpt-bench list | fhpt-bench list protocols --json")
def list_(
    kind: Annotated[
        str | None, typer.Argument(help="generators, protocols, metrics, datasets, features or weights (default: all).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What can be named: generators, protocols, metrics, data sets, features, weights."""
    from fhpt_bench import show

    listing = show.listing(kind)
    if as_json:
        print_json(listing)
        return
    show.print_listing(listing)


app.command(
    epilog="Examples: fhpt-bench train baselines/drn --budget 90m | fhpt-bench train drn patn dsc --budget 6h | "
    "torchrun --nproc-per-node 2 -m fhpt_bench train baselines/drn"
)(train)
app.command(epilog="Example: fhpt-bench export runs/train/drn-small/snapshots/000048000 --name drn-mine")(export)
app.command(
    "import", epilog="Examples: fhpt-bench import patn latest_net_netG.pth | fhpt-bench import rate FILE --json"
)(import_)
app.command(epilog="Example: fhpt-bench inspect drn --count 4 --out drn_inside.png")(inspect)
app.command(epilog="Example: fhpt-bench retrieve runs/catwalk-v1/drn --backbone resnet --out fig9.html")(retrieve)
app.command(epilog="Example: fhpt-bench submit runs/catwalk-v1/drn --images --out drn.zip")(submit)
app.command(epilog="Examples: fhpt-bench verify drn.zip --deep | fhpt-bench verify leaderboard/rows/*/*.json")(verify)
app.command(epilog="Examples: fhpt-bench sanity | fhpt-bench sanity --damage blur --damage noise --pairs 32")(sanity)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """What is installed, what is missing, which columns that costs, and how to get it."""
    from fhpt_bench import doctor as clinic

    findings = clinic.examine()
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        clinic.show(findings)
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: a BenchError becomes one message on stderr and exit code 2."""
    try:
        app()
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: no traceback for that
        sys.exit(1)


if __name__ == "__main__":
    main()
