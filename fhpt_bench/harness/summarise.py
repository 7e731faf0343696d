"""Rows -> scores: pure, so it costs nothing to do again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.types import Context, Dataset, Metric, Pair, Rows, Score


def context(
    data: Dataset, indices: Sequence[int], seed: int, reference: Callable[[str], Rows] | None = None
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
        reference=reference,
    )


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
