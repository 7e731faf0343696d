"""Records -> one pandas table: which rows may stand together, who is best, and who cannot be told from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import difference
from fhpt_bench.leaderboard.families import family_of, order
from fhpt_bench.record import Record
from fhpt_bench.types import Score

COLUMNS = (
    "group", "protocol", "protocol_sha256", "data", "split", "data_sha256", "limit", "row", "model", "kind", "ranked",
    "family", "score", "value", "low", "high", "better", "pairs", "excluded", "unavailable", "rank", "best", "tied",
    "undertrained",
)  # fmt: skip
"""Columns of ``table``."""


@dataclass(frozen=True)
class Standing:
    """Where one row stands in one column. All empty for a row that is not ranked or has no value."""

    rank: int | None = None
    """1 is best; equal values share a rank."""
    best: bool = False
    tied: bool | None = None
    """The interval of the paired difference from the best holds 0. None: not known (published rows)."""


def ranked(record: Record) -> bool:
    """Models that were measured on all pairs; references and oracles are shown and never ranked."""
    return record.model.kind == "model" and record.data.limit is None and not record.data.missing


def groups(records: Sequence[Record]) -> list[list[int]]:
    """Indices of the records that may stand in one table: one protocol, data set, split and limit (``Record.group``).

    Order: as the records come; inside a group too. Raises BenchError where there is no record.
    """
    if not records:
        raise BenchError("no record to show", fix="run a model first: fhpt-bench run --model drn")
    found: dict[tuple[str, str, str, int | None], list[int]] = {}
    for index, record in enumerate(records):
        found.setdefault(record.group, []).append(index)
    return list(found.values())


def score_names(records: Sequence[Record]) -> list[str]:
    """Every score of the records once: the protocol's headline first, then the rest, family by family."""
    present = dict.fromkeys(score.name for record in records for score in record.scores)
    headline = records[0].protocol.headline
    leading = [name for names in headline.values() for name in names if name in present]
    families = order(headline)
    rest = sorted(present, key=lambda name: families.index(family_of(name, headline)))
    return list(dict.fromkeys([*leading, *rest]))


def standings(records: Sequence[Record], name: str) -> list[Standing]:
    """Standing of each record of one group in the column ``name``."""
    scores = [next((score for score in record.scores if score.name == name), None) for record in records]
    runners = {
        index: score
        for index, (record, score) in enumerate(zip(records, scores, strict=True))
        if score is not None and score.value is not None and score.better != "neither" and ranked(record)
    }
    if not runners:
        return [Standing() for _ in records]
    sign = -1.0 if next(iter(runners.values())).better == "higher" else 1.0
    keys = {index: sign * float(score.value or 0.0) for index, score in runners.items()}
    first = min(keys, key=lambda index: keys[index])
    result = []
    for index in range(len(records)):
        if index not in runners:
            result.append(Standing())
            continue
        rank = 1 + sum(other < keys[index] for other in keys.values())
        tied = False if rank == 1 else _tied(records[first], records[index], runners[first], runners[index])
        result.append(Standing(rank, rank == 1, tied))
    return result


def _tied(best: Record, other: Record, a: Score, b: Score) -> bool | None:
    if not best.people or best.people != other.people:
        return None
    try:
        found = difference(a, b)
    except BenchError:  # one of the two keeps nothing a comparison could be made from
        return None
    kept = a.sums is not None or a.without is not None
    return found.tie if kept else None


def table(records: Sequence[Record]) -> pd.DataFrame:
    """Every score of every record, in long form: one row a record and score, with the columns of ``COLUMNS``.

    ``group`` numbers the tables that rows may be compared in (0, 1, ...): rows of different protocol hashes, data
    hashes, splits or ``--limit`` are in different groups. ``row`` is the record's place in ``records``.
    ``family``: ``families.family_of``. ``value``,
    ``low``, ``high``: float, NaN where unavailable; ``rank``: 1 is best, <NA> where not ranked; ``tied``: cannot be
    told from the best, <NA> where not known. ``undertrained``: ``ModelCard.undertrained``, mostly empty.
    """
    lines = []
    for number, members in enumerate(groups(records)):
        group = [records[index] for index in members]
        for name in score_names(group):
            for index, record, stand in zip(members, group, standings(group, name), strict=True):
                score = next((score for score in record.scores if score.name == name), None)
                if score is not None:
                    lines.append(_line(number, index, record, score, stand))
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    floats = dict.fromkeys(("value", "low", "high"), "float64")
    return frame.astype({**floats, "limit": "Int64", "rank": "Int64", "tied": "boolean"})


def _line(group: int, row: int, record: Record, score: Score, stand: Standing) -> tuple[object, ...]:
    protocol, data = record.protocol, record.data
    return (
        group, protocol.name, protocol.sha256, data.name, data.split, data.sha256, data.limit, row, record.model.name,
        record.model.kind, ranked(record), family_of(score.name, protocol.headline), score.name, score.value,
        score.low, score.high, score.better, score.pairs, score.excluded, score.unavailable,
        stand.rank, stand.best, stand.tied, record.model.undertrained,
    )  # fmt: skip


def wide(frame: pd.DataFrame, what: str = "value") -> pd.DataFrame:
    """``table`` with one row a record (index: group, row, model, kind), one column a score; cells: ``what``."""
    order = list(dict.fromkeys(frame["score"]))
    return frame.pivot(index=["group", "row", "model", "kind"], columns="score", values=what)[order]
