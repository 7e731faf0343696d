"""Images that are there already, to their record: find them, say what was found, measure."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fhpt_bench.errors import BenchError
from fhpt_bench.folders.matching import Found, find
from fhpt_bench.folders.pairs_csv import LAYOUT as PAIRS
from fhpt_bench.folders.pairs_csv import PairsCSV
from fhpt_bench.harness import models
from fhpt_bench.harness.execute import execute
from fhpt_bench.harness.job import Job, run_folder_of
from fhpt_bench.record import Record


def score_folder(
    job: Job,
    folder: Path,
    *,
    name: str | None = None,
    out: str | Path | None = None,
    layout: str = "auto",
    allow_missing: bool = False,
) -> Record:
    """Measure the images of a folder or zip, or those that ``job.data`` (a ``PairsCSV``) names itself.

    What was found is said on stderr and kept in the record's card. Raises CoverageError, before anything is written,
    where the coverage is not whole; see ``Coverage.check``.
    """
    with closing(locate(job, folder, layout, allow_missing=allow_missing)) as found:
        job, model = chosen(job, found, name)
        return execute(job, model, run_folder_of(out, job, model.card.name), found.read)


def locate(job: Job, folder: Path, layout: str, *, allow_missing: bool) -> Found:
    """The images for ``job``'s pairs; what they cover is said on stderr."""
    if isinstance(job.data, PairsCSV):
        found = job.data.generated(job.indices, allow_missing=allow_missing)
    else:
        found = find(folder, job.data, job.indices, layout=layout, allow_missing=allow_missing)
    if found.layout.name not in ("ours", PAIRS) or found.coverage.problems() or found.coverage.lossy:
        print(f"{folder}: {found.coverage.line()}", file=sys.stderr)
    return found


def chosen(job: Job, found: Found, name: str | None) -> tuple[Job, models.Model]:
    """The job without the pairs that have no image, and the model as the record will name it."""
    indices = [i for i in job.indices if job.data[i].id in found.entries]
    if not indices:
        raise BenchError("no pair has an image", where=found.path, fix="make the images")
    card = models.folder_card(found.path)
    said = "" if found.layout.name == "ours" else f", layout {found.layout.name}"
    said += ", saved with loss (JPEG)" if found.coverage.lossy else ""
    card = card.model_copy(
        update={"name": name or card.name, "source": card.source + said, "card": {"images": found.coverage.as_card()}}
    )
    return (
        replace(job, indices=indices, missing=len(job.indices) - len(indices)),
        models.Model(card=card, folder=found.path, layout=found.layout.name),
    )
