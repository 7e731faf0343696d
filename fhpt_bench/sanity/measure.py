"""Every damage at every dose through the harness, as any model is measured; then what the answers say."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.errors import BenchError
from fhpt_bench.generators import Stranger, Truth
from fhpt_bench.harness.execute import execute
from fhpt_bench.harness.job import Job, resolve
from fhpt_bench.harness.models import Model, slug
from fhpt_bench.progress import progress
from fhpt_bench.record import ModelCard, Record, read_record
from fhpt_bench.sanity import damage as damages
from fhpt_bench.sanity import pixels
from fhpt_bench.sanity.damage import DAMAGES, Damage, Damaged
from fhpt_bench.types import Dataset, Mask, Pair, Photo, Score

PAIRS = 96
BLIND = 0.05
"""Less than this share of the way from the truth to a stranger is called blind."""


class Spread:
    """``count`` pairs of a data set, evenly spaced, so that all its people are among them."""

    def __init__(self, data: Catwalk, count: int) -> None:
        if not 2 <= count <= len(data):
            raise BenchError(f"{count} pairs of {len(data)}", fix=f"from 2 to {len(data)}")
        self._data, self._at = data, [round(i * (len(data) - 1) / (count - 1)) for i in range(count)]
        self.name, self.split, self.size, self.synthetic = data.name, data.split, data.size, data.synthetic
        self.sha256 = hashlib.sha256(f"{data.sha256} {self._at}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, index: int) -> Pair:
        return self._data[self._at[index]]

    def photos(self) -> Sequence[Photo]:
        return self._data.photos()

    def regions(self, pair: Pair) -> Mapping[str, Mask]:
        return self._data.regions(pair)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copying asks before there is any data
            raise AttributeError(name)
        return getattr(self._data, name)


class Answer(BaseModel):
    """What one score says; ``way``: its share of the way from the truth (0) to a stranger's photograph (1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None
    way: float | None = None
    unavailable: str = ""


class Dose(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    damage: str
    dose: float
    unit: str
    answers: dict[str, Answer]
    """By score name."""


class Report(BaseModel):
    """All answers. ``truth`` is no damage, ``stranger`` another person's photograph in nearly the right pose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    protocol_sha256: str
    data: str
    data_sha256: str
    pairs: int
    people: int
    headline: tuple[str, ...]
    better: dict[str, Literal["higher", "lower", "neither"]]
    truth: dict[str, Answer]
    stranger: dict[str, Answer]
    doses: tuple[Dose, ...]

    def of(self, damage: str) -> list[Dose]:
        """The doses of one damage, weakest first."""
        return [dose for dose in self.doses if dose.damage == damage]


@dataclass(frozen=True)
class Claim:
    """What must be seen if the measures measure: ``score`` answers ``damage``, or is blind to it."""

    damage: str
    score: str
    blind: bool = False


CLAIMS = (
    Claim("face-replaced", "face-distance[target]"),
    Claim("hands-erased", "kec[all]/hands"),
    Claim("arms-moved", "kec[all]/body"),
    Claim("pattern-removed", "map[vgg,other-views]"),
    Claim("recoloured", "map[vgg,other-views]"),
    Claim("gender-swapped", "gender-error[vgg]"),
    Claim("blur", "lpips[vgg]"),
    Claim("noise", "fid[clean]"),
    Claim("face-replaced", "ssim[gauss1.5]", blind=True),
)


def measure(
    out: Path,
    *,
    protocol: str | Path = "catwalk-v1",
    pairs: int = PAIRS,
    only: Sequence[str] = (),
    device: str = "auto",
    workers: int = 2,
    show: bool | None = None,
) -> Report:
    """Measure truth, stranger and every dose on ``pairs`` pairs of Catwalk's test people; run folders go into ``out``.

    only: names of damages, all where empty. A dose whose record is there is not measured again. BenchError for an
    unknown damage, and for protocols whose image size is not Catwalk's.
    """
    chosen = _chosen(only)
    data = Catwalk("test")
    spread: Dataset = Spread(data, pairs)
    job = resolve(protocol, spread, "test", None, device, 0, 8, workers, False)
    models = [_reference("truth", Truth()), _reference("stranger", Stranger(data))]
    models += [_model(data, damage, dose) for damage in chosen for dose in damage.doses]
    records = []
    with progress("sanity", len(models), unit="rows", show=show) as advance:
        for model in models:
            records.append(_record(job, model, out / slug(model.card.name)))
            advance(1)
    doses = [(damage, dose) for damage in chosen for dose in damage.doses]
    return report(records[0], records[1], list(zip(doses, records[2:], strict=True)))


def _chosen(only: Sequence[str]) -> list[Damage]:
    known = {damage.name: damage for damage in DAMAGES}
    if unknown := [name for name in only if name not in known]:
        raise BenchError(f"no damage is called {unknown[0]!r}", fix=f"one of {', '.join(known)}")
    return [known[name] for name in known if not only or name in only]


def _reference(name: str, generator: Any) -> Model:
    key = hashlib.sha256(Path(inspect.getfile(type(generator))).read_bytes()).hexdigest()
    return Model(ModelCard(name=name, kind=generator.kind, source="reference generator", key=key), generator)


def _model(data: Catwalk, damage: Damage, dose: float) -> Model:
    generator = Damaged(data, damage, dose)
    code = b"".join(Path(inspect.getfile(module)).read_bytes() for module in (damages, pixels))
    key = hashlib.sha256(f"{generator.card}".encode() + code).hexdigest()
    card = ModelCard(
        name=str(generator.card["name"]), kind="oracle", source="sanity", key=key, card=dict(generator.card)
    )
    return Model(card, generator)


def _record(job: Job, model: Model, where: Path) -> Record:
    if (where / "record.json").is_file():
        record = read_record(where)
        if record.group == (job.protocol.sha256, job.data.sha256, job.data.split, None) and (
            record.model.key == model.card.key
        ):
            return record
    return execute(job, model, where)


def report(truth: Record, stranger: Record, found: Sequence[tuple[tuple[Damage, float], Record]]) -> Report:
    """The records' scores as answers."""
    ends = {s.name: (s, stranger.score(s.name)) for s in truth.scores}
    return Report(
        protocol=truth.protocol.name,
        protocol_sha256=truth.protocol.sha256,
        data=truth.data.name,
        data_sha256=truth.data.sha256,
        pairs=truth.data.pairs,
        people=len(truth.people),
        headline=tuple(_flat(truth.protocol.headline)),
        better={s.name: s.better for s in truth.scores},
        truth={s.name: _answer(s, None) for s in truth.scores},
        stranger={s.name: _answer(s, None) for s in stranger.scores},
        doses=tuple(
            Dose(
                damage=damage.name,
                dose=dose,
                unit=damage.unit,
                answers={s.name: _answer(s, ends.get(s.name)) for s in record.scores},
            )
            for (damage, dose), record in found
        ),
    )


def _flat(headline: Any) -> Iterator[str]:
    for each in headline.values() if isinstance(headline, Mapping) else [headline]:
        yield from each


def _answer(score: Score, ends: tuple[Score, Score] | None) -> Answer:
    way = None
    if ends is not None and None not in (score.value, ends[0].value, ends[1].value):
        a, b = float(ends[0].value or 0), float(ends[1].value or 0)
        way = (float(score.value or 0) - a) / (b - a) if abs(b - a) > 1e-9 else None
    return Answer(value=score.value, low=score.low, high=score.high, way=way, unavailable=score.unavailable)


def answers(found: Report, damage: str, score: str) -> bool:
    """Whether a score answers: worse with every dose, and with the strongest beyond its interval of no damage."""
    none, doses = found.truth[score], [dose.answers[score] for dose in found.of(damage)]
    values = [none.value, *(a.value for a in doses)]
    if not doses or any(v is None for v in values):
        return False
    sign = -1.0 if found.better[score] == "higher" else 1.0
    worse = [sign * float(v) for v in values if v is not None]
    edge = none.low if sign < 0 else none.high
    return worse == sorted(worse) and worse[-1] > sign * float(edge if edge is not None else values[0] or 0)


def claims(found: Report) -> list[Claim]:
    """Those of ``CLAIMS`` whose damage was measured under a protocol with their score."""
    measured = {dose.damage for dose in found.doses}
    return [claim for claim in CLAIMS if claim.damage in measured and claim.score in found.truth]


def holds(found: Report, claim: Claim) -> bool:
    """Whether a claim is seen. Blind: the strongest dose moves the score less than ``BLIND`` of the way to a
    stranger."""
    if not claim.blind:
        return answers(found, claim.damage, claim.score)
    doses = found.of(claim.damage)
    return bool(doses) and (way := doses[-1].answers[claim.score].way) is not None and abs(way) < BLIND
