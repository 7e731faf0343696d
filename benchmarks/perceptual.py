"""``python -m benchmarks.perceptual [--pairs 600] [--memory-pairs 600 6000]``: measures, and writes
docs/performance.md.

Each contender runs in a process of its own, one after another, on the same files and weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import contenders, distance, memory, page, pictures

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Without ``--only``: everything, each part in a new process. With it: that part, printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--memory-pairs", type=int, nargs="*", default=(600, 6000), help="two numbers, or none")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument(
        "--folder", type=Path, help="keep pictures and results here, and go on where a stopped run left off"
    )
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(_part(given.only, given.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        found = _measure_all(given.folder or Path(temporary), given.pairs, given.memory_pairs)
    page.put(given.out, 0, page.write(found))
    print(given.out)


def _measure_all(folder: Path, pairs: int, memory_pairs: Sequence[int]) -> dict[str, Any]:
    """Every part; those that ``folder`` has a result of already, from a run that was stopped, are not run again."""
    data = pictures.catwalk()
    pictures.write(data, folder / "speed", pairs)
    parts: list[tuple[str, Path]] = [(name, folder / "speed") for name in contenders.CONTENDERS]
    parts.append(("distance", folder))
    pictures.write(pictures.Repeated(data, 10), folder / "memory", max(memory_pairs, default=0), ["generated"])
    parts.extend((f"memory {count}", folder / "memory") for count in memory_pairs)
    kept = folder / f"found-{pairs}.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name, where in parts:
        if name not in found:
            load = os.getloadavg()[0]
            found[name] = {"load": load, "result": _in_new_process(name, where)}
            kept.write_text(json.dumps(found, indent=1))
    results = {name: part["result"] for name, part in found.items()}
    return {
        "pairs": pairs,
        "load": [part["load"] for part in found.values()],
        "contenders": {name: results[name] for name in contenders.CONTENDERS},
        "distance": results["distance"],
        "memory": {str(count): results[f"memory {count}"] for count in memory_pairs},
    }


def _in_new_process(part: str, folder: Path) -> Any:
    print(f"{part} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.perceptual", "--only", part, "--folder", str(folder)]
    # Threads that wait must not count as work: by default they spin, and that would be processor time.
    settings = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"    {result}", file=sys.stderr, flush=True)
    return result


def _part(name: str, folder: Path) -> Any:
    if name == "distance":
        return distance.measure()
    if name.startswith("memory "):
        return memory.measure(folder, int(name.split()[1]))
    times, scores = contenders.CONTENDERS[name](folder)
    return {"times": times, "scores": scores}


if __name__ == "__main__":
    main()
