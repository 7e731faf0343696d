"""Catwalk as shipped."""

from __future__ import annotations

import pytest

from fhpt_bench.datasets.catwalk import Catwalk


@pytest.fixture(scope="session")
def catwalk() -> dict[str, Catwalk]:
    return {split: Catwalk(split) for split in ("train", "val", "test")}
