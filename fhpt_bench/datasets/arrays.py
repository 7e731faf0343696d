"""A data set of arrays in memory: for measuring inside a training loop, with no files at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Image, Mask, Pair, Photo, Pose

_NO_POSE = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))


class ArrayDataset:
    """True targets (and sources) as N x H x W x 3 uint8; ``people`` names the person of each pair, the unit of the
    intervals.

    Without ``people`` each pair counts as its own person, which makes intervals too narrow where people repeat:
    the name of the
    data set says so. Without ``source`` the metrics that read it are unavailable.
    """

    synthetic = False
    split = "given"

    def __init__(
        self, target: Sequence[Image], source: Sequence[Image] | None = None, people: Sequence[str] | None = None
    ) -> None:
        images = [np.asarray(image) for image in target]
        if not images:
            raise BenchError("no target image was given", fix="pass at least one")
        for label, group in (("target", images), ("source", [np.asarray(s) for s in source or []])):
            for i, image in enumerate(group):
                if image.dtype != np.uint8 or image.shape != images[0].shape or image.ndim != 3 or image.shape[2] != 3:
                    raise BenchError(
                        f"{label} {i} is {image.dtype} {image.shape}",
                        fix=f"pass uint8 arrays of one shape, H x W x 3 ({images[0].shape})",
                    )
        for label, given in (("source", source), ("people", people)):
            if given is not None and len(given) != len(images):
                raise BenchError(f"{len(given)} {label} for {len(images)} targets", fix="pass one a pair")
        self.name = "arrays" if people is not None else "arrays, people unknown"
        self.size = (images[0].shape[0], images[0].shape[1])
        self.sources = source is not None
        self._target, self._source = images, [np.asarray(s) for s in source] if source is not None else None
        self._people = [str(p) for p in people] if people is not None else [f"pair{i:06d}" for i in range(len(images))]
        digest = hashlib.sha256("\n".join(self._people).encode())
        for group in (self._target, self._source or []):
            for image in group:
                digest.update(np.ascontiguousarray(image).tobytes())
        self.sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._target)

    def __getitem__(self, index: int) -> Pair:
        target = self._target[index]
        source = self._source[index] if self._source is not None else np.zeros_like(target)
        person = self._people[index]
        return Pair(
            f"{index:06d}",
            Photo(f"s{index:06d}", _NO_POSE, person, lambda: source),
            Photo(f"t{index:06d}", _NO_POSE, person, lambda: target),
        )

    def photos(self) -> list[Photo]:
        pairs = [self[i] for i in range(len(self))]
        return [p.target for p in pairs] + ([p.source for p in pairs] if self._source is not None else [])

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        return {}
