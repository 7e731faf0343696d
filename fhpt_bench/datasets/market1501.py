"""Market-1501 as pose transfer uses it (Zheng et al., ICCV 2015; lists of DSC and PATN)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from fhpt_bench.datasets import home
from fhpt_bench.datasets.names import MarketName
from fhpt_bench.datasets.prepared import PreparedSet, Size
from fhpt_bench.errors import BenchError


class Market1501(PreparedSet):
    """A folder of ``fhpt-bench data prepare market1501``; 128 x 64.

    ``split``: ``test`` (19,732 photographs with distractors, 12,000 pairs), ``trainval`` (12,936; 263,632), ``val``
    (5 % of the training ids), ``train`` (the rest). ``Photo.person`` is the id, ``Photo.labels``: item and outfit (both
    the id) and camera.
    """

    kind = "market1501"
    sizes: ClassVar[tuple[Size, ...]] = ((128, 64),)

    def __init__(self, root: Path | str, split: str = "test", size: Size = (128, 64), pairs: str = "patn") -> None:
        super().__init__(root, split, size, pairs)

    def person(self, name: str) -> str:
        return _parsed(name).person

    def labels(self, name: str) -> dict[str, str]:
        parsed = _parsed(name)
        return {"item": parsed.person, "outfit": parsed.person, "camera": parsed.camera}


def by_name(split: str = "test") -> Market1501:
    """Market-1501, as `fhpt-bench data prepare` left it in $FHPT_BENCH_DATA/market1501."""
    return Market1501(home(Market1501.kind), split)


@lru_cache(maxsize=1 << 17)
def _parsed(name: str) -> MarketName:
    found = MarketName.parse(name)
    if found is None:
        raise BenchError(f"{name} is no photograph of market1501", fix="prepare the data set again from its archives")
    return found
