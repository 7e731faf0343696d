"""Retrieval: does a generated image find other photographs of the same clothes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import mean_score
from fhpt_bench.retrieval import Floats, Index, Places
from fhpt_bench.types import Batch, Context, Need, Rows, Score

Rule = Literal["paper", "other-views"]
RULES: tuple[Rule, ...] = ("paper", "other-views")
"""What a pair's gallery is: without its target's own photograph / also without its source's own photograph."""
BACKBONES = ("vgg", "resnet")
RELEVANCE: Mapping[str, tuple[str, ...]] = {"item": ("item",), "outfit": ("item", "outfit")}
"""Labels that two photographs share for one to be a right answer to the other."""


@dataclass(frozen=True)
class Retrieval:
    """Share of generated images with the right clothes among the K nearest photographs; 0..1, higher is better.

    FHPT's protocol: each generated image is a query, all source images (each once) are the gallery, neighbours are by
    cosine of an in-shop retrieval network's embeddings. Three numbers for each rule and K:

    ``recall@K``: 1 where any of the first K is right (what the In-shop benchmark calls recall); ``hits@K``: right ones
    among the first K / all right ones in the gallery (what mmfashion calls recall); ``map``: mean average precision
    over the whole ranking. ``[...,truth]``: the true target queries in the generated image's place, the upper bound for
    that network and gallery. ``/top_pattern=dots``: the pairs whose target has that label.

    The trap: sources and targets are the same photographs. A gallery that keeps the target would let a true image find
    itself, so every rule removes it. ``paper`` removes nothing else, and then a copied source finds its own photograph
    at rank 1: ``recall@K[paper]`` of copy-source is 1 by construction and says nothing. ``other-views`` removes the
    source as well. A copied source still scores high there, and rightly: it does show the clothes, only not in the pose
    asked for, which this measure does not look at. It is also fooled by what else photographs of one item share (in
    Catwalk an item is one person's outfit, so the person too), and by artefacts that the network was not trained on.

    Pairs without any right photograph left in the gallery are excluded and counted. Intervals are over people, with the
    gallery as it is: they leave out what other people's clothes as distractors, or another training of the network,
    would change. Recall falls as a gallery grows: compare at equal galleries only. Rows: [generated | target | source].
    """

    name: str
    backbone: str = "vgg"
    ks: Sequence[int] = (3, 5, 10)
    rules: Sequence[Rule] = RULES
    relevance: str = "item"
    """``item``, or ``outfit`` (item and outfit): see ``RELEVANCE``."""
    by: Sequence[str] = ("top_colour", "top_pattern", "top")
    """Labels of the target to break recall down by, at ``by_k`` under the strictest rule."""
    by_k: int = 5
    dimensions: int = 128
    """Length of the network's embedding."""
    pin: str = ""
    """First 12 hex digits of the evaluator's sha256; empty: whichever is there."""

    better: ClassVar[Literal["higher"]] = "higher"

    def __post_init__(self) -> None:
        _known("backbone", self.backbone, BACKBONES)
        _known("relevance", self.relevance, tuple(RELEVANCE))
        for rule in self.rules:
            _known("rules", rule, RULES)
        for setting in ("ks", "rules", "by"):
            object.__setattr__(self, setting, tuple(getattr(self, setting)))
        if not self.rules or not self.ks or any(type(k) is not int or k < 1 for k in self.ks):
            raise BenchError(f"ks = {self.ks!r}, rules = {self.rules!r}", fix="ks = [3, 5, 10], and at least one rule")
        if self.by and self.by_k not in self.ks:
            raise BenchError(f"by_k = {self.by_k!r}", fix=f"one of ks = {list(self.ks)}")

    @property
    def feature(self) -> str:
        pin = (f"pin={self.pin}",) if self.pin else ()
        return features.feature_name(f"retrieval.{self.backbone}", *pin)

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(self.feature, ("generated", "target", "source")),)

    @property
    def columns(self) -> int:
        return 3 * self.dimensions

    def measure(self, batch: Batch) -> Rows:
        """N x (3 x dimensions) float32: the embeddings themselves."""
        parts = [np.asarray(batch.features[self.feature, role], np.float32) for role in self.needs[0].of]
        if parts[0].shape[1] != self.dimensions:
            raise BenchError(
                f"{self.feature} gives {parts[0].shape[1]} numbers an image, not {self.dimensions}",
                where=self.name,
                fix=f"dimensions = {parts[0].shape[1]}",
            )
        rows: Rows = np.concatenate(parts, axis=1)
        return rows

    def generated(self, rows: Rows) -> Rows:
        """The columns of a generated image's embedding."""
        return rows[:, : self.dimensions]

    def trial(self, rows: Rows, context: Context) -> Trial:
        """The gallery, and what is right in it. BenchError where photographs have no label to tell that."""
        return Trial.of(rows[:, 2 * self.dimensions :], context, RELEVANCE[self.relevance])

    def score_name(self, what: str, rule: str, *more: str) -> str:
        """``recall@5[vgg,other-views]``."""
        outfit = () if self.relevance == "item" else (self.relevance,)
        return f"{what}[{','.join((self.backbone, rule, *outfit, *more))}]"

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """Recall, hits and mAP by rule; recall and mAP of the true targets under the strictest; recall by label."""
        try:
            trial = self.trial(rows, context)
        except BenchError as error:
            return self._unavailable(" ".join(str(error).split()), len(rows))
        strict = self.strict
        made = trial.answers(self.generated(rows), self.ks, self.rules)
        true = trial.answers(rows[:, self.dimensions : 2 * self.dimensions], self.ks, (strict,))
        scores = [
            mean_score(self.score_name(what, rule), made[what, rule], context, "higher", why=_NOTHING)
            for rule in self.rules
            for what in self._whats
        ]
        for what in self._whats:  # no model changes the upper bound, so no model is better by it
            name = self.score_name(what, strict, "truth")
            scores.append(mean_score(name, true[what, strict], context, "neither", why=_NOTHING))
        return scores + self._by_label(made[f"recall@{self.by_k}", strict] if self.by else np.empty(0), context)

    @property
    def strict(self) -> Rule:
        """The rule that removes most."""
        return max(self.rules, key=RULES.index)

    @property
    def _whats(self) -> tuple[str, ...]:
        return (*(f"recall@{k}" for k in self.ks), *(f"hits@{k}" for k in self.ks), "map")

    def _by_label(self, hits: Floats, context: Context) -> list[Score]:
        whole, scores = self.score_name(f"recall@{self.by_k}", self.strict), []
        for label in self.by:
            have = np.array([labels.get(label, "") for labels in context.labels])
            for value in sorted(set(have.tolist()) - {""}):
                own = have == value
                score = mean_score(
                    f"{whole}/{label}={value}", np.where(own, hits, np.nan), context, "higher", why=_NOTHING
                )
                scores.append(score.model_copy(update={"excluded": int(own.sum()) - score.pairs}))
            if not (have != "").any():
                why = f"the data set's photographs have no label {label!r}"
                scores.append(Score(name=f"{whole}/{label}", value=None, better="higher", pairs=0, unavailable=why))
        return scores

    def _unavailable(self, why: str, pairs: int) -> list[Score]:
        names = [self.score_name(what, rule) for rule in self.rules for what in self._whats]
        names += [self.score_name(what, self.strict, "truth") for what in self._whats]
        return [Score(name=n, value=None, better="higher", pairs=0, excluded=pairs, unavailable=why) for n in names]


_NOTHING = "no pair has another photograph of the same clothes in the gallery"


@dataclass(frozen=True, eq=False)
class Trial:
    """A gallery of source photographs, and for each of N pairs what is right in it and what is removed from it."""

    index: Index
    right: Sequence[Places]
    """Places in the gallery of the photographs that show the target's clothes, the pair's own two included."""
    own: Places
    """N x 2: places of the pair's target and source; -1 where that photograph is not in the gallery."""

    @classmethod
    def of(cls, sources: Rows, context: Context, labels: Sequence[str]) -> Trial:
        """sources: N x d, each pair's source's embedding; each photograph enters the gallery once."""
        wanted, shown = _classes(context.labels, labels, context), _classes(context.source_labels, labels, context)
        first = {photo: row for row, photo in reversed(list(enumerate(context.source_ids)))}
        index = Index(list(first), sources[np.fromiter(first.values(), np.intp)])
        places: dict[tuple[str, ...], list[int]] = {}
        for place, photo in enumerate(index.ids):
            places.setdefault(shown[first[photo]], []).append(place)
        at = {photo: place for place, photo in enumerate(index.ids)}
        own = [(at.get(t, -1), at.get(s, -1)) for t, s in zip(context.target_ids, context.source_ids, strict=True)]
        right = [np.array(places.get(item, ()), np.intp) for item in wanted]
        return cls(index, right, np.array(own, np.intp).reshape(-1, 2))

    def only(self, pairs: Sequence[int]) -> Trial:
        """The same gallery, for some of the pairs."""
        return Trial(self.index, [self.right[i] for i in pairs], self.own[list(pairs)])

    def removed(self, rule: Rule) -> Places:
        """N x (1 | 2) places."""
        return self.own[:, :1] if rule == "paper" else self.own

    def relevant(self, rule: Rule) -> NDArray[np.intp]:
        """How many right photographs each pair's gallery holds."""
        return np.array(
            [len(np.setdiff1d(r, own)) for r, own in zip(self.right, self.removed(rule), strict=True)], np.intp
        )

    def top(self, queries: Rows, k: int, rule: Rule) -> tuple[Places, NDArray[np.bool_]]:
        """The first k places of each pair's gallery (-1 where it holds fewer), and which are right: N x k."""
        return self._first(self.index.search(queries, k + self.own.shape[1])[0], k, rule)

    def answers(self, queries: Rows, ks: Sequence[int], rules: Sequence[Rule]) -> dict[tuple[str, Rule], Floats]:
        """(``recall@K`` | ``hits@K`` | ``map``, rule) -> one value a pair; NaN where the gallery has nothing right."""
        near = self.index.search(queries, max(ks) + self.own.shape[1])[0]
        both = [np.union1d(right, own[own >= 0]) for right, own in zip(self.right, self.own, strict=True)]
        ranks = self.index.ranks(queries, both)
        found: dict[tuple[str, Rule], Floats] = {}
        for rule in rules:
            hits, relevant = self._first(near, max(ks), rule)[1], self.relevant(rule)
            has: Floats = np.where(relevant > 0, 1.0, np.nan)
            for k in ks:
                found[f"recall@{k}", rule] = hits[:, :k].any(axis=1) * has
                found[f"hits@{k}", rule] = hits[:, :k].sum(axis=1) / np.maximum(relevant, 1) * has
            found["map", rule] = np.array(
                [
                    _average_precision(rank[np.isin(place, right)], rank[np.isin(place, out)])
                    for rank, place, right, out in zip(ranks, both, self.right, self.removed(rule), strict=True)
                ],
                np.float64,
            )
        return found

    def _first(self, near: Places, k: int, rule: Rule) -> tuple[Places, NDArray[np.bool_]]:
        places = np.full((len(near), k), -1, np.intp)
        right = np.zeros((len(near), k), np.bool_)
        for i, (row, out) in enumerate(zip(near, self.removed(rule), strict=True)):
            kept = row[~np.isin(row, out) & (row >= 0)][:k]
            places[i, : len(kept)], right[i, : len(kept)] = kept, np.isin(kept, self.right[i])
        return places, right


def _average_precision(right: Places, removed: Places) -> float:
    """Mean over the right photographs of the share of right ones down to its rank, once ``removed`` ranks are gone."""
    ranks = np.sort(np.setdiff1d(right, removed))
    ranks = ranks - (removed[:, None] < ranks).sum(axis=0)
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else float("nan")


def _classes(of: Sequence[Mapping[str, str]], labels: Sequence[str], context: Context) -> list[tuple[str, ...]]:
    """What each photograph shows. One unlabelled photograph is enough to make right answers look wrong: BenchError."""
    without = len(context.pair_ids) - sum(all(photo.get(label) for label in labels) for photo in of)
    if without:
        raise BenchError(
            f"{without} of {len(context.pair_ids)} pairs' photographs have no label {' and '.join(labels)!r}, "
            "so nothing says which photographs show the same clothes",
            fix="a data set whose Photo.labels have it",
        )
    return [tuple(photo[label] for label in labels) for photo in of]


def _known(setting: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BenchError(f"{setting} = {value!r}", fix=f"one of {', '.join(known)}")
