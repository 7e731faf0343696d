"""``python -m benchmarks.fine_grained [--pairs 24] [--repeats 3]``: measures the fine-grained protocols by stage, and
writes the second part of docs/performance.md.

Each stage runs in a process of its own; in it each way runs in turn, ``--repeats`` times, on the same files and
networks. The way of today's face identity needs `make extras`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import fine_grained_page, page, pictures, searches, stages

ROOT = Path(__file__).resolve().parents[1]
ROLES = ("generated", "target", "source")


def main() -> None:
    """Without ``--only``: every stage, each in a new process. With it: that stage, printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument(
        "--folder", type=Path, help="keep pictures and results here, and go on where a stopped run left off"
    )
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(_part(given.only, given.folder, given.repeats)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        found = _measure_all(given.folder or Path(temporary), given.pairs, given.repeats)
    page.put(given.out, 1, fine_grained_page.write(found))
    print(given.out)


def _measure_all(folder: Path, pairs: int, repeats: int) -> dict[str, Any]:
    """Every part; those that ``folder`` has a result of already, from a run that was stopped, are not run again."""
    folder = folder / f"{pairs}-pairs"
    pictures.write(pictures.catwalk(), folder, pairs, ROLES)
    kept = folder / "found.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name in (*stages.STAGES, "search"):
        if name not in found:
            load = os.getloadavg()[0]
            found[name] = {"load": load, "result": _in_new_process(name, folder, repeats)}
            kept.write_text(json.dumps(found, indent=1))
    results = {name: part["result"] for name, part in found.items()}
    loads = [part["load"] for part in found.values()]
    return {"pairs": pairs, "load": loads, "search": results.pop("search"), "stages": results}


def _in_new_process(part: str, folder: Path, repeats: int) -> Any:
    print(f"{part} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.fine_grained", "--only", part]
    command += ["--folder", str(folder), "--repeats", str(repeats)]
    # Threads that wait must not count as work: by default they spin, and that would be processor time.
    settings = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"    {result}", file=sys.stderr, flush=True)
    return result


def _part(name: str, folder: Path, repeats: int) -> Any:
    return searches.measure(repeats) if name == "search" else stages.run(name, folder, repeats)


if __name__ == "__main__":
    main()
