"""Anonymous memory (what cannot be given back to a file) while scoring 600 and 6,000 pairs.

Every metric, every row, every interval is real and every image is decoded. Only the two convolution networks are
replaced, by cheap functions that give arrays of the same shapes: what a network takes does not depend on how many
images went before, and 6,000 pairs take minutes instead of half an hour.
"""

from __future__ import annotations

import tempfile
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import pictures
from benchmarks.contenders import PROTOCOL, empty_feature_cache

LEFT_OUT = ("lpips[vgg]",)
"""A second LPIPS with larger taps would only take longer."""


def measure(folder: Path, pairs: int) -> dict[str, float]:
    """Peak anonymous memory in MB over what the process held before: while measuring, and while summarising."""
    from fhpt_bench import features, score
    from fhpt_bench.harness import execute

    features.build = StandIn  # type: ignore[assignment]
    data = pictures.Repeated(pictures.catwalk(), 10)
    protocol = folder / "memory.toml"
    protocol.write_text(_without(LEFT_OUT))
    with empty_feature_cache(), tempfile.TemporaryDirectory() as out, _watched() as watch:
        summarise = execute.summarise

        def marked(*arguments: Any) -> Any:
            watch.stage = "summarising"
            return summarise(*arguments)

        execute.summarise = marked  # type: ignore[assignment]
        score(folder / "generated", protocol=protocol, data=data, limit=pairs, out=out, device="cpu", show=False)
    return {stage: (peak - watch.before) / 1e6 for stage, peak in watch.peaks.items()}


class StandIn:
    """Arrays of a network's shapes, made of the image itself at next to no cost."""

    def __init__(self, name: str, device: str, data: str = "") -> None:
        self.name, self.key = name, f"stand-in {name}"
        self.small = name.startswith("inception")
        mixing = np.random.default_rng(0).normal(size=(32 * 22 * 3, 2048))
        self._mixing = (mixing / np.sqrt(len(mixing))).astype(np.float32)

    def extract(self, images: NDArray[np.uint8]) -> Any:
        """2048 numbers an image, or AlexNet's five taps."""
        import torch
        import torch.nn.functional as F

        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        if self.small:
            small: NDArray[np.float32] = F.adaptive_avg_pool2d(x, (32, 22)).reshape(len(x), -1).numpy() @ self._mixing
            return small
        shapes = ((64, 63, 43), (192, 31, 21), (384, 15, 10), (256, 15, 10), (256, 15, 10))
        return [F.adaptive_avg_pool2d(x, s[1:]).repeat(1, s[0] // 3 + 1, 1, 1)[:, : s[0]] for s in shapes]


def _without(names: tuple[str, ...]) -> str:
    text = PROTOCOL.read_text()
    head, *tables = text.split("[[metrics]]\n")
    kept = [table for table in tables if tomllib.loads(table)["name"] not in names]
    return "[[metrics]]\n".join([head, *kept])


class _Watch:
    """The most anonymous memory seen in each stage."""

    def __init__(self) -> None:
        self.before, self.stage = _anonymous(), "measuring"
        self.peaks = {"measuring": 0.0, "summarising": 0.0}
        self.stop = threading.Event()

    def run(self) -> None:
        """Looks every 10 ms until told to stop."""
        while not self.stop.wait(0.01):
            stage = self.stage
            self.peaks[stage] = max(self.peaks[stage], _anonymous())


@contextmanager
def _watched() -> Iterator[_Watch]:
    watch = _Watch()
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop.set()
        thread.join()


def _anonymous() -> float:
    """Bytes; Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not report RssAnon")
