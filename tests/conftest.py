"""What all tests share: one cache for the whole session, in a temporary folder, so that each network is pulled once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``FHPT_BENCH_CACHE`` of every test that does not set its own: networks and features, never the user's.

    ``FHPT_BENCH_TEST_CACHE`` names a folder that outlives the session, for running a few tests again and again.
    """
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent  # workers share it; weights.pull locks
    cache = Path(os.environ.get("FHPT_BENCH_TEST_CACHE") or root / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FHPT_BENCH_CACHE", str(cache))
        patch.delenv("FHPT_BENCH_WEIGHTS", raising=False)
        patch.delenv("FHPT_BENCH_OFFLINE", raising=False)
        yield cache
