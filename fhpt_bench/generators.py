"""The reference generators: what the numbers of a table are read against. Always shown, marked, never ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Dataset, Image, Pair, Prompt


class CopySource:
    """The source photograph, unchanged: a real image of the right distribution, in the wrong pose."""

    kind = "reference"
    card: ClassVar[dict[str, Any]] = {"about": "the source photograph, unchanged"}

    def generate(self, prompts: Sequence[Prompt]) -> list[Image]:
        return [prompt.source.image for prompt in prompts]


class Blank:
    """White everywhere: what a score pays for background alone."""

    kind = "reference"
    card: ClassVar[dict[str, Any]] = {"about": "white everywhere"}

    def generate(self, prompts: Sequence[Prompt]) -> list[Image]:
        return [np.full_like(prompt.source.image, 255) for prompt in prompts]


class Truth:
    """The true target: the ceiling."""

    kind = "oracle"
    oracle: Literal[True] = True
    card: ClassVar[dict[str, Any]] = {"about": "the true target photograph"}

    def generate(self, pairs: Sequence[Pair]) -> list[Image]:
        return [pair.target.image for pair in pairs]


class ExactWarp:
    """The source's own pixels, moved by the exact flow; person pixels that the source does not show take the
    nearest visible pixel.

    What a perfect warping method without any invention would reach. Needs a data set that knows its flow (Catwalk).
    """

    kind = "oracle"
    oracle: Literal[True] = True
    card: ClassVar[dict[str, Any]] = {
        "about": "the source warped by the data set's exact flow; holes from the nearest visible pixel"
    }

    def __init__(self, data: Dataset) -> None:
        warp = getattr(data, "exact_warp", None)
        if warp is None:
            raise BenchError(
                f"exact-warp needs a data set with exact flow; {data.name!r} has none", fix="use --data catwalk"
            )
        self._warp = warp

    def generate(self, pairs: Sequence[Pair]) -> list[Image]:
        return [self._warp(pair) for pair in pairs]
