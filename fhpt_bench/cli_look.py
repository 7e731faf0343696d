"""Commands that look at the measures themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhpt_bench.cli_options import AsJson, Device, Protocol, Workers, print_json, say


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
