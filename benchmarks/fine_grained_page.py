"""What was measured of the fine-grained protocols, as the second part of docs/performance.md."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

from benchmarks.contenders import BATCH
from benchmarks.page import table_of
from benchmarks.today import UPSAMPLE

PACKAGES = ("torch", "mediapipe", "dlib-bin", "face-recognition", "faiss-cpu", "scikit-learn", "lpips")
STAGES = {
    "pose": ("keypoints", "MediaPipe's body, hands and face landmarkers"),
    "face": ("face identity", "dlib's detector, alignment and embedding"),
    "vgg": ("VGG16 and its heads", "LPIPS, gender, attributes, retrieval from one pass"),
    "resnet": ("small ResNet", "retrieval"),
}
WAYS = {
    "first": "**fhpt-bench**, first time",
    "cached": "**fhpt-bench**, truth cached",
    "bare": "the networks alone",
    "today": "as scripts do today",
}
CLOCK, PROCESSOR = 0, 1


def write(found: dict[str, Any]) -> str:
    """Markdown: every number out of ``found``, no number of its own."""
    measured = {name: stage for name, stage in found["stages"].items() if "missing" not in stage}
    missing = [f"{STAGES[name][0]}: {s['missing']}." for name, s in found["stages"].items() if "missing" in s]
    return "\n".join(
        [
            _head(found, measured),
            *missing,
            _times(measured),
            _agreement(measured),
            _search(found["search"]),
            _summaries(measured),
        ]
    )


def _head(found: dict[str, Any], measured: Mapping[str, Any]) -> str:
    images = max((stage["images"] for stage in measured.values()), key=len)
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return f"""## The fine-grained protocols, stage by stage

Written by `python -m benchmarks.fine_grained` on {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores.
{packages}.
Load average before each stage: {min(found["load"]):.1f} to {max(found["load"]):.1f}. Above the number of cores, other
work ran beside, and processor time is what to compare.

{found["pairs"]} pairs of Catwalk: {images["generated"]} generated images, {images["target"]} distinct targets and,
where sources are looked at, {images.get("source", 0)} more. The ways of a stage run in turn in one process, as often as
"runs" says: a time is the median, a ratio the median of the ratios within a turn. Code and networks are loaded before
the clock starts, for everyone; region masks, which belong to no stage, are there already.

- **fhpt-bench**: a run's own path. Files read and hashed, the cache searched and written, networks, measuring.
- "The networks alone" get every distinct image once, decoded and made ready (enlarged, cropped, in batches of
  {BATCH}), and their output is thrown away. Ours is below that where the truth is cached; by the clock also where
  it works in two threads.
- "As scripts do today" opens images from their files for every pair and keeps nothing. Keypoints: one set of
  landmarkers for all, whole images. Faces: `face_recognition` on generated, target and source of every pair, searched
  at {2**UPSAMPLE} times their size. VGG16: the `lpips` package, then torchvision's network once for each evaluator, in
  batches of {BATCH}; retrieval with every source once, and scikit-learn's neighbours.
"""


def _times(measured: Mapping[str, Any]) -> str:
    rows, notes = [], []
    for name, stage in measured.items():
        times = stage["times"]
        distinct = sum(stage["images"].values())
        looked = {
            "first": distinct,
            "cached": stage["images"]["generated"],
            "bare": distinct,
            "today": stage["today images"],
        }
        for way, title in WAYS.items():
            if not times[way]:
                continue
            seconds = [_middle(times[way], basis) for basis in (CLOCK, PROCESSOR)]
            ratios = (f"{_ratio(times, way, 'bare', basis):.2f} x" for basis in (PROCESSOR, CLOCK))
            cells = (f"{s:.2f}" for s in seconds)
            rows.append((STAGES[name][0], title, str(looked[way]), *cells, *ratios, str(len(times[way]))))
        if times["today"]:
            first, cached = (_ratio(times, "today", way, PROCESSOR) for way in ("first", "cached"))
            notes.append(
                f"- {STAGES[name][0]} ({STAGES[name][1]}): today's way takes\n"
                f"  **{first:.1f} x** our processor time, and **{cached:.1f} x** with the truth cached, as from the "
                "second model on."
            )
    head = ("stage", "way", "images", "seconds", "processor s", "of bare, processor", "of bare, clock", "runs")
    return "\n".join([table_of(head, rows), "", *notes, ""])


def _middle(times: Sequence[Sequence[float]], basis: int) -> float:
    return median(time[basis] for time in times)


def _ratio(times: Mapping[str, Sequence[Sequence[float]]], a: str, b: str, basis: int) -> float:
    return median(x[basis] / y[basis] for x, y in zip(times[a], times[b], strict=True))


def _agreement(measured: Mapping[str, Any]) -> str:
    rows: list[Sequence[str]] = []
    for name, stage in measured.items():
        found = stage["found"]
        for what, value in found["today"].items():
            rows.append((STAGES[name][0], what, f"{found['ours'][what]:.6g}", f"{value:.6g}"))
    return f"""### What both find

{table_of(("stage", "what", "fhpt-bench", "as scripts do today"), rows)}

LPIPS and the gender classifier are the same networks and must agree. Detectors need not: ours looks for hands in the
enlarged image, for the face near the pose's head, and enlarges by bicubic interpolation before it searches for faces.
"""


def _search(found: Iterable[Mapping[str, Any]]) -> str:
    ways = {"ours": "**fhpt-bench**, exact order", "bare": "FAISS alone", "today": "scikit-learn, brute force"}
    rows = []
    for line in found:
        for way, title in ways.items():
            seconds, processor = line["times"][way]
            ratio = processor / line["times"]["bare"][PROCESSOR]
            size = f"{line['queries']:,} in {line['gallery']:,}"
            rows.append((line["size"], size, title, f"{seconds:.3f}", f"{processor:.3f}", f"{ratio:.1f} x"))
    same = min(line["same"] for line in found)
    return f"""### Retrieval's search

{table_of(("size", "queries", "way", "seconds", "processor s", "of FAISS, processor"), rows)}

Random vectors of 128 numbers, the 12 nearest, index built each time. Ours puts what FAISS finds in an order that does
not depend on rounding; scikit-learn names the same neighbours in the same order for at least {same:.2%} of the queries.
"""


def _summaries(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, stage in measured.items():
        seconds, processor = stage["summaries"]["time"]
        rows.append((STAGES[name][0], f"{seconds:.2f}", f"{processor:.2f}"))
    pairs = next(iter(measured.values()))["summaries"]["pairs"]
    return f"""### Summaries

Every score with its interval, and the curves with their bands, of {pairs:,} pairs (the measured rows, over and over).

{table_of(("scores of", "seconds", "processor s"), rows)}

Not in here: the faces of the validation photographs (192 on Catwalk), on which a face's threshold is calibrated. They
are looked for once, at the price of an image above, and kept; a record counts that as `references`.
"""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
