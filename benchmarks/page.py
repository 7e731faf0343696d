"""What was measured, as docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "lpips", "torch-fidelity", "torchmetrics")
BASES = ("by the clock", "in processor time, as the machine was busy")
TOOLS = {
    "scikit-image": ("scikit-image in a loop", "SSIM, PSNR"),
    "torchmetrics": ("torchmetrics in a loop", "MS-SSIM"),
    "lpips alex": ("`lpips`, a pair at a time", "LPIPS (AlexNet)"),
    "lpips vgg": ("`lpips`, a pair at a time", "LPIPS (VGG16)"),
    "torch-fidelity": ("torch-fidelity", "FID, KID"),
}


MARKS = tuple(f"<!-- below: python -m benchmarks.{program} -->\n" for program in ("fine_grained", "training"))
"""Between the parts of the page, which several programs write."""


def put(page: Path, part: int, text: str) -> None:
    """Write part 0 (perceptual), 1 (fine-grained) or 2 (training) of the page, and leave the others as they are."""
    rest = page.read_text(encoding="utf-8") if page.exists() else ""
    parts = []
    for mark in MARKS:
        before, _, rest = rest.partition(mark)
        parts.append(before.strip())
    parts.append(rest.strip())
    parts[part] = text.strip()
    lines = [parts[0], *(f"{mark}\n{below}" for mark, below in zip(MARKS, parts[1:], strict=True))]
    page.write_text("\n\n".join(lines).rstrip() + "\n", encoding="utf-8")


def write(found: dict[str, Any]) -> str:
    """Markdown: every number out of ``found``, no number of its own."""
    basis = 0 if max(found["load"]) <= (os.cpu_count() or 1) + 0.5 else 1
    speed, distance = _speed(found, basis), _distance(found["distance"], basis)
    return "\n".join([_head(found), speed, _agreement(found), distance, _memory(found)])


def _head(found: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    loads = found["load"]
    python, cores = platform.python_version(), os.cpu_count()
    return f"""# Performance

Written by `python -m benchmarks.perceptual` on {datetime.now(UTC):%Y-%m-%d}; run it again rather than trust it.
It needs the packages of `fhpt-bench[test]` and pulls the networks on first use.

Machine: {processor()}, {cores} cores, no accelerator; Python {python}, {packages}.
Load average before each part: {min(loads):.1f} to {max(loads):.1f}. On a quiet machine it is what the part before left,
at most about {cores}; more means that other work ran beside: then the seconds are too long, and processor time, which
feels it less, is what to compare.
"""


def _speed(found: dict[str, Any], basis: int) -> str:
    pairs = int(found["pairs"])
    times = {name: result["times"] for name, result in found["contenders"].items()}
    total = {name: _sum(parts.values()) for name, parts in times.items()}
    distinct = int(found["contenders"]["bare"]["scores"]["distinct images"])
    tools = _sum(total[name] for name in TOOLS)
    rows = [
        ("**fhpt-bench**", "all of these, by region, with intervals", *_cells(total["ours"], pairs)),
        *((tool, what, *_cells(total[name], pairs)) for name, (tool, what) in TOOLS.items()),
        ("**today's tools**", "together, no regions, no intervals", *_cells(tools, pairs)),
        *_networks("the networks alone", "their libraries' modules", times["bare"], pairs),
        *_networks("the networks alone", "our form of them", times["own networks"], pairs),
    ]
    ratio, own, gain = (
        divided[basis]
        for divided in (
            _over(total["ours"], total["bare"]),
            _over(total["ours"], total["own networks"]),
            _over(tools, total["ours"]),
        )
    )
    return f"""## Scoring {pairs} pairs

{pairs} pairs of Catwalk, 256x176, on the CPU; no feature cached before; code and weights loaded before the clock
starts, for everyone. Each tool reads the files itself; "the networks alone" get the {distinct} distinct images decoded.
Processor time is that of all threads (`OMP_WAIT_POLICY=passive`: waiting is not counted); ours includes loading the
networks, and {times["ours"]["summarise"][0]:.1f} s of summaries (intervals of every score).

{table_of(("", "what", "seconds", "ms a pair", "processor s", "processor ms a pair"), rows)}

Compared {BASES[basis]}:

- fhpt-bench takes **{ratio:.2f} x** the bare forward passes of the libraries' modules (aim: at most 1.3 x:
  {met_or_not(ratio <= 1.3)}), and {own:.2f} x those of its own form of the networks (channels last, folded).
- Today's tools together take **{gain:.1f} x** as long as fhpt-bench.
"""


def _networks(title: str, form: str, times: dict[str, list[float]], pairs: int) -> Iterable[tuple[str, ...]]:
    for name, time in times.items():
        yield f"*{name} alone*", form, *_cells(time, pairs)
    yield f"*{title}*", form, *_cells(_sum(times.values()), pairs)


def _sum(times: Iterable[Sequence[float]]) -> list[float]:
    """Clock and processor seconds, each added up."""
    return [sum(part) for part in zip(*times, strict=True)]


def _over(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x / y for x, y in zip(a, b, strict=True)]


def _cells(time: Sequence[float], pairs: int) -> tuple[str, ...]:
    return tuple(cell for seconds in time for cell in (f"{seconds:.1f}", f"{seconds / pairs * 1000:.1f}"))


def _agreement(found: dict[str, Any]) -> str:
    ours, rows = found["contenders"]["ours"]["scores"], []
    for name in TOOLS:
        for score, value in found["contenders"][name]["scores"].items():
            rows.append(
                (score, TOOLS[name][0], f"{ours[score]:.6f}", f"{value:.6f}", f"{abs(ours[score] - value):.1e}")
            )
    return f"""## The same numbers

{table_of(("score", "tool", "fhpt-bench", "tool", "difference"), rows)}

torch-fidelity feeds Inception through TensorFlow 1's resize, as our `fid` does here (`extractor` in
[perceptual.toml](../benchmarks/perceptual.toml)); its KID is a mean over random subsets, ours the full U-statistic.
MS-SSIM differs by torchmetrics' rounding in float32; in float64 the two agree to 1e-6 (tests/metrics/test_ms_ssim.py).
"""


def _distance(found: Sequence[dict[str, Any]], basis: int) -> str:
    names = {"ours": "ours", "eigvals": "`numpy.linalg.eigvals` of the product", "sqrtm": "`scipy.linalg.sqrtm`"}
    rows, aims = [], []
    for given in dict.fromkeys(line["given"] for line in found):
        ways = {line["way"]: line for line in found if line["given"] == given}
        times = {way: line["time"][basis] / ways["ours"]["time"][basis] for way, line in ways.items()}
        for way, line in ways.items():
            seconds = (f"{time:.2f}" for time in line["time"])
            rows.append((given, names[way], *seconds, f"{times[way]:.1f} x", f"{line['value']:.6f}"))
        aims.append(
            f"- {given}: {times['sqrtm']:.1f} x as fast as `sqrtm` (aim 8 x: {met_or_not(times['sqrtm'] >= 8)}), "
            f"{times['eigvals']:.1f} x as fast as `eigvals` (aim 2 x: {met_or_not(times['eigvals'] >= 2)})."
        )
    table = table_of(("given", "way", "seconds", "processor s", "of ours", "value"), rows)
    head = ["## The Frechet distance alone", "", f"2,048 dimensions; compared {BASES[basis]}."]
    return "\n".join([*head, "", table, "", *aims, ""])


def _memory(found: dict[str, Any]) -> str:
    if len(found["memory"]) < 2:
        return "## Memory\n\nNot measured in this run.\n"
    (few, first), (many, last) = sorted(((int(n), m) for n, m in found["memory"].items()))
    growth = max(last.values()) - max(first.values())
    stages = ("measuring", "summarising")
    rows = [(f"{n:,}", *(f"{peaks[stage]:.0f}" for stage in stages)) for n, peaks in ((few, first), (many, last))]
    return f"""## Memory

Peak anonymous memory of the process while it scores, over what it held before, in MB. All metrics but one LPIPS; the
networks are replaced by stand-ins of the same output shapes (`benchmarks/memory.py` says why). With the real ones the
stage of measuring takes more, at any number of pairs. Summarising takes more from 2,048 pairs on, where FID goes over
to 2048 x 2048 covariances, and no more after that.

{table_of(("pairs", "measuring", "summarising"), rows)}

From {few:,} to {many:,} pairs the peak grows by **{growth:.0f} MB** (aim: at most 100 MB: {met_or_not(growth <= 100)}).
"""


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def met_or_not(met: bool) -> str:
    return "met" if met else "**not met**"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
