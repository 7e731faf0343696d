"""Memory that was freed goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fhpt_bench.harness import memory


def anonymous() -> float:
    """MB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_holes_between_live_arrays_are_given_back() -> None:
    # Too small for a mapping of their own, every second one freed: the heap cannot shrink at its end.
    blocks = [np.ones(100_000, np.uint8) for _ in range(2000)]
    del blocks[::2]
    before = anonymous()
    memory.give_back()
    assert before - anonymous() > 50
    assert len(blocks) == 1000


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(_: object) -> None:
        raise OSError("no such library")

    monkeypatch.setattr("ctypes.CDLL", no_library)
    memory._malloc_trim.cache_clear()
    try:
        memory.give_back()
        assert memory._malloc_trim() is None
    finally:
        memory._malloc_trim.cache_clear()
