"""Rows -> scores: pure, so it costs nothing to do again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.types import Context, Curve, Dataset, Metric, Pair, Photo, PhotoRows, Rows, Score


def context(
    data: Dataset,
    indices: Sequence[int],
    seed: int,
    reference: Callable[[str], Rows] | None = None,
    validation: Callable[[str], PhotoRows] | None = None,
    moments: Callable[[str, int], tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None,
) -> Context:
    """What the metrics' summaries may know of the pairs beside their rows."""
    pairs: list[Pair] = [data[i] for i in indices]
    return Context(
        pair_ids=[p.id for p in pairs],
        people=[p.target.person for p in pairs],
        target_ids=[p.target.id for p in pairs],
        source_ids=[p.source.id for p in pairs],
        seed=seed,
        labels=[p.target.labels for p in pairs],
        source_labels=[p.source.labels for p in pairs],
        source_face=[_shows_face(p.source) for p in pairs],
        target_face=[_shows_face(p.target) for p in pairs],
        reference=reference,
        validation=validation,
        moments=moments,
    )


def _shows_face(photo: Photo) -> bool:
    return photo.pose.face is not None and photo.pose.face.box is not None


def summarise(metrics: Sequence[Metric], rows: Mapping[str, Rows], networks: Networks, about: Context) -> list[Score]:
    """Every score of every metric, in protocol order; a metric without its network says why, and is never left
    out."""
    scores: list[Score] = []
    for metric in metrics:
        if why := networks.why_not(metric):
            scores.append(Score(name=metric.name, value=None, better="neither", pairs=0, unavailable=why))
            continue
        try:
            scores.extend(metric.summarise(rows[metric.name], about))
        except BenchError as error:  # a reference set or a network that only the summary needs
            reason = " ".join(str(error).split())
            scores.append(Score(name=metric.name, value=None, better="neither", pairs=0, unavailable=reason))
    return scores


def curves(metrics: Sequence[Metric], rows: Mapping[str, Rows], networks: Networks, about: Context) -> list[Curve]:
    """The curves of every metric that draws some and could be measured."""
    drawn: list[Curve] = []
    for metric in metrics:
        draw = getattr(metric, "curves", None)
        if draw is not None and not networks.why_not(metric):
            with suppress(BenchError):  # its scores say why
                drawn.extend(draw(rows[metric.name], about))
    return drawn
