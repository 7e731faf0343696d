"""From what the user downloaded to one checked layout (``fhpt_bench.datasets.folder``). Nothing is downloaded.

    prepare("deepfashion", Path("In-shop Clothes Retrieval Benchmark"), Path("data/deepfashion"))

Photographs are found by their names, in whatever folders or zips; lists by theirs. What is missing is said, with where
its makers license it; nothing is made up in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import kinds, pictures, tables
from fhpt_bench.prepare.gather import Gathered, gather
from fhpt_bench.prepare.kinds import Kind
from fhpt_bench.prepare.owner import owned
from fhpt_bench.prepare.source import Entry, opened
from fhpt_bench.prepare.work import JOURNAL, Done, Task, make_all

_PICTURES = (".jpg", ".jpeg", ".png")
_PARSING = ("pars", "cihp")


@dataclass(frozen=True)
class Missing:
    """Something that the source does not have."""

    what: str
    costs: str
    """What cannot be done without it."""
    where: str
    """Who licenses it, or which command makes it."""


@dataclass(frozen=True)
class Summary:
    """What preparing did."""

    kind: str
    folder: str
    photographs: int
    resumed: int
    """How many of them stood there already."""
    sizes: dict[str, int]
    made_from: dict[str, int]
    counts: dict[str, int]
    derived: tuple[str, ...]
    """Pair lists made by the field's rule, since none was there."""
    missing: tuple[Missing, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    """Files that could not be used, by name."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def prepare(
    kind: str,
    source: Path,
    out: Path,
    *,
    sizes: Sequence[str] = (),
    workers: int = 2,
    show: bool | None = None,
) -> Summary:
    """Prepare ``deepfashion`` or ``market1501`` from ``source`` (a folder or a zip) into ``out``.

    ``sizes``: which of the kind's (default: all that the source can give). Run again, it goes on where it stopped, and
    takes in what was added to the source. BenchError for a source without a photograph, an unsafe zip, a damaged list,
    and a folder that holds something else. Damaged images are no error: they are listed, and their split lacks them.
    """
    about = kinds.find(kind)
    wanted = pictures.labels(sizes, about.sizes)
    with opened(Path(source)) as entries, owned(Path(out), about.name):
        found = gather(about, entries)
        tasks = _tasks(about, entries)
        if not tasks:
            fix = f"it is licensed by {about.images_from}"
            raise BenchError(f"no photograph of {kind} is in the source", where=source, fix=fix)
        known = tables.detected_points(Path(out)) | found.points
        for which in ("patn-train", "patn-test"):
            tables.derive_pairs(about, found, known, which)
        if about.sampled and "patn-test" in found.derived:
            found.notes.append(about.sampled)
        done, resumed = make_all(about, tasks, Path(out), wanted, workers, show)
        summary = _summary(about, out, found, done, resumed, wanted)
        tables.write(Path(out), about, found, done, {"counts": summary.counts, "made_from": summary.made_from})
    return summary


def _tasks(kind: Kind, entries: Sequence[Entry]) -> list[Task]:
    photos: dict[str, list[Entry]] = {}
    parsings: dict[str, Entry] = {}
    for entry in entries:
        if not entry.name.lower().endswith(_PICTURES) or kind.ignored.search(entry.name):
            continue
        stem = kind.stem(entry.name)
        if stem is None:
            continue
        if any(word in folder.lower() for folder in entry.name.split("/")[:-1] for word in _PARSING):
            parsings.setdefault(stem, entry)
        else:
            photos.setdefault(stem, []).append(entry)
    return [Task(stem, tuple(files), parsings.get(stem)) for stem, files in sorted(photos.items())]


def _summary(
    kind: Kind, out: Path, found: Gathered, done: Mapping[str, Done], resumed: int, sizes: Sequence[str]
) -> Summary:
    have = {size: {name for name, one in done.items() if size in one.pixels} for size in sizes}
    problems = tuple(problem for name in sorted(done) for problem in done[name].problems)
    return Summary(
        kind=kind.name,
        folder=str(out),
        photographs=len(done),
        resumed=resumed,
        sizes={size: len(names) for size, names in have.items()},
        made_from=dict(sorted(Counter(one.made_from for one in done.values() if one.made_from).items())),
        counts=_counts(found, done),
        derived=tuple(sorted(found.derived)),
        missing=tuple(_missing(kind, out, found, done, have)),
        notes=tuple(found.notes),
        problems=problems,
    )


def _counts(found: Gathered, done: Mapping[str, Done]) -> dict[str, int]:
    counts = {f"{which} photographs": len(names) for which, names in found.names.items()}
    counts |= {f"{which} pairs": len(pairs) for which, pairs in found.pairs.items()}
    counts |= {
        "keypoints": sum(name in found.points for name in done),
        "parsings": sum(bool(one.parsing) for one in done.values()),
        "face boxes": max(0, len(found.faces.splitlines()) - 1),
        "items with attributes": len(found.words),
    }
    return dict(sorted(counts.items()))


def _missing(
    kind: Kind, out: Path, found: Gathered, done: Mapping[str, Done], have: Mapping[str, set[str]]
) -> list[Missing]:
    """What the source lacks, most important first."""
    lacks = []
    for size, names in have.items():
        listed = {name for which in found.names.values() for name in which}
        without = len((listed or set(done)) - names)
        if without:
            lacks.append(Missing(f"{without} photographs at {size}", f"splits at {size}", kind.images_from))
    for split in ("train", "test"):
        if f"patn-{split}" not in found.names:
            lacks.append(Missing(f"the list of PATN's {split} photographs", f"the split {split}", kind.lists_from))
        elif f"patn-{split}" not in found.pairs:
            costs = f"the split {split}: pairs can be derived once there are keypoints"
            lacks.append(Missing(f"PATN's {split} pairs", costs, kind.lists_from))
    if kind.name == "deepfashion" and "dsc-test" not in found.pairs:
        lacks.append(Missing("DSC's pairs", "protocols on DSC's split", kind.lists_from))
    if without := sum(name not in found.points for name in done):
        where = f"{kind.lists_from}; or fhpt-bench data poses {out}"
        lacks.append(Missing(f"keypoints of {without} photographs", "their pairs, and pose scores", where))
    if not any(one.parsing for one in done.values()):
        where = "made with a CIHP parser (Gong et al., ECCV 2018); put index PNGs into SRC/parsing/<photo>.png"
        lacks.append(Missing("parsing", "scores by region", where))
    if not found.faces:
        lacks.append(Missing("face boxes", "the face module, face coverage", f"fhpt-bench data faces {out}"))
    if kind.name == "deepfashion" and not found.words:
        lacks.append(Missing("attributes and colours", "the attribute evaluator", f"{kind.images_from}: Anno/"))
    return lacks


__all__ = ["JOURNAL", "Missing", "Summary", "prepare"]
