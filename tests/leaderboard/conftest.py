"""A board as people will see it."""

from __future__ import annotations

import pytest
from made_up_rows import example, make_gallery

from fhpt_bench.leaderboard import Gallery
from fhpt_bench.record import Record


@pytest.fixture(scope="session")
def records() -> list[Record]:
    return example()


@pytest.fixture(scope="session")
def galleries(records: list[Record]) -> dict[int, Gallery]:
    """Of drn (0), drn-no-texture (2) and truth (3), whose images are the truth itself."""
    return {index: make_gallery(records[index], seed) for index, seed in ((0, 1), (2, 2), (3, 0))}
