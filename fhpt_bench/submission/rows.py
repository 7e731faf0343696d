"""What can be checked of a record alone: shapes, hashes, intervals around their values, means from their sums.

``leaderboard/rows/<protocol>/<model>.json`` is such a record; a row that somebody contributes passes these checks.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

from fhpt_bench import protocol as protocols
from fhpt_bench import registry
from fhpt_bench.datasets import PREPARED
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.models import slug
from fhpt_bench.intervals import MAX_GROUPS
from fhpt_bench.paths import shipped
from fhpt_bench.record import Record
from fhpt_bench.types import Score

TOLERANCE = 1e-6
"""Relative to the larger of 1 and the number itself."""
_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"(.+)@\d{1,5}x\d{1,5}")


def near(a: float | None, b: float | None) -> bool:
    """Equal but for rounding; None equals None alone."""
    if a is None or b is None:
        return a is b
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b)) or (math.isnan(a) and math.isnan(b))


def inconsistent(record: Record) -> list[str]:
    """Every way in which a record contradicts itself; empty where it does not."""
    found = [f"{what} is no sha256" for what, value in _hashes(record).items() if not _HEX.fullmatch(value)]
    found += [f"{name} is there twice" for name, count in Counter(s.name for s in record.scores).items() if count > 1]
    if not record.people or list(record.people) != sorted(set(record.people)):
        found.append("people are none, or not sorted")
    if record.data.pairs < 1 or (record.data.limit is not None and record.data.limit != record.data.pairs):
        found.append(f"{record.data.pairs} pairs, limit {record.data.limit}")
    headline = {name for names in record.protocol.headline.values() for name in names}
    measured = {score.name for score in record.scores}
    absent = {score.name for score in record.scores if score.value is None}
    for name in sorted(headline - measured):
        if not any(name == lost or re.match(re.escape(lost) + r"\W", name) for lost in absent):
            found.append(f"no score {name}, and nothing says why")
    return found + [f"{score.name}: {why}" for score in record.scores for why in _score(score, record)]


def _hashes(record: Record) -> dict[str, str]:
    found = {
        "the model's key": record.model.key,
        "the protocol's hash": record.protocol.sha256,
        "the data set's hash": record.data.sha256,
        "the images' hash": record.provenance.images_sha256,
    }
    return found | ({"the weights' hash": record.model.weights_sha256} if record.model.weights_sha256 else {})


def _score(score: Score, record: Record) -> list[str]:
    if score.value is None:
        return [] if score.unavailable else ["no value, and no reason"]
    found = ["a value, and a reason why there is none"] if score.unavailable else []
    if not math.isfinite(score.value):
        found.append(f"value {score.value}")
    if (score.low is None) != (score.high is None):
        found.append("half an interval")
    elif score.low is not None and score.high is not None and not score.low <= score.value <= score.high:
        found.append(f"{score.value} is outside its interval [{score.low}, {score.high}]")
    if score.pairs < 1 or score.excluded < 0:  # may be more than the data set's: of photographs, of validation people
        found.append(f"rests on {score.pairs} pairs, {score.excluded} excluded")
    people = len(record.people)
    for name, kept in (("sums", score.sums), ("counts", score.counts)):
        if kept is not None and len(kept) != people:
            found.append(f"{len(kept)} {name} for {people} people")
    if score.without is not None and len(score.without) not in (0, min(people, MAX_GROUPS)):
        found.append(f"{len(score.without)} values without a person, for {people} people")
    if score.sums is not None and score.counts is not None and sum(score.counts) > 0:
        mean = sum(score.sums) / sum(score.counts)
        if not near(mean, score.value):
            found.append(f"{score.value}, but its people's sums give {mean}")
    return found


def known(record: Record) -> str:
    """Where this record's protocol hash is known from: ``ships``, ``changelog``, or empty."""
    if _ships(record):
        return "ships"
    name = record.protocol.name
    said = re.findall(rf"`{re.escape(name)}`, sha256 `([0-9a-f]{{12}})\.\.\.`", changelog())
    return "changelog" if record.protocol.sha256[:12] in said else ""


def _ships(record: Record) -> bool:
    base = match[1] if (match := _SIZE.fullmatch(record.protocol.name)) else record.protocol.name
    return base in protocols.names() and protocols.load(record.protocol.name).sha256 == record.protocol.sha256


def changelog() -> str:
    """The CHANGELOG of a checkout; empty where fhpt-bench is installed without one."""
    path = shipped("protocols").parent / "CHANGELOG.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def misplaced(record: Record, path: Path) -> str:
    """Why a row does not belong where it lies, ``rows/<protocol>/<model>.json``; empty where it does, or elsewhere."""
    if path.resolve().parent.parent.name != "rows":
        return ""
    wanted = f"{slug(record.protocol.name)}/{slug(record.model.name)}.json"
    if f"{path.resolve().parent.name}/{path.name}" != wanted:
        return f"it belongs in rows/{wanted}"
    if record.data.limit is not None or record.data.missing:
        return "a row over a part of the pairs is never ranked, and does not belong among the rows"
    if record.data.name not in registry.names("datasets") and record.data.name not in PREPARED:
        return f"no data set is called {record.data.name!r} here: nobody could measure the row again"
    if not known(record):
        return (
            f"no protocol {record.protocol.name} with hash {record.protocol.sha256[:12]} ships or is in the CHANGELOG"
        )
    return ""


def same_headline(record: Record) -> bool:
    """Of a protocol that ships: the record names the same leading scores, and says the same of its being frozen."""
    try:
        protocol = protocols.load(record.protocol.name)
    except BenchError:
        return True
    if protocol.sha256 != record.protocol.sha256:
        return True
    return (record.protocol.headline, record.protocol.frozen) == (protocol.headline, protocol.frozen)
