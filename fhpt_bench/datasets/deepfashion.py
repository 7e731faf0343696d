"""DeepFashion's In-shop benchmark as pose transfer uses it (Liu et al., CVPR 2016; lists of PATN and of DSC)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.datasets import home
from fhpt_bench.datasets.folder import Folder
from fhpt_bench.datasets.names import FashionName
from fhpt_bench.datasets.prepared import PreparedSet, Size
from fhpt_bench.errors import BenchError

LEFT, WIDTH = 40, 176
"""PATN crops columns 40..216 of a 256 x 256 photograph: 256 x 176."""


class DeepFashion(PreparedSet):
    """A folder of ``fhpt-bench data prepare deepfashion``.

    ``split``: ``test`` (PATN: 4,038 photographs, 8,570 pairs), ``trainval`` (48,674; 101,966), ``val`` (5 % of the
    training items that are in no test list), ``train`` (the rest). ``size``: (256, 176), (256, 256) or (512, 352).
    ``pairs``: whose lists, ``patn`` or ``dsc``. ``Photo.person`` is the item: gender, category and number together.
    ``Photo.labels``: gender (``men``, ``women``), item, outfit, category, view; attributes (joined by ``;``) and
    colours where the archive's lists were there. BenchError for a folder without what a split needs.
    """

    kind = "deepfashion"
    sizes: ClassVar[tuple[Size, ...]] = ((256, 176), (256, 256), (512, 352))

    def __init__(
        self,
        root: Path | str,
        split: str = "test",
        size: Size = (256, 176),
        pairs: Literal["patn", "dsc"] = "patn",
    ) -> None:
        self._words: dict[str, dict[str, str]] = {}
        super().__init__(root, split, size, pairs)

    def person(self, name: str) -> str:
        return _parsed(name).item

    def known_apart(self, name: str) -> str:
        """The item's number alone: a few stand in two categories."""
        return _parsed(name).number

    def labels(self, name: str) -> dict[str, str]:
        parsed = _parsed(name)
        return {
            "gender": parsed.gender.lower(), "item": parsed.item, "outfit": parsed.outfit,
            "category": parsed.category, "view": parsed.view[1:], **self._words.get(parsed.number, {}),
        }  # fmt: skip

    def points_at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.size[1] == 256:
            return points
        scale = self.size[0] // 256
        moved: NDArray[np.float32] = ((points - [LEFT, 0] + 0.5) * scale - 0.5).astype(np.float32)
        return moved

    def parsing_at(self, parsing: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cropped; at 512 x 352 each pixel four times."""
        if self.size[1] == 256:
            return parsing
        scale = self.size[0] // 256
        return np.ascontiguousarray(parsing[:, LEFT : LEFT + WIDTH].repeat(scale, axis=0).repeat(scale, axis=1))

    def read_attributes(self, folder: Folder) -> None:
        for row in folder.rows("attributes.csv"):
            number = row.pop("item").removeprefix("id_")
            self._words[number] = {label: words for label, words in row.items() if words}


def by_name(split: str = "test") -> DeepFashion:
    """DeepFashion's In-shop benchmark, as `fhpt-bench data prepare` left it in $FHPT_BENCH_DATA/deepfashion."""
    return DeepFashion(home(DeepFashion.kind), split)


@lru_cache(maxsize=1 << 17)
def _parsed(name: str) -> FashionName:
    found = FashionName.parse(name)
    if found is None:
        raise BenchError(f"{name} is no photograph of deepfashion", fix="prepare the data set again from its archives")
    return found
