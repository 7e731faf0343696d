"""What was measured of training, as the third part of docs/performance.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.page import met_or_not, table_of

CLOCK, PROCESSOR = 0, 1
AIM = 0.9


def write(found: Sequence[Mapping[str, Any]], steps: int, repeats: int) -> str:
    """Markdown: every number out of ``found``, no number of its own."""
    loads = [part["load"] for part in found]
    machine = f"{os.cpu_count()} cores, torch {version('torch')}"
    head = f"""## Training

Written by `python -m benchmarks.training` on {datetime.now(UTC):%Y-%m-%d}; {machine}.
Load average before each part: {min(loads):.1f} to {max(loads):.1f}. Above the number of cores, other
work ran beside, and processor time is what to compare.

The loop is `fhpt_bench.train` with data, mirroring, clipping and logging, two threads preparing batches; *bare* is the
same network's forward, backward and optimiser step on one batch in memory. Config `small`, the first phase of each
stage, bfloat16, channels last; medians of {steps * repeats} steps, taken by turns in one process.
"""
    return "\n".join([head, _ratios(found), _formats(found)])


def _ratios(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [_ratio(part) for part in found]
    heads = (
        "baseline", "stage", "samples/s", "samples/s, bare", "processor ms a sample", "bare", "data alone",
        "ratio by the clock", "ratio in processor time",
    )  # fmt: skip
    below = [f"{row[0]} ({row[1].partition(':')[0]})" for row in rows if float(row[-1]) < AIM]
    verdict = f"Aim: at least {AIM} of the bare speed in processor time: {met_or_not(not below)}"
    return f"{table_of(heads, rows)}\n\n{verdict}{' by ' + ', '.join(below) if below else ''}.\n"


def _ratio(part: Mapping[str, Any]) -> tuple[str, ...]:
    loop, bare, data, batch = part["loop"], part["bare"][0]["time"], part["data"], part["batch"]
    reads = f"; reads {', '.join(part['reads'])}" if part["reads"] else ""
    ms = [f"{1000 * time[PROCESSOR] / batch:.1f}" for time in (loop, bare, data)]
    speeds = [f"{batch / time[CLOCK]:.1f}" for time in (loop, bare)]
    ratios = [f"{bare[basis] / loop[basis]:.2f}" for basis in (CLOCK, PROCESSOR)]
    return (part["baseline"], f"{part['stage']}: {part['kind']}, scale {part['scale']:g}{reads}", *speeds, *ms, *ratios)


def _formats(found: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for part in found:
        if len(part["bare"]) > 1:
            first = part["bare"][0]["time"]
            for bare in part["bare"]:
                layout = "channels last" if bare["channels last"] else "channels first"
                times = [f"{1000 * seconds / part['batch']:.0f}" for seconds in bare["time"]]
                share = f"{bare['time'][PROCESSOR] / first[PROCESSOR]:.2f} x"
                rows.append((f"{part['baseline']} ({part['stage']})", bare["precision"], layout, *times, share))
    if not rows:
        return ""
    heads = ("network", "precision", "layout", "ms a sample", "processor ms a sample", "of the first")
    return f"### Number formats\n\nBare steps.\n\n{table_of(heads, rows)}\n"
