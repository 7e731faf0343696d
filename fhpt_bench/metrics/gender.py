"""Gender bias: does a model that transfers a pose keep the presentation that the data set's label names?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import Better, jackknife_score, mean_score
from fhpt_bench.metrics.kec import with_settings
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Batch, Context, Need, Rows, Score

SKIN_TONES = ("1", "2", "3", "4", "5", "6")
"""Values of Catwalk's label ``skin_tone``, light to dark."""
_LABEL = {"men": 1.0, "women": 0.0}
_NO_VERDICT = "the classifier gave no verdict"
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class GenderBias:
    """Share of generated images on which a classifier does not say the true target's label, 0..1; and for whom.

    After FHPT: a VGG classifier, trained on the training people's labels, looks at generated images. The label, ``men``
    or ``women``, is the presentation label that the data set prints (DeepFashion: the first part of a file's name). A
    verdict on an image is no statement about a person. It is men where P(men) > 0.5.

    Scores, for the name ``gender-error[vgg]``:

    - ``gender-error[vgg]``, ``/men``, ``/women`` by label, ``/balanced``: the mean of those two, which a test set with
      more of one does not move (DeepFashion's has 590 men's and 3,448 women's photographs); ``/source_face=shown`` and
      ``/source_face=hidden``, FHPT's own argument: where the source hides the face, a model paints what it saw most in
      training; ``/skin_tone=1`` .. ``6`` (Catwalk: five or six people a tone, so wide intervals, and men and women are
      not equally many in each).
    - ``gender-gap[vgg]``: error of men minus error of women, -1..1. Nearest to 0 is best, so it has no better
      direction, and its absolute value is not printed: that would be biased upwards where pairs are few.
    - ``gender-flip[vgg]``, same groups as the error without men, women, balanced: share of pairs where the verdict on
      the generated image is not the same classifier's on the true target. What the classifier gets wrong on both is no
      flip.
    - ``gender-error[vgg,truth]`` and ``gender-error[vgg,blurred-truth]``, ``/men``, ``/women``, and both gaps: the
      same classifier on the true targets, and on true targets blurred by ``blur`` pixels. An error or a gap that is
      there already is the classifier's, or what any lack of sharpness does to it, and not the model's. No better
      direction: the model has no part in it.

    How it can be fooled: the classifier may read hair or clothes instead of a face, so a model that keeps those and
    loses the face scores well; a copied source has the classifier's own error on source photographs; and a model that
    draws one presentation for everybody has error 1/2 and flip 1/2 on balanced data, with a gap of 1 or -1: read error
    and gap together.

    Rows: P(men) on [generated, target, blurred target].
    """

    name: str
    blur: int = 2
    """Sigma of the blurred truth, pixels."""
    pin: str = ""
    """First 12 hex digits of the classifier's sha256, so that a protocol names its weights; any if empty."""

    columns: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not re.fullmatch(r"gender-error(\[[^\[\]]+\])?", self.name):
            raise BenchError(
                f"name = {self.name!r}", fix="call it gender-error[...]: its other scores are named after it"
            )
        Prepare(blur=self.blur)

    @property
    def needs(self) -> Sequence[Need]:
        pin = [f"pin={self.pin}"] if self.pin else []
        return (
            Need(features.feature_name("gender.vgg", *pin), ("generated", "target")),
            Need(features.feature_name("gender.vgg", *pin, prepare=Prepare(blur=self.blur)), ("target",)),
        )

    def measure(self, batch: Batch) -> Rows:
        """N x 3 float32 in 0..1; NaN where the classifier gives none."""
        rows: Rows = np.concatenate(
            [np.asarray(batch.features[n.feature, role], np.float32) for n in self.needs for role in n.of], axis=1
        )
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """Every score of the class's list, in its order. A group that no pair belongs to says so."""
        label = np.array(
            [_LABEL.get(labels.get("gender", ""), np.nan) for labels in context.labels or [{}] * len(rows)]
        )
        made, true, blurred = (_verdicts(rows[:, column]) for column in range(self.columns))
        flip = np.abs(made - true)
        groups = _groups(context)
        wrong, gap, flips = np.abs(made - label), *(self.name.replace("error", what, 1) for what in ("gap", "flip"))
        scores = [
            *_errors(self.name, wrong, label, context, "lower"),
            _of_both(f"{self.name}/balanced", _mean, wrong, label, context, "lower"),
            *_by_group(self.name, wrong, groups, context, _why_none(label)),
            _of_both(gap, _gap, wrong, label, context, "neither"),
            mean_score(flips, flip, context, "lower", why=_NO_VERDICT),
            *_by_group(flips, flip, groups, context, _NO_VERDICT),
        ]
        for kind, verdicts in (("truth", true), ("blurred-truth", blurred)):
            wrong = np.abs(verdicts - label)
            scores += _errors(with_settings(self.name, kind), wrong, label, context, "neither")
            scores.append(_of_both(with_settings(gap, kind), _gap, wrong, label, context, "neither"))
        return scores


def _verdicts(men: Rows) -> Floats:
    """P(men) -> 1 for men, 0 for women, NaN for none."""
    p = np.asarray(men, np.float64)
    return np.where(np.isnan(p), np.nan, p > 0.5)


def _mean(men: float, women: float) -> float:
    return (men + women) / 2


def _gap(men: float, women: float) -> float:
    return men - women


def _only(values: Floats, chosen: Mask) -> Floats:
    return np.where(chosen, values, np.nan)


def _why_none(label: Floats, word: str = "") -> str:
    if np.isnan(label).all():
        return "the data set prints no label gender = men or women"
    if word and not (label == _LABEL[word]).any():
        return f"no target is labelled {word}"
    return _NO_VERDICT


def _errors(name: str, wrong: Floats, label: Floats, context: Context, better: Better) -> list[Score]:
    """Overall, men, women."""
    chosen = {word: _only(wrong, label == value) for word, value in _LABEL.items()}
    return [
        mean_score(name, wrong, context, better, why=_why_none(label)),
        *(
            mean_score(f"{name}/{word}", values, context, better, why=_why_none(label, word))
            for word, values in chosen.items()
        ),
    ]


def _of_both(
    name: str,
    combine: Callable[[float, float], float],
    wrong: Floats,
    label: Floats,
    context: Context,
    better: Better,
) -> Score:
    """A statistic of men's and women's error rates, with the delete-one-person interval."""

    def estimate(keep: NDArray[np.intp]) -> float:
        rates = [wrong[keep][(label[keep] == value) & ~np.isnan(wrong[keep])] for value in _LABEL.values()]
        return combine(*(float(rate.mean()) if len(rate) else np.nan for rate in rates))

    score = jackknife_score(name, estimate, context, better, excluded=int(np.isnan(wrong).sum()))
    if score.value is None:
        absent = [word for word, value in _LABEL.items() if not (~np.isnan(_only(wrong, label == value))).any()]
        score = score.model_copy(update={"unavailable": _why_none(label, absent[0])})
    return score


def _groups(context: Context) -> dict[str, tuple[Mask, str]]:
    """Name -> which pairs belong to it, and what to say if none does."""
    shown = np.array(context.source_face or [False] * len(context.pair_ids), bool)
    annotated = bool(shown.any() or any(context.target_face))
    faceless = "" if annotated else "the data set annotates no face"
    tones = np.array([labels.get("skin_tone", "") for labels in context.labels or [{}] * len(shown)])
    toneless = "" if (tones != "").any() else "the data set prints no label skin_tone"
    return {
        "source_face=shown": (shown, faceless or "no source photograph shows a face"),
        "source_face=hidden": (~shown & annotated, faceless or "every source photograph shows a face"),
        **{f"skin_tone={tone}": (tones == tone, toneless or f"no target has skin_tone {tone}") for tone in SKIN_TONES},
    }


def _by_group(
    name: str, values: Floats, groups: dict[str, tuple[Mask, str]], context: Context, otherwise: str
) -> list[Score]:
    return [
        mean_score(f"{name}/{group}", _only(values, chosen), context, "lower", why=otherwise if chosen.any() else why)
        for group, (chosen, why) in groups.items()
    ]
