"""Doing it again: scores from the rows that were sent, and rows from the images that were sent."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fhpt_bench.errors import BenchError
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.job import pick_device
from fhpt_bench.harness.measure import measure
from fhpt_bench.harness.reference import training_moments, training_rows, validation_rows
from fhpt_bench.harness.summarise import context
from fhpt_bench.images import decode
from fhpt_bench.record import Record
from fhpt_bench.submission.rows import near
from fhpt_bench.types import Context, Curve, Dataset, Metric, Rows, Score

ROWS_TOLERANCE = 1e-3
"""Relative to the larger of 1 and the number: networks round otherwise elsewhere, a swapped image is far off."""


class _NotHereError(BenchError):
    """A network that this machine lacks, and that a summary needs."""


@dataclass
class Findings:
    """What differs, and what could not be done again, in words."""

    same: int = 0
    """Scores, or metrics, that came out the same."""
    differ: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def scores_again(
    record: Record,
    metrics: Sequence[Metric],
    rows: Mapping[str, Rows],
    unable: Mapping[str, str],
    data: Dataset,
    device: str = "cpu",
) -> Findings:
    """Summarise the rows and hold every field of every score and curve against the record.

    rows: by metric's name; one that is not there must be unavailable in the record. unable: metrics that this machine
    cannot do, and why. Only a summary that reads photographs beside the pairs (training images, validation people)
    runs a network.
    """
    found = Findings()
    left = {score.name: score for score in record.scores}
    lines = {curve.name: curve for curve in record.curves}
    about = _context(record, metrics, data, device)
    for metric in metrics:
        if metric.name in unable:
            found.unchecked.append(f"{metric.name}: {_brief(unable[metric.name])}")
            continue
        absent = left.get(metric.name)
        if metric.name not in rows:
            if absent is not None and absent.value is None:
                del left[metric.name]
                found.unchecked.append(f"{metric.name}: {_brief(absent.unavailable)}")
            else:
                found.differ.append(f"{metric.name}: has scores, but no rows that they come from")
            continue
        try:
            scores = metric.summarise(rows[metric.name], about)
            draw = getattr(metric, "curves", None)
            curves: list[Curve] = draw(rows[metric.name], about) if draw is not None else []
        except BenchError as error:
            _unavailable(metric.name, error, left, found)
            continue
        for score in scores:
            _compare(score.name, score, left.pop(score.name, None), found)
        for curve in curves:
            _compare(f"curve {curve.name}", curve, lines.pop(curve.name, None), found)
    strangers = [*left, *(f"curve {name}" for name in lines)]
    if found.unchecked:  # a metric's scores have names of their own: these may be of those that were not done
        found.unchecked += strangers
    else:
        found.differ += [f"{name}: no metric of the protocol gives it" for name in strangers]
    return found


def _unavailable(name: str, error: BenchError, left: dict[str, Score], found: Findings) -> None:
    """A summary that raised: as it did when the record was made, or only here."""
    why = " ".join(str(error).split())
    mine = left.get(name)
    if mine is not None and mine.value is None and mine.unavailable == why:
        del left[name]
        found.same += 1
    else:
        found.unchecked.append(f"{name}: {_brief(why)}")


def _compare(name: str, ours: Score | Curve, theirs: Score | Curve | None, found: Findings) -> None:
    if theirs is None:
        found.differ.append(f"{name}: its rows give it, the record does not")
        return
    for part, value in ours.model_dump().items():
        said = getattr(theirs, part)
        if not _equal(said, value):
            found.differ.append(f"{name}: {part} is {_short(said)} in the record, {_short(value)} from the rows")
            return
    found.same += 1


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) or isinstance(b, float):
        return near(a, b)
    return bool(a == b)


def _brief(why: str) -> str:
    """What a BenchError says is wrong, without where and how to mend it."""
    return why.partition(" where: ")[0].partition(" fix: ")[0]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 40 else f"{text[:36]}..."


def _context(record: Record, metrics: Sequence[Metric], data: Dataset, device: str) -> Context:
    """As ``execute`` makes it, but networks are built when a summary asks for one."""
    built: dict[str, Networks] = {}

    def networks(feature: str) -> Networks:
        if feature not in built:
            needed = [m for m in metrics if any(need.feature == feature for need in m.needs)]
            built[feature] = Networks(needed, pick_device(device), data.name)
        if feature in built[feature].missing:
            raise _NotHereError(built[feature].missing[feature])
        return built[feature]

    return context(
        data,
        range(record.data.pairs),
        record.seed,
        lambda feature: training_rows(data, networks(feature))(feature),
        lambda feature: validation_rows(data, networks(feature))(feature),
        lambda feature, batch: training_moments(data, networks(feature))(feature, batch),
    )


def rows_again(
    metrics: Sequence[Metric],
    rows: Mapping[str, Rows],
    data: Dataset,
    chosen: Sequence[int],
    image: Callable[[str], bytes],
    device: str,
) -> Findings:
    """Measure the pairs ``chosen`` again from their images, and hold the rows against those that were sent.

    image: pair id -> the bytes of its file. A metric whose network is not here is left unchecked, with the reason.
    """
    found = Findings()

    def read(pair_id: str) -> tuple[Any, str]:
        content = image(pair_id)
        return decode(content, where=pair_id, size=data.size), hashlib.sha256(content).hexdigest()

    with (
        tempfile.TemporaryDirectory(prefix="fhpt-bench-") as folder,
        closing(Networks(metrics, pick_device(device), data.name)) as networks,
    ):
        able = [m for m in metrics if m.name in rows and not networks.why_not(m)]
        found.unchecked += [
            f"{m.name}: {_brief(networks.why_not(m))}" for m in metrics if m.name in rows and networks.why_not(m)
        ]
        again, _ = measure(data, chosen, read, able, networks, Path(folder), batch_size=8, workers=2)
        for metric in able:
            _compare_rows(metric.name, np.array(again[metric.name]), rows[metric.name], data, chosen, found)
        del again  # mapped from the folder
    return found


def _compare_rows(name: str, ours: Rows, theirs: Rows, data: Dataset, chosen: Sequence[int], found: Findings) -> None:
    for place, index in enumerate(chosen):
        a, b = ours[place].astype(np.float64), theirs[index].astype(np.float64)
        apart = ~(np.isclose(a, b, rtol=ROWS_TOLERANCE, atol=ROWS_TOLERANCE, equal_nan=True))
        if apart.any():
            k = int(np.flatnonzero(apart)[0])
            what = f"pair {data[index].id} is {b[k]:.6g} in the rows, {a[k]:.6g} from its image (column {k})"
            found.differ.append(f"{name}: {what}")
            return
    found.same += 1
