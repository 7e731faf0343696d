"""AttrRec and FashionIS: what a clothing recogniser sees on generated images, after Intr-Flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import evaluators, features
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import mean_score
from fhpt_bench.metrics.inception_score import summary
from fhpt_bench.metrics.kec import with_settings
from fhpt_bench.types import Batch, Context, Need, Rows, Score

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Recognised:
    """Rows: log-probabilities of the recogniser's L labels on [generated | target], softmax'ed within label groups."""

    name: str
    data: str = "catwalk"
    """The data set whose recogniser it is: where the names of its columns come from."""
    pin: str = ""
    """First 12 hex digits of the recogniser's sha256, so that a protocol names its weights; any if empty."""

    better: ClassVar[Literal["higher"]] = "higher"

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(features.feature_name("attributes.vgg", *([f"pin={self.pin}"] if self.pin else []))),)

    @property
    def labels(self) -> Labels:
        """(group, value) of each column; BenchError where no recogniser is trained for ``data``."""
        return evaluators.labels("attributes", self.data, self.pin)

    @property
    def columns(self) -> int:
        return 2 * len(self.labels)

    def measure(self, batch: Batch) -> Rows:
        """N x 2 L float32. BenchError where the features are not of the recogniser of ``data``."""
        [need] = self.needs
        parts = [np.asarray(batch.features[need.feature, role], np.float32) for role in need.of]
        for part in parts:
            if part.shape[1] != len(self.labels):
                raise BenchError(
                    f"{self.name}: {part.shape[1]} columns, but the recogniser of {self.data!r} has {len(self.labels)}",
                    fix="set data = the data set that is measured, in the protocol",
                )
        rows: Rows = np.concatenate(parts, axis=1)
        return rows

    def _halves(self, rows: Rows) -> tuple[Floats, Floats]:
        """Of the generated and of the true images, N x L each."""
        middle = len(self.labels)
        return np.asarray(rows[:, :middle], np.float64), np.asarray(rows[:, middle:], np.float64)


@dataclass(frozen=True)
class AttrRec(_Recognised):
    """AttrRec-k: share of the true target's attributes among the k that the recogniser is surest of, 0..1.

    Li et al., Dense Intrinsic Appearance Flow for Human Pose Transfer, CVPR 2019 (there in percent): recall of each
    image's labelled attributes among its k highest scores, averaged over images. Theirs is a ResNet-50 with 347
    attributes of DeepFashion; ours for Catwalk is trained on Catwalk's garments, colours and patterns, so the numbers
    do not compare with theirs. Scores of all label groups are ranked together, by their probability within their group
    (so a group of few values has higher ones); of equals, each counts as the last. A label that no training person has
    (Catwalk's test people alone wear dots and camouflage) is unknown to the recogniser and no attribute here. A target
    without any known label is excluded and counted; the released code gives it 1.

    Scores: ``attrrec-5``; ``attrrec-5[truth]``, the recogniser on the true targets, the ceiling; ``attrrec-5/chance``,
    k / L, what labels in random order would have: of Catwalk's 61 labels 0.08 for AttrRec-5 and 0.33 for AttrRec-20. A
    Catwalk target has up to six labels, so AttrRec-5 cannot pass 5/6 there, and AttrRec-20 has three places for each
    label group: it is kept for the papers' sake and tells little.

    How it can be fooled: labels are common or rare, so even a blank image scores above chance (that row shows how far);
    a copied source wears the right clothes and scores like the truth; a garment outside the frame counts all the same.
    """

    k: int = 5

    def __post_init__(self) -> None:
        if type(self.k) is not int or self.k < 1:
            raise BenchError(f"{self.name}: k = {self.k!r}", fix="a whole number from 1")

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """Three Scores: generated, truth, chance."""
        labels = self.labels
        known = context.labels or [{}] * len(rows)
        positives = np.array([[of.get(group) == value for group, value in labels] for of in known], bool)
        why = "no target has a label that the recogniser knows"
        generated, truth = (recall(half, positives, self.k) for half in self._halves(rows))
        score = mean_score(self.name, generated, context, self.better, why=why)
        chance = min(1.0, self.k / len(labels)) if score.pairs else None
        return [
            score,
            mean_score(with_settings(self.name, "truth"), truth, context, "neither", why=why),
            Score(
                name=f"{self.name}/chance",
                value=chance,
                better="neither",
                pairs=score.pairs,
                excluded=score.excluded,
                unavailable=score.unavailable,
            ),
        ]


@dataclass(frozen=True)
class FashionIS(_Recognised):
    """FashionIS: the Inception Score with a clothing recogniser in Inception's place; 1 to the number of categories.

    Li et al., CVPR 2019, with an Inception fine-tuned on DeepFashion's 23 clothing categories. Ours for Catwalk is
    trained on Catwalk. One category is a combination of a top and a bottom (``garments``), its probability the product
    of the two, as if they were independent given the image. Arithmetic, order and splits as ``inception_score``.

    Scores: ``fashion-is``, ``fashion-is/std`` over the splits, and ``fashion-is[truth]`` on the true targets, a true
    image counted once for each pair that it is the target of. Biased downwards where a split holds few images.

    How it can be fooled: it never looks at the truth. Anything with sure and varied clothes is good: a copied source,
    a wrong garment, the right garments on the wrong people. The truth is not its upper bound.
    """

    splits: int = 10
    garments: Sequence[str] = ("top", "bottom")
    """Label groups that make a category."""

    def __post_init__(self) -> None:
        if type(self.splits) is not int or self.splits < 1:
            raise BenchError(f"{self.name}: splits = {self.splits!r}", fix="a whole number from 1")
        if isinstance(self.garments, str) or not self.garments or len(set(self.garments)) < len(self.garments):
            raise BenchError(f"{self.name}: garments = {self.garments!r}", fix="a list of label groups")
        object.__setattr__(self, "garments", tuple(self.garments))

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """Three Scores: mean over splits, deviation over splits, mean for the true targets.

        BenchError for a garment that is no label group of the recogniser.
        """
        generated, truth = (joint(half, self.labels, self.garments) for half in self._halves(rows))
        return [
            *summary(self.name, generated, self.splits, context, self.better),
            summary(with_settings(self.name, "truth"), truth, self.splits, context, "neither")[0],
        ]


def recall(scores: Floats, positives: Mask, k: int) -> Floats:
    """Share of each row's positives among its k highest scores; of equal scores each counts as the last.

    scores: N x L. positives: N x L. Returns N float64 in 0..1; NaN where a row has no positive, or a NaN score.
    """
    ranks = np.stack([(scores >= column[:, None]).sum(1) for column in scores.T], axis=1)
    number = positives.sum(1)
    shares: Floats = np.full(len(scores), np.nan)
    np.divide((positives & (ranks <= k)).sum(1), number, out=shares, where=(number > 0) & ~np.isnan(scores).any(1))
    return shares


def joint(log_p: Floats, labels: Labels, groups: Sequence[str]) -> Floats:
    """Log-probabilities of every combination of one value of each group: N x L -> N x product of the groups' sizes.

    BenchError for a group that ``labels`` does not have.
    """
    whole: Floats = np.zeros((len(log_p), 1))
    for group in groups:
        chosen = [column for column, (name, _) in enumerate(labels) if name == group]
        if not chosen:
            known = ", ".join(dict.fromkeys(name for name, _ in labels))
            raise BenchError(f"the recogniser knows no group {group!r}", fix=f"garments = one or more of {known}")
        whole = (whole[:, :, None] + log_p[:, None, chosen]).reshape(len(log_p), -1)
    return whole
