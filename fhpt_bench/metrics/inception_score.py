"""Inception Score: are generated images recognisable and varied? It never looks at the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import Better, jackknife_score
from fhpt_bench.metrics.fid import stack
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Batch, Context, Need, Rows, Score

CLASSES = 1008
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class InceptionScore:
    """exp of the mean KL divergence of an image's classes from all images' classes: 1 to 1008, here 2 to 5.

    Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, section 4. Scores: the mean over ``splits``
    parts of the images and, as ``name/std``, their standard deviation (divided by n), as torch-fidelity gives them. The
    order before splitting is drawn from the context's seed over the pairs sorted by id. Higher is not always better for
    a model that should draw one kind of thing; the field prints it all the same. Rows: 1008 logits.
    """

    name: str
    splits: int = 10
    extractor: str = "torch-fidelity"
    """Whose numbers: see ``features.inception.Logits``."""
    shuffle: bool = True
    """False: images are split as they stand in order of their ids, as the scripts of PATN and Intr-Flow split them
    unshuffled: parts then hold few people each, which lowers the score."""
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to the generated images first."""

    columns: ClassVar[int] = CLASSES
    better: ClassVar[Literal["higher"]] = "higher"

    def __post_init__(self) -> None:
        if type(self.splits) is not int or self.splits < 1:
            raise BenchError(f"splits = {self.splits!r}", fix="a whole number from 1")
        if not isinstance(self.shuffle, bool):
            raise BenchError(f"shuffle = {self.shuffle!r}", where=self.name, fix="true or false")
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))

    @property
    def needs(self) -> Sequence[Need]:
        name = features.feature_name("inception.logits", self.extractor, prepare=Prepare.of(self.prepare))
        return (Need(name, ("generated",)),)

    def measure(self, batch: Batch) -> Rows:
        """N x 1008 float32: the logits of the generated images."""
        return stack(self.needs[0], batch)

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """The mean over splits with a delete-one-person interval, and the standard deviation over splits."""
        log_p = log_softmax(np.asarray(rows, np.float64), axis=1)
        return summary(self.name, log_p, self.splits, context, self.better, shuffle=self.shuffle)


def summary(
    name: str, log_p: Floats, splits: int, context: Context, better: Better, *, shuffle: bool = True
) -> list[Score]:
    """``name``, the mean over ``splits`` parts with its interval, and ``name/std``, the deviation over the parts.

    log_p: pairs x classes, natural logarithms of probabilities. The order is drawn as the class says.
    """
    order = np.argsort(np.asarray(context.pair_ids), kind="stable")
    if shuffle:
        order = order[np.random.default_rng(context.seed).permutation(len(order))]

    def over_splits(keep: NDArray[np.intp]) -> Floats:
        return split_scores(log_p[order[np.isin(order, keep)]], splits)

    mean = jackknife_score(name, lambda keep: float(over_splits(keep).mean()), context, better)
    if mean.value is None:
        why = f"{len(log_p)} images cannot be split in {splits}"
        mean = mean.model_copy(update={"unavailable": why})
        return [mean, mean.model_copy(update={"name": f"{name}/std", "better": "neither"})]
    deviation = float(over_splits(np.arange(len(log_p))).std())
    return [mean, Score(name=f"{name}/std", value=deviation, better="neither", pairs=len(log_p))]


def split_scores(log_p: Floats, splits: int) -> Floats:
    """The score of each of ``splits`` consecutive parts; log_p: n x classes, natural logarithms of probabilities.

    NaN with fewer images than splits: a part would be empty.
    """
    if len(log_p) < splits:
        return np.full(splits, np.nan)
    bounds = [(i * len(log_p) // splits, (i + 1) * len(log_p) // splits) for i in range(splits)]
    return np.array([_score(log_p[start:stop]) for start, stop in bounds])


def _score(log_p: Floats) -> float:
    p = np.exp(log_p)
    marginal = p.mean(0)
    # A class that no image shows (p underflows to 0) adds nothing.
    log_marginal = np.log(marginal, out=np.zeros_like(marginal), where=marginal > 0)
    return float(np.exp((p * (log_p - log_marginal)).sum(1).mean()))
