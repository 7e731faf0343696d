"""Which pairs of a model are worth looking at, and their pictures as small data URIs, each stored once."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image as Pillow

from fhpt_bench.figures import draw_pose
from fhpt_bench.types import Image, Pair

THUMBNAIL = 256
"""Longest side of a stored picture, pixels."""


@dataclass(frozen=True, eq=False)
class GalleryPair:
    """One pair of one model. Nothing is decoded until the pair is chosen."""

    pair: Pair
    generated: Callable[[], Image] = field(repr=False)
    scores: Mapping[str, float]
    """Score name, as in the record -> this pair's own value; NaN, or left out, where it has none."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """What a page may show of one model: all its pairs, in the data set's order."""

    pairs: Sequence[GalleryPair]


@dataclass(frozen=True)
class Choice:
    """The pairs of one metric, worst first, and those around the median."""

    metric: str
    worst: tuple[GalleryPair, ...]
    median: tuple[GalleryPair, ...]
    middle: float
    """The median over the pairs that have a value."""


def choose(gallery: Gallery, metric: str, better: str, count: int = 4) -> Choice | None:
    """The ``count`` worst pairs by ``metric`` and the ``count`` nearest to its median; None where no pair has a value.

    better: "higher" or "lower". Equal values are taken in the order of pair ids. A pair stands in one of the two only.
    """
    valued = [p for p in gallery.pairs if math.isfinite(p.scores.get(metric, math.nan))]
    if not valued:
        return None
    sign = 1.0 if better == "higher" else -1.0
    worst = sorted(valued, key=lambda p: (sign * p.scores[metric], p.pair.id))[:count]
    middle = statistics.median(p.scores[metric] for p in valued)
    rest = [p for p in valued if p not in worst]
    median = sorted(rest, key=lambda p: (abs(p.scores[metric] - middle), p.pair.id))[:count]
    return Choice(metric, tuple(worst), tuple(median), middle)


def spread(galleries: Sequence[Gallery], count: int = 6) -> list[str]:
    """Ids of ``count`` pairs that all the galleries hold, evenly spaced through the first one's order."""
    if not galleries:
        return []
    shared = set.intersection(*({p.pair.id for p in gallery.pairs} for gallery in galleries))
    ids = [p.pair.id for p in galleries[0].pairs if p.pair.id in shared]
    count = min(count, len(ids))
    return [ids[(2 * k + 1) * len(ids) // (2 * count)] for k in range(count)]


class Pictures:
    """Pictures of one page. The same pixels are stored once, however many pairs show them."""

    def __init__(self) -> None:
        self._encoded: dict[str, tuple[str, int, int]] = {}
        self._seen: dict[tuple[int, str], str] = {}
        self._used: dict[str, None] = {}

    def add(self, image: Image) -> str:
        """Store ``image`` (H x W x 3 uint8; made smaller to ``THUMBNAIL``) as WebP; the id to show it by."""
        key = "i" + hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()[:16]
        if key not in self._encoded:
            picture = Pillow.fromarray(image)
            picture.thumbnail((THUMBNAIL, THUMBNAIL), Pillow.Resampling.BICUBIC)
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=85, method=4)
            text = base64.b64encode(buffer.getvalue()).decode("ascii")
            self._encoded[key] = (f"data:image/webp;base64,{text}", *picture.size)
        self._used[key] = None
        return key

    def of(self, pair: GalleryPair) -> tuple[str, str, str, str]:
        """Ids of the pair's source, pose, truth and generated picture. A model is asked once however often it shows."""
        source, target = pair.pair.source, pair.pair.target
        makers: dict[str, Callable[[], Image]] = {
            "source": lambda: source.image,
            "pose": lambda: draw_pose(target.pose, (target.image.shape[0], target.image.shape[1])),
            "truth": lambda: target.image,
            "generated": pair.generated,
        }
        return tuple(self._once((id(pair), what), make) for what, make in makers.items())  # type: ignore[return-value]

    def _once(self, label: tuple[int, str], make: Callable[[], Image]) -> str:
        if label not in self._seen:
            self._seen[label] = self.add(make())
        self._used[self._seen[label]] = None
        return self._seen[label]

    def restart(self) -> None:
        """Forget which pictures are used, and keep what was drawn: for another try with fewer pairs."""
        self._used.clear()

    @property
    def uris(self) -> dict[str, tuple[str, int, int]]:
        """Element id -> data URI, width, height; in the order of first use."""
        return {key: self._encoded[key] for key in self._used}

    @property
    def size(self) -> int:
        """Bytes that the pictures add to the page."""
        return sum(len(uri) for uri, _, _ in self.uris.values())
