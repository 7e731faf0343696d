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
from fhpt_bench.generators import Blank, Stranger, Truth
from fhpt_bench.harness.execute import execute
from fhpt_bench.harness.job import Job, resolve
from fhpt_bench.harness.models import Model, slug
from fhpt_bench.progress import progress
from fhpt_bench.record import ModelCard, Record, read_record
from fhpt_bench.sanity import damage as damages
from fhpt_bench.sanity import pixels
from fhpt_bench.sanity.damage import DAMAGES, Damage, Damaged
from fhpt_bench.types import Dataset, Mask, Pair, Photo

PAIRS = 96
BLIND = 0.05
"""Less than this share of the way from the truth to the worst reference is called blind."""


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
    """What one score says of one row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None
    unavailable: str = ""


class Dose(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    damage: str
    dose: float
    unit: str
    answers: dict[str, Answer]
    """By score name."""


class Report(BaseModel):
    """All answers. ``truth`` is no damage; ``references``: ``stranger`` and ``blank``, how bad a row can be."""

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
    references: dict[str, dict[str, Answer]]
    doses: tuple[Dose, ...]

    def of(self, damage: str) -> list[Dose]:
        """The doses of one damage, weakest first."""
        return [dose for dose in self.doses if dose.damage == damage]

    def worst(self, score: str) -> tuple[str, Answer] | None:
        """The reference farthest from the truth in this score; None where the truth or both references have no value,
        or all are alike. A stranger's hands are nearly as good as true ones: there white paper is the scale."""
        truth = self.truth[score].value
        far = {
            name: abs(answers[score].value - truth)  # type: ignore[operator]
            for name, answers in self.references.items()
            if truth is not None and answers[score].value is not None
        }
        name = max(far, key=lambda each: far[each], default="")
        return (name, self.references[name][score]) if name and far[name] > 1e-9 else None

    def way(self, score: str, value: float | None) -> float | None:
        """``value`` as a share of the way from the truth (0) to the worst reference (1); None without a scale."""
        truth, worst = self.truth[score].value, self.worst(score)
        if value is None or truth is None or worst is None or worst[1].value is None:
            return None
        return (value - truth) / (worst[1].value - truth)


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
    """Measure truth, references and every dose on ``pairs`` pairs of Catwalk's test people; runs go into ``out``.

    only: names of damages, all where empty. A dose whose record is there is not measured again. BenchError for an
    unknown damage, and for protocols whose image size is not Catwalk's.
    """
    chosen = _chosen(only)
    data = Catwalk("test")
    spread: Dataset = Spread(data, pairs)
    job = resolve(protocol, spread, "test", None, device, 0, 8, workers, False)
    models = [_reference("truth", Truth()), _reference("stranger", Stranger(data)), _reference("blank", Blank())]
    models += [_model(data, damage, dose) for damage in chosen for dose in damage.doses]
    records = []
    with progress("sanity", len(models), unit="rows", show=show) as advance:
        for model in models:
            records.append(_record(job, model, out / slug(model.card.name)))
            advance(1)
    doses = [(damage, dose) for damage in chosen for dose in damage.doses]
    return report(records[0], records[1:3], list(zip(doses, records[3:], strict=True)))


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


def report(truth: Record, references: Sequence[Record], found: Sequence[tuple[tuple[Damage, float], Record]]) -> Report:
    """The records' scores as answers."""
    return Report(
        protocol=truth.protocol.name,
        protocol_sha256=truth.protocol.sha256,
        data=truth.data.name,
        data_sha256=truth.data.sha256,
        pairs=truth.data.pairs,
        people=len(truth.people),
        headline=tuple(_flat(truth.protocol.headline)),
        better={s.name: s.better for s in truth.scores},
        truth=_answers(truth),
        references={record.model.name: _answers(record) for record in references},
        doses=tuple(
            Dose(damage=damage.name, dose=dose, unit=damage.unit, answers=_answers(record))
            for (damage, dose), record in found
        ),
    )


def _flat(headline: Any) -> Iterator[str]:
    for each in headline.values() if isinstance(headline, Mapping) else [headline]:
        yield from each


def _answers(record: Record) -> dict[str, Answer]:
    return {s.name: Answer(value=s.value, low=s.low, high=s.high, unavailable=s.unavailable) for s in record.scores}


def answers(found: Report, damage: str, score: str) -> bool:
    """Whether a score answers: worse with every dose, and with the strongest beyond its interval of no damage."""
    none, doses = found.truth[score], [dose.answers[score] for dose in found.of(damage)]
    values = [none.value, *(a.value for a in doses)]
    if not doses or any(v is None for v in values) or found.better[score] == "neither":
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
    """Whether a claim is seen. Blind: the strongest dose moves the score less than ``BLIND`` of the way to the worst
    reference."""
    if not claim.blind:
        return answers(found, claim.damage, claim.score)
    doses = found.of(claim.damage)
    way = found.way(claim.score, doses[-1].answers[claim.score].value) if doses else None
    return way is not None and abs(way) < BLIND
