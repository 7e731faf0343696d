"""What was measured of the fine-grained protocols, as the second part of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

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
    runs = sorted({len(stage["times"]["first"]) for stage in measured.values()})
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return f"""## The fine-grained protocols, stage by stage

Written by `python -m benchmarks.fine_grained` on {datetime.now(UTC):%Y-%m-%d}, on the same kind of machine as above;
{packages}. Load average before each stage: {min(found["load"]):.1f} to {max(found["load"]):.1f}: if that is more than
its cores, other work ran beside, the seconds are too long, and the processor's time is what to compare.

{found["pairs"]} pairs of Catwalk: {images["generated"]} generated images, {images["target"]} distinct targets, and
{images.get("source", 0)} sources that are no target. The ways of a stage run in turn in one process; a line is the
median of {" or ".join(map(str, runs))} runs (column "runs"), and a ratio the median of the ratios within a run. Code
and networks are loaded before the clock starts, for everyone; region masks, which are of no stage, are there already.

- **fhpt-bench** reads files, hashes, looks into its cache and writes it, runs networks, and measures: a run's own path.
- "The networks alone" get every distinct image once, decoded and prepared (enlarged, cropped, in batches of 8), and
  their output is thrown away. Ours may be below that where it keeps the truth, or where two threads share the clock.
- "As scripts do today": images opened from their files again for every pair, nothing kept. MediaPipe on whole images,
  one set of landmarkers for all; `face_recognition` for generated, target and source of every pair, searched at
  {2**UPSAMPLE} times their size; the `lpips` package, then torchvision's VGG16 once for each evaluator, in batches
  of 8; scikit-learn's neighbours.
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
            cells = (f"{s:.1f}" for s in seconds)
            rows.append((STAGES[name][0], title, str(looked[way]), *cells, *ratios, str(len(times[way]))))
        if times["today"]:
            notes.append(
                f"- {STAGES[name][0]} ({STAGES[name][1]}): today's way takes "
                f"**{_ratio(times, 'today', 'first', PROCESSOR):.1f} x** the processor's time of ours, and "
                f"**{_ratio(times, 'today', 'cached', PROCESSOR):.1f} x** once the truth is cached, as it is from the "
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

LPIPS and the gender classifier are the same networks. Keypoints and faces are not quite: ours enlarges images before
it looks for hands, looks for the face near the pose's head, and enlarges faces by bicubic interpolation.
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

Not in here: the first time that a face's threshold is calibrated, the faces of the validation photographs (192 on
Catwalk) are looked for, at the price of a face above; then they are kept.
"""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
