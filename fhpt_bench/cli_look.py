"""Commands that look closer: into a model, at what its images find, at the measures themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhpt_bench.cli_options import AsJson, Device, Protocol, Seed, Split, Workers, print_json, say


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


def retrieve(
    run: Annotated[Path, typer.Argument(help="Run folder of `run` or `score`.")],
    backbone: Annotated[str, typer.Option(help="Retrieval network: vgg or resnet.")] = "vgg",
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", help="The run's protocol file, where it is not a shipped one.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML file (default: retrieval.html in RUN).")] = None,
) -> None:
    """FHPT's Fig. 9 as a page: generated images, the ten photographs each finds, right and wrong ones marked."""
    from fhpt_bench.leaderboard import retrieval

    print(retrieval.write(run, backbone, protocol, out))


def sanity(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where run folders, report and page go.")] = Path("runs")
    / "sanity",
    protocol: Protocol = "catwalk-v1",
    pairs: Annotated[int, typer.Option("--pairs", help="Test pairs, spread evenly over people.")] = 96,
    damage: Annotated[list[str] | None, typer.Option("--damage", help="Only this damage; may be repeated.")] = None,
    device: Device = "auto",
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Does the measure measure? Damage true images in rising doses, score them, and draw every score's answer.

    About half an hour on two cores; killed, it goes on where it stopped. Exit code 1 where a score that must answer a
    damage does not.
    """
    from fhpt_bench.datasets.catwalk import Catwalk
    from fhpt_bench.paths import atomic
    from fhpt_bench.sanity.measure import claims, holds, measure
    from fhpt_bench.sanity.page import to_html

    found = measure(out, protocol=protocol, pairs=pairs, only=damage or [], device=device, workers=workers)
    texts = {"sanity.json": found.model_dump_json(indent=1) + "\n", "sanity.html": to_html(found, Catwalk("test"))}
    for name, text in texts.items():
        with atomic(out / name, "w") as file:
            file.write(text)
    verdicts = {claim: holds(found, claim) for claim in claims(found)}
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for claim, seen in verdicts.items():
            verb = "is blind to" if claim.blind else "answers"
            print(f"{'seen    ' if seen else 'NOT seen'}  {claim.score} {verb} {claim.damage}")
    say(f"page: {(out / 'sanity.html').resolve().as_uri()}")
    if not all(verdicts.values()):
        raise typer.Exit(1)
