"""The few types everything speaks.

Images are uint8 RGB arrays, H x W x 3, everywhere outside a model. Points are (x, y) in pixels, x to the right, y
down, the
centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch

Image = NDArray[np.uint8]
"""H x W x 3, RGB, 0..255: the only form an image has outside a model."""
Mask = NDArray[np.bool_]
"""H x W."""
Rows = NDArray[np.float32]
"""One row a pair (or a photo); a metric's own columns. Memory-mapped on disk."""

OUTSIDE, OCCLUDED, VISIBLE = 0, 1, 2
"""Values of every ``visible`` array: outside the frame (or unknown) / inside but hidden / seen."""


@dataclass(frozen=True, eq=False)
class Face:
    """Face points of one photograph, in the order of ``skeletons.FACE_POINTS``."""

    points: NDArray[np.float32]
    """P x 2, pixels; NaN where unknown."""
    visible: NDArray[np.uint8]
    """P, OUTSIDE / OCCLUDED / VISIBLE."""
    box: tuple[float, float, float, float] | None
    """x0, y0, x1, y1 in pixels; None where no face shows."""
    frontal: bool
    """Both eyes, the nose and the mouth show, and the head is turned at most 30 degrees from the camera."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a body's points are in an image."""

    keypoints: NDArray[np.float32]
    """18 x 2, ``skeletons.BODY18`` order, pixels; NaN where unknown."""
    visible: NDArray[np.uint8]
    """18, OUTSIDE / OCCLUDED / VISIBLE."""
    hands: NDArray[np.float32] | None = None
    """2 x 21 x 2, right hand then left hand, OpenPose order; NaN where unknown. None where the data set has none."""
    hands_visible: NDArray[np.uint8] | None = None
    """2 x 21."""
    face: Face | None = None


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph of one person. ``image`` is decoded on first use and kept as long as the Photo is."""

    id: str
    pose: Pose
    person: str
    read: Callable[[], Image] = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def image(self) -> Image:
        return self.read()


@dataclass(frozen=True, eq=False)
class Prompt:
    """All a generator may see of a pair; never the target's pixels."""

    pair_id: str
    source: Photo
    pose: Pose
    seed: int


@dataclass(frozen=True, eq=False)
class Pair:
    """A source photograph and the target photograph of the same person in the same outfit. ``id`` names the PNG."""

    id: str
    source: Photo
    target: Photo


class Dataset(Protocol):
    """Pairs of photographs, in a fixed order."""

    name: str
    split: str
    sha256: str
    """Hash of everything the scores depend on: images, annotations, pair list."""
    size: tuple[int, int]
    """height, width of every image."""
    synthetic: bool

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Pair: ...
    def photos(self) -> Sequence[Photo]:
        """Every photograph of the split once, in a fixed order."""
        ...

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        """Masks over the target image by ``metrics.regions.REGIONS`` name; only the names the data set can tell."""
        ...

    # Optional: ``training() -> Dataset`` and ``validation() -> Dataset`` (for protocols that read those photographs),
    # ``sources = False`` (source photographs are stand-ins: what reads them is unavailable),
    # ``check()``, ``exact_warp(pair) -> Image``, ``card``.


@runtime_checkable
class Generator(Protocol):
    """Anything that makes images from prompts.

    Optional: ``card`` (see record.ModelCard), ``inspect(prompts)`` (see fhpt_bench.inspection), ``refuses(prompt) ->
    str``: why it cannot make this pair's image (empty where it can), asked of every pair before any image is made.
    """

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Image]: ...


class Oracle(Protocol):
    """A reference that sees the target (truth, exact-warp): shown in every table, flagged, never ranked."""

    oracle: Literal[True]

    def generate(self, pairs: Sequence[Pair]) -> Sequence[Image]: ...


class Feature(Protocol):
    """One network on single images; run once per image whatever number of metrics read it."""

    name: str
    key: str
    """Changes whenever the numbers would: weights hash + preprocessing. The cache key."""
    small: bool
    """True: N x D float32, cached by content for true images. False: large taps, dropped after the batch."""

    def extract(self, images: NDArray[np.uint8]) -> Any:
        """images N x H x W x 3 -> N x D float32 array (small) or list of N x C x h x w tensors (taps)."""
        ...

    # Optional, on a small feature: ``base``, the name of the large feature it is made of, and ``reduce(taps)``, which
    # gives what ``extract`` would from that feature's taps of the same images: the network then runs once for all.
    # ``alone = True``: row i depends on image i alone, to the bit, so that cached images need not be run again.
    # ``close()``: lets go of what must not wait for the interpreter's end.


@dataclass(frozen=True)
class Need:
    """A feature a metric reads, and of which images of a pair."""

    feature: str
    of: tuple[Literal["generated", "target", "source"], ...] = ("generated", "target")


@dataclass(frozen=True, eq=False)
class Batch:
    """What a metric measures: N pairs."""

    ids: Sequence[str]
    generated: NDArray[np.uint8]
    """N x H x W x 3."""
    target: NDArray[np.uint8]
    source: NDArray[np.uint8]
    regions: Mapping[str, NDArray[np.bool_]]
    """region name -> N x H x W over the target; empty where the data set has none."""
    features: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    """(feature name, "generated" | "target" | "source") -> what ``Feature.extract`` gives, row i for pair i."""
    pairs: Sequence[Pair] = ()
    """What is known of both photographs beside pixels: poses, faces, labels."""


@dataclass(frozen=True, eq=False)
class PhotoRows:
    """One small feature over the photographs of a split, row i for photograph i."""

    rows: Rows
    ids: Sequence[str]
    people: Sequence[str]
    labels: Sequence[Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class Context:
    """What a summary may know beside the rows. Row i of every metric belongs to pair i."""

    pair_ids: Sequence[str]
    people: Sequence[str]
    """Person of each pair: the unit that is resampled."""
    target_ids: Sequence[str]
    source_ids: Sequence[str]
    seed: int = 0
    labels: Sequence[Mapping[str, str]] = ()
    """Labels of each pair's target."""
    source_labels: Sequence[Mapping[str, str]] = ()
    source_face: Sequence[bool] = ()
    """Whether each pair's source photograph shows a face, by the data set's annotation (``Face.box``)."""
    target_face: Sequence[bool] = ()
    reference: Callable[[str], Rows] | None = None
    """``reference(feature)`` -> rows of that feature over the training photos, for protocols that name them."""
    moments: Callable[[str, int], tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None
    """``moments(feature, batch)`` -> mean (D) and covariance (D x D) of that feature over the training photos; over
    those in full batches only where ``batch`` is not 0."""
    validation: Callable[[str], PhotoRows] | None = None
    """``validation(feature)`` -> that feature over the validation photos: people apart from train and test."""


class Score(BaseModel):
    """One number of a leaderboard, with its 95 % interval over people.

    ``sums`` / ``counts`` (means) or ``without`` (everything else) keep what a paired comparison needs, one entry a
    person in sorted order of person ids: value = sum(sums) / sum(counts); ``without[k]`` is the value without person k
    (beyond 64 people: without group k of them).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    better: Literal["higher", "lower", "neither"]
    pairs: int
    """How many pairs the value rests on."""
    excluded: int = 0
    """How many were left out, for the metric's stated reason (a region under 64 px, no face, ...)."""
    unavailable: str = ""
    """Why there is no value; empty where there is one."""
    sums: tuple[float, ...] | None = None
    counts: tuple[float, ...] | None = None
    without: tuple[float, ...] | None = None


class Curve(BaseModel):
    """A line of a figure, with its 95 % band over people: ``y[i]`` at ``x[i]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """``kec[all]/body``: curves of one name share a figure, one line a model."""
    x_label: str
    y_label: str
    x: tuple[float, ...]
    """Ascending; the same for every model under one protocol."""
    y: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    weight: int
    """How many measurements it rests on (points, pairs)."""


class Metric(Protocol):
    """A measure. Has no state, so batching cannot matter."""

    name: str
    """As in the protocol, with its setting: ``ssim[gauss1.5,crop176]``."""
    needs: Sequence[Need]
    columns: int
    """Width of its rows."""

    def measure(self, batch: Batch) -> Rows:
        """N x columns float32 (NaN where a pair has no value)."""
        ...

    def summarise(self, rows: Rows, context: Context) -> list[Score]: ...

    # Optional: ``curves(rows, context) -> list[Curve]``, for the figures of the leaderboard.


class Trainable(Protocol):
    """A baseline under training, as its package's ``build(config)`` gives it; also a torch module.

    See ``docs/training.md``.
    """

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """By the name under which ``step`` updates what they hold."""
        ...

    def step(
        self, batch: Mapping[str, torch.Tensor], update: Callable[..., None], kind: str
    ) -> Mapping[str, torch.Tensor]:
        """Learn from one batch (``train_data``): call ``update(loss, *names)`` once or more; return losses to log.

        ``kind``: phase.
        """
        ...

    def sample(self, batch: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Images to look at, N x 3 x H x W in [-1, 1]."""
        ...

    def validate(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Distance of each pair's image from its target, N; the snapshot with the least mean is chosen."""
        ...

    # Optional: ``reads``, names of ``train_extras.READS`` that batches are to hold; ``accepts(pair) -> bool``: pairs
    # that it refuses are left out of training and validation, and counted.
