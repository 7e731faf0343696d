"""FID: how far the features of generated images lie from those of real ones, as Gaussians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from fhpt_bench import features, frechet
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import jackknife_from, leave_out
from fhpt_bench.metrics.batches import check_batch, measured
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Batch, Context, Need, Rows, Score

DIMENSIONS = 2048
Reference = Literal["targets", "train"]
EXTRACTORS = ("torchmetrics", "torch-fidelity", "tfgan", "pytorch-fid", "clean", "legacy")


@dataclass(frozen=True)
class FID:
    """Frechet distance of 2048-d Inception features: 0 for equal moments, no upper bound.

    Heusel et al., NeurIPS 2017, Eq. 6; the arithmetic is in ``fhpt_bench.frechet``. A true image counts once for each
    pair that it is the target of. Biased upwards where pairs are few, so compare only at equal numbers. Interval:
    delete one person (its generated and its true images), which says nothing of that bias. Rows: [generated 2048 |
    target 2048], or [generated 2048] where the reference is the training photos.
    """

    name: str
    reference: Reference = "targets"
    """What is compared with: the pairs' true images, or all training photos."""
    extractor: str = "torchmetrics"
    """Whose numbers: see ``features.inception.Pool3``."""
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to all images first."""
    prepare_generated: Prepare | Mapping[str, Any] | None = None
    """What is done to generated images instead, where a script treats them otherwise than true ones (a defect)."""
    drop_last: int = 0
    """Generated images, and true ones, beyond the last full batch of so many are excluded (a defect: 64 in GFLA and
    those after it); 0: none. Pairs stand by id, training photos as the data set lists them."""

    better: ClassVar[Literal["lower"]] = "lower"

    def __post_init__(self) -> None:
        check(self.reference, self.extractor)
        check_batch(self.name, self.drop_last)
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))
        if self.prepare_generated is not None:
            object.__setattr__(self, "prepare_generated", Prepare.of(self.prepare_generated))

    @property
    def feature(self) -> str:
        """Of true images."""
        return features.feature_name("inception.pool3", self.extractor, prepare=Prepare.of(self.prepare))

    @property
    def needs(self) -> Sequence[Need]:
        true: tuple[Literal["target"], ...] = ("target",) if self.reference == "targets" else ()
        if self.prepare_generated is None:
            return (Need(self.feature, ("generated", *true)),)
        how = Prepare.of(self.prepare_generated)
        generated = features.feature_name("inception.pool3", self.extractor, prepare=how)
        return (Need(generated, ("generated",)), Need(self.feature, true))

    @property
    def columns(self) -> int:
        return 2 * DIMENSIONS if self.reference == "targets" else DIMENSIONS

    def measure(self, batch: Batch) -> Rows:
        """N x 4096 (or 2048) float32: the features themselves."""
        rows: Rows = np.concatenate([stack(need, batch) for need in self.needs if need.of], axis=1)
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score. BenchError where the reference is the training photos and the data set gives none."""
        generated, target = rows[:, :DIMENSIONS], rows[:, DIMENSIONS:]
        use = measured(context.pair_ids, self.drop_last)
        kept = [keep[use[keep]] for keep in leave_out(context.people)]
        real = target if self.reference == "targets" else self._train(context)
        wanted = [np.flatnonzero(use), *(kept if len(kept) > 1 else [])]
        value, *without = frechet.distances_without(generated, real, wanted)
        dropped = int(np.count_nonzero(~use))
        return [jackknife_from(self.name, value, without, context, self.better, excluded=dropped)]

    def _train(self, context: Context) -> frechet.Gaussian:
        if context.moments is None:
            raise no_training(self.name)
        mean, covariance = context.moments(self.feature, self.drop_last)
        return frechet.Gaussian(mean, covariance)


def check(reference: str, extractor: str) -> None:
    """BenchError for an unknown reference or extractor."""
    if reference not in ("targets", "train"):
        raise BenchError(f"reference = {reference!r}", fix="targets or train")
    if extractor not in EXTRACTORS:
        raise BenchError(f"extractor = {extractor!r}", fix=f"one of {', '.join(EXTRACTORS)}")


def stack(need: Need, batch: Batch) -> Rows:
    """The features of each role a metric needs, side by side."""
    rows: Rows = np.concatenate(
        [np.asarray(batch.features[need.feature, role], np.float32) for role in need.of], axis=1
    )
    return rows


def training_rows(context: Context, feature: str, name: str) -> Rows:
    """The feature over all training photos; BenchError where the data set has none."""
    if context.reference is None:
        raise no_training(name)
    return context.reference(feature)


def no_training(name: str) -> BenchError:
    """For a data set without training photos."""
    return BenchError(
        f"{name} compares with the training photos, and this data set gives none", fix="use another protocol"
    )
