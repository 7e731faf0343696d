"""The reference generators: what the numbers of a table are read against. Always shown, marked, never ranked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Dataset, Image, Pair, Photo, Prompt


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


class Stranger:
    """Somebody else: of the split's photographs of other people, the one whose body points lie nearest to the prompt's.

    Nearest: least mean distance over the points that both poses know; of equals the first by photo id. A real picture,
    in nearly the right pose, of the wrong person in the wrong clothes: what identity, retrieval and attributes
    score where nothing of the source was kept. It reads the prompt only, but looks at the data set's other photographs.
    Bodies nearest in shape are more often of the same gender (69 % on Catwalk), so it is no coin toss there.
    """

    kind = "reference"
    card: ClassVar[dict[str, Any]] = {"about": "a photograph of another person, in the pose nearest to the target's"}

    def __init__(self, data: Dataset) -> None:
        self._photos = sorted(data.photos(), key=lambda photo: photo.id)
        self._people = np.array([photo.person for photo in self._photos])
        self._points = np.stack([photo.pose.keypoints for photo in self._photos])

    def generate(self, prompts: Sequence[Prompt]) -> list[Image]:
        """BenchError where nobody else's photograph shares a known point with a prompt's pose."""
        # Not .image, which a photograph keeps: memory would grow with the pairs.
        return [self.nearest(prompt).read() for prompt in prompts]

    def nearest(self, prompt: Prompt) -> Photo:
        """The photograph that stands in for the prompt's target."""
        away = np.linalg.norm(self._points.astype(np.float64) - prompt.pose.keypoints, axis=2)
        known = ~np.isnan(away)
        usable = known.any(axis=1) & (self._people != prompt.source.person)
        if not usable.any():
            raise BenchError(
                "no photograph of another person has a body point in common with the pose",
                where=prompt.pair_id,
                fix="stranger needs a split with two people or more, with body points",
            )
        means = np.where(known, away, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return self._photos[int(np.argmin(np.where(usable, means, np.inf)))]
