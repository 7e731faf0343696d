"""The `data` commands: list, check, pairs, export, render."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from fhpt_bench import datasets, registry
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.folder import check_id
from fhpt_bench.images import write_png
from fhpt_bench.paths import atomic
from fhpt_bench.progress import progress
from fhpt_bench.types import Dataset, Photo

_COLUMNS = ("data", "split", "state", "why", "pairs", "photos", "size", "synthetic", "sha256")


def rows() -> list[dict[str, Any]]:
    """One line a split of every data set known by name; ``why``: where it is not here."""
    found: list[dict[str, Any]] = []
    for name in registry.names("datasets"):
        make = registry.find("datasets", name)
        for split in getattr(make, "splits", ("test",)):
            try:
                data: Dataset = make(split)
            except BenchError as error:
                absent = {"data": name, "split": split, "state": "not here", "why": error.what}
                found.append(dict.fromkeys(_COLUMNS) | absent)
                continue
            found.append(
                {
                    "data": name,
                    "split": split,
                    "state": "here",
                    "why": "",
                    "pairs": len(data),
                    "photos": len(data.photos()),
                    "size": f"{data.size[0]}x{data.size[1]}",
                    "synthetic": data.synthetic,
                    "sha256": data.sha256,
                }
            )
    return found


def check(name: str) -> str:
    """Hash every file of a data set; BenchError that names the first wrong one."""
    data = datasets.load(name, "test")
    whole = getattr(data, "check", None)
    if whole is None:
        raise BenchError(f"{name!r} cannot check itself", fix="fhpt-bench data list shows its hash")
    whole()
    return f"{data.name}: every file as its manifest says, sha256 {data.sha256}"


def pairs(name: str, split: str, limit: int | None = None) -> list[dict[str, str]]:
    """id, source, target, person of each pair, in order."""
    data = datasets.load(name, split)
    count = len(data) if limit is None else min(limit, len(data))
    return [
        {"id": p.id, "source": p.source.id, "target": p.target.id, "person": p.target.person}
        for p in (data[i] for i in range(count))
    ]


def export(name: str, split: str, out: Path, limit: int | None = None) -> str:
    """Write what a model that lives elsewhere needs: ``images/<photo>.png``, ``pairs.csv`` and ``annotation.csv``.

    ``annotation.csv`` is in PATN's form (``name:keypoints_y:keypoints_x``, y first, -1 = outside or unknown). The
    targets are there for
    training and scoring elsewhere; at test a model may see only the source and the target's keypoints.
    """
    data = datasets.load(name, split)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError("the folder to export into is not empty", where=out, fix="choose another --out")
    chosen = [data[i] for i in range(len(data) if limit is None else min(limit, len(data)))]
    photos: dict[str, Photo] = {p.id: p for pair in chosen for p in (pair.source, pair.target)}
    with progress("export", len(photos), unit="images") as advance:
        for photo in photos.values():
            write_png(out / "images" / f"{check_id(photo.id)}.png", photo.read())
            advance(1)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "from", "to"])
    table.writerows([pair.id, pair.source.id, pair.target.id] for pair in chosen)
    with atomic(out / "pairs.csv", "w") as file:
        file.write(text.getvalue())
    with atomic(out / "annotation.csv", "w") as file:
        file.write("name:keypoints_y:keypoints_x\n" + "".join(_annotation(photo) for photo in photos.values()))
    return f"{len(photos)} images and {len(chosen)} pairs in {out}"


def _annotation(photo: Photo) -> str:
    seen = (photo.pose.visible > 0) & np.isfinite(photo.pose.keypoints).all(axis=1)
    x, y = (
        np.where(seen, np.nan_to_num(photo.pose.keypoints[:, axis]).round(), -1).astype(int).tolist() for axis in (0, 1)
    )
    return f"{photo.id}.png:{json.dumps(y)}:{json.dumps(x)}\n"


def render(name: str, *, people: int, seed: int, assets: Path, out: Path, workers: int) -> str:
    """Render a new data set of ``people`` people; the same seed gives the same bytes, whatever ``workers`` is."""
    if name != "catwalk":
        raise BenchError(f"{name!r} cannot be rendered", fix="only catwalk can: fhpt-bench data render catwalk")
    try:
        from fhpt_bench.catwalk_render import render as start
    except ModuleNotFoundError as error:
        raise BenchError(
            f"rendering needs the package {error.name!r}", fix="pip install 'fhpt-bench[catwalk]'"
        ) from None
    start(people=people, seed=seed, assets=assets, out=out, workers=workers)
    return f"{people} people in {out}; use it with --data {out}"
