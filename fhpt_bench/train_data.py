"""Training pairs: decoded once into memory where they fit, then drawn in an order that only the seed decides.

Sample number k, its augmentation included, is a function of (seed, k). So nothing about the order needs saving, and
neither the number of processes or workers nor an interruption changes what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.datasets.skeletons import BODY18_FLIP
from fhpt_bench.errors import BenchError
from fhpt_bench.train_extras import check_reads, extras
from fhpt_bench.types import OUTSIDE, Dataset, Pair, Pose


def points_of(pose: Pose) -> NDArray[np.float32]:
    """18 x 2 body points in pixels; NaN where unknown or outside the frame. Occluded ones are there."""
    points = np.array(pose.keypoints, dtype=np.float32, copy=True)
    points[pose.visible == OUTSIDE] = np.nan
    return points


def hue_rotation(angle: float) -> NDArray[np.float32]:
    """3 x 3 rotation of RGB about the grey axis by ``angle`` (radians): black, greys and white stay as they are."""
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    turn: NDArray[np.float32] = (cos * np.eye(3) + sin * cross + (1 - cos) / 3).astype(np.float32)
    return turn


IN_MEMORY = 2 << 30
"""Bytes. Catwalk's training photographs take 0.2 GB, DeepFashion's at 256x176 6.6."""


class TrainingPairs:
    """Every photo of a data set (135 KB at 256x176), its body points, and which of them pair up.

    As uint8 in memory if all of them together take at most ``IN_MEMORY`` bytes; else each is decoded when it is drawn.
    ``reads``: what batches hold besides (``train_extras``); ``accepts``: pairs it refuses are left out, and counted in
    ``refused`` by name. Raises BenchError for a data set without pairs, or without what is to be read.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int = 0,
        *,
        hue: float = 0.0,
        reads: Sequence[str] = (),
        accepts: Callable[[Pair], bool] | None = None,
    ) -> None:
        check_reads(reads, dataset)
        photos = list(dataset.photos())
        if not len(dataset) or not photos:
            raise BenchError(
                "a data set without pairs cannot be trained on",
                where=f"{dataset.name}/{dataset.split}",
                fix="name another split",
            )
        place = {photo.id: index for index, photo in enumerate(photos)}
        height, width = dataset.size
        self.seed, self.hue, self.size = seed, hue, (height, width)
        self.photos, self.dataset, self.reads = photos, dataset, tuple(reads)
        self.images: Tensor | None = None
        if len(photos) * height * width * 3 <= IN_MEMORY:
            images = torch.empty(len(photos), 3, height, width, dtype=torch.uint8)
            for index in range(len(photos)):
                images[index] = self._decoded(index)
            self.images = images
        self.points = torch.from_numpy(np.stack([points_of(photo.pose) for photo in photos]))
        self.refused: list[str] = []
        self.numbers: list[int] = []
        kept = []
        for number in range(len(dataset)):
            pair = dataset[number]
            if accepts is None or accepts(pair):
                self.numbers.append(number)
                kept.append([place[pair.source.id], place[pair.target.id]])
            else:
                self.refused.append(pair.id)
        if not kept:
            raise BenchError(
                f"this baseline can use none of the {len(self.refused)} pairs",
                where=f"{dataset.name}/{dataset.split}",
                fix="see its card for what it needs",
            )
        self.pairs = torch.tensor(kept)

    def __len__(self) -> int:
        return len(self.pairs)

    def _decoded(self, index: int) -> Tensor:
        """3 x H x W uint8."""
        photo = self.photos[index]
        image = photo.read()  # not .image, which would keep a second copy
        if image.shape != (*self.size, 3):
            raise BenchError(
                f"an image of {image.shape}, not {(*self.size, 3)}", where=photo.id, fix="repair the data set"
            )
        return torch.from_numpy(image.transpose(2, 0, 1).copy())

    def _images(self, chosen: Tensor) -> Tensor:
        """N x 3 x H x W uint8."""
        if self.images is not None:
            return self.images[chosen]
        return torch.stack([self._decoded(index) for index in chosen.tolist()])

    def drawn(self, numbers: Sequence[int], scale: float = 1.0) -> dict[str, Tensor]:
        """Samples ``numbers`` (0, 1, ... in the order of training) with augmentation: see ``batch``."""
        indices, flips, turns = [], [], []
        for number in numbers:
            epoch, within = divmod(number, len(self))
            indices.append(int(_order(self.seed, epoch, len(self))[within]))
            chance = np.random.default_rng((self.seed, 1, number)).random(3)
            flips.append(chance[0] < 0.5)
            turns.append(hue_rotation(2 * np.pi * chance[2]) if chance[1] < self.hue else np.eye(3, dtype=np.float32))
        return self.batch(indices, scale, torch.tensor(flips), torch.from_numpy(np.stack(turns)))

    def batch(
        self, indices: Sequence[int], scale: float = 1.0, flips: Tensor | None = None, turns: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Pairs by index: ``source``, ``target`` N x 3 x H x W in [-1, 1].

        ``source_points``, ``target_points`` N x 18 x 2 in pixels. With ``reads``: ``flow`` N x 2 x H x W, for each
        target pixel where in the source the same surface point lies (x, y in pixels of this scale; -1 unknown), and
        ``visibility`` N x H x W int64 (0 visible, 1 not, 2 background); ``source_parsing``, ``target_parsing``
        N x H x W int64 (CIHP20); ``source_face``, ``target_face`` N x 30 x 2 (NaN unknown) and ``source_face_box``,
        ``target_face_box`` N x 4 (x0, y0, x1, y1; NaN where no face shows).
        """
        result: dict[str, Tensor] = {}
        for role, chosen in zip(("source", "target"), self.pairs[list(indices)].T, strict=True):
            images, points = self._images(chosen).float() / 255, self.points[chosen]
            if flips is not None:
                images = torch.where(flips[:, None, None, None], images.flip(3), images)
                mirrored = points[:, list(BODY18_FLIP)] * torch.tensor([-1.0, 1.0]) + torch.tensor(
                    [self.size[1] - 1.0, 0.0]
                )
                points = torch.where(flips[:, None, None], mirrored, points)
            if scale != 1.0:
                images = F.interpolate(images, scale_factor=scale, mode="area")
                points = (points + 0.5) * scale - 0.5  # the centre of a pixel stands at its whole number
            if turns is not None:
                images = torch.einsum("nij,njhw->nihw", turns, images).clamp(0, 1)
            result[role] = (images * 2 - 1).contiguous(memory_format=torch.channels_last)
            result[f"{role}_points"] = points
        if self.reads:
            pairs = [self.dataset[self.numbers[index]] for index in indices]
            result |= extras(self.dataset, self.reads, pairs, scale, flips)
        return result


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, length: int) -> NDArray[np.intp]:
    return np.random.default_rng((seed, 0, epoch)).permutation(length)
