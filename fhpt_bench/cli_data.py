"""The commands `data prepare`, `data check`, `data poses` and `data faces`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fhpt_bench.cli_options import AsJson, Device, Workers, print_json, say

Detector = Annotated[str, typer.Option(help="mediapipe, mmpose or openpose-json.")]
Prepared = Annotated[Path, typer.Argument(help="Folder that `data prepare` wrote.")]


def prepare(
    kind: Annotated[str, typer.Argument(help="deepfashion or market1501.")],
    source: Annotated[Path, typer.Argument(help="What you downloaded: a folder (zips in it are read too), or a zip.")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    size: Annotated[
        list[str] | None, typer.Option(help="Only images of this size, such as 256x176 (height, width).")
    ] = None,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """From the archives to one checked layout. Nothing is downloaded; run it again and it goes on where it stopped."""
    from fhpt_bench import prepare as preparation

    summary = preparation.prepare(kind, source, out, sizes=size or (), workers=workers)
    if as_json:
        print_json(summary.as_json())
    else:
        print(f"{summary.photographs} photographs in {out} ({summary.resumed} were there already)")
        for title, counts in (("at", summary.sizes), ("from", summary.made_from), ("", summary.counts)):
            print("\n".join(f"  {count:7} {title} {what}".replace("  at", " at") for what, count in counts.items()))
        for which in summary.derived:
            print(f"pairs of {which}: derived by the field's rule, since no list was there")
        for lack in summary.missing:
            print(f"missing: {lack.what} (for {lack.costs})\n  {lack.where}")
        for note in summary.notes:
            say(f"note: {note}")
        for problem in summary.problems:
            say(f"not usable: {problem}")
        say(f"use it with --data {out}; compare it with the published counts: fhpt-bench data check {out}")
    if summary.problems:
        raise typer.Exit(1)


def check(
    data: Annotated[str, typer.Argument(help="Data set's name or folder.")] = "catwalk",
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Every file against the manifest; of a prepared folder also counts, keypoints, splits and pairs.

    Ends with 0: as it should be; 1: damaged; 3: whole, but not the published lists.
    """
    from fhpt_bench import data as sets
    from fhpt_bench import datasets

    folder = datasets.prepared_folder(data)
    if folder is None:
        line = sets.check(data)
        print_json({"data": data, "state": "ok", "said": line}) if as_json else print(line)
        return
    from fhpt_bench import show
    from fhpt_bench.prepare import check as inspection

    findings = inspection.check(folder, workers=workers)
    rows: list[dict[str, Any]] = [finding.__dict__ for finding in findings]
    if as_json:
        print_json(rows)
    else:
        show.print_rows(rows)
    raise typer.Exit(inspection.exit_code(findings))


def poses(data: Prepared, detector: Detector = "mediapipe", device: Device = "cpu", as_json: AsJson = False) -> None:
    """Find keypoints on photographs that no list has, in PATN's form; pairs are derived where none are published."""
    from fhpt_bench.prepare import detect

    _say(detect.poses(data, detector, device), as_json)


def faces(data: Prepared, detector: Detector = "mediapipe", device: Device = "cpu", as_json: AsJson = False) -> None:
    """Find face boxes on photographs that have none."""
    from fhpt_bench.prepare import detect

    _say(detect.faces(data, detector, device), as_json)


def _say(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found.__dict__)
        return
    print(f"{found.found} of {found.photographs} photographs: {found.table} ({found.resumed} were there already)")
    for which, count in found.derived.items():
        print(f"{count} pairs of {which}, derived by the field's rule")
