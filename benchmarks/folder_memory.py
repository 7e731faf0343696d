"""Memory while scoring a folder that somebody else's code wrote: 1,000 and 10,000 pairs, every image decoded.

``python -m benchmarks.folder_memory [PAIRS ...]`` prints a table. Images are 128 x 88 PNGs under GFLA's names, the
protocol is SSIM and PSNR: what the networks take does not grow (``benchmarks/memory.py``), what matching, reading and
rows take is looked at here. Each number of pairs is scored by a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice, permutations
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from benchmarks import pictures
from benchmarks.memory import _watched
from fhpt_bench.types import Image, Mask, Pair, Photo

PROTOCOL = """
name = "pixels"
title = "SSIM and PSNR"
frozen = false
data = "catwalk"
size = [128, 88]
headline = ["ssim", "psnr"]
[[metrics]]
use = "ssim"
name = "ssim"
regions = false
[[metrics]]
use = "psnr"
name = "psnr"
regions = false
"""


class Many:
    """Ordered pairs of Catwalk's test photographs at half their size, whoever they show."""

    name, split, size, synthetic = "catwalk-any", "test", (128, 88), True

    def __init__(self, pairs: int) -> None:
        data = pictures.catwalk()
        known = {photo.id: photo for photo in data.photos()}
        self._read = {name: partial(_half, photo.read) for name, photo in known.items()}
        self._people = {name: photo.person for name, photo in known.items()}
        self._pose = next(iter(known.values())).pose
        self._pairs = list(islice(permutations(known, 2), pairs))
        self.sha256 = hashlib.sha256(f"{data.sha256} {pairs}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        source, target = self._pairs[index]
        return Pair(f"{source}_2_{target}", self._photo(source), self._photo(target))

    def photos(self) -> Sequence[Photo]:
        return [self._photo(name) for name in self._read]

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        return {}

    def _photo(self, name: str) -> Photo:
        return Photo(name, self._pose, self._people[name], self._read[name])


def _half(read: Callable[[], Image]) -> Image:
    return np.ascontiguousarray(read()[::2, ::2])


def write(folder: Path, pairs: int) -> None:
    """The folder of images, no two alike, and the protocol."""
    data = Many(pairs)
    (folder / "images").mkdir()
    for number in range(pairs):
        pair = data[number]
        image = pair.target.image.copy()
        image[50:75, 25:50] = np.random.default_rng(number).integers(0, 256, (25, 25, 3), dtype=np.uint8)
        PILImage.fromarray(image).save(folder / "images" / f"{pair.source.id}_2_{pair.target.id}_vis.png")
    (folder / "pixels.toml").write_text(PROTOCOL)


def measure(folder: Path, pairs: int) -> dict[str, float]:
    """Peak resident memory of this process, and peak anonymous memory over what it held before, in MB; seconds."""
    from fhpt_bench import score

    data = Many(pairs)
    with tempfile.TemporaryDirectory() as out, _watched() as watch:
        start = time.monotonic()
        record = score(folder / "images", protocol=folder / "pixels.toml", data=data, out=out, device="cpu", show=False)
    assert record.data.pairs == pairs
    return {
        "pairs": pairs,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "more": (max(watch.peaks.values()) - watch.before) / 1e6,
        "seconds": time.monotonic() - start,
    }


def main(counts: Sequence[int]) -> None:
    print("| pairs | peak resident, MB | anonymous, over before, MB | seconds |\n| ---: | ---: | ---: | ---: |")
    for pairs in counts:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), pairs)
            command = [sys.executable, "-m", "benchmarks.folder_memory", "--measure", folder, str(pairs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"| {pairs:,} | {found['resident']:.0f} | {found['more']:.0f} | {found['seconds']:.0f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main([int(count) for count in sys.argv[1:]] or [1_000, 10_000])
