"""FHPT's Fig. 9 as a page: a generated image, the ten photographs it finds, the right and the wrong ones marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from markupsafe import Markup

from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.measure import metric_slug
from fhpt_bench.leaderboard.gallery import Gallery, Pictures
from fhpt_bench.leaderboard.view import number
from fhpt_bench.paths import atomic, shipped
from fhpt_bench.record import Record, read_record
from fhpt_bench.types import Context, Rows

if TYPE_CHECKING:
    from fhpt_bench.metrics.retrieval import Retrieval, Trial
    from fhpt_bench.retrieval import Floats

TOP = 10
SPREAD, WORST = 8, 6
"""Queries of people spread evenly, and of those that fare worst; one a person."""


@dataclass(frozen=True)
class Answer:
    """One photograph of the gallery that was found."""

    picture: str
    photo: str
    right: bool


@dataclass(frozen=True)
class Query:
    """One generated image and what it found, best first. ``generated``, ``truth``: ids of pictures."""

    pair_id: str
    generated: str
    truth: str
    answers: tuple[Answer, ...]
    relevant: int
    """How many right photographs the gallery holds."""
    precision: str
    """Average precision over the whole ranking."""

    @property
    def found(self) -> int:
        return sum(answer.right for answer in self.answers)


def write(folder: Path, backbone: str = "vgg", protocol: str | Path | None = None, out: Path | None = None) -> Path:
    """Write the page of a finished run to ``out`` (default: ``retrieval.html`` in the run folder); its path.

    Reads the rows and images of the run; no network runs. protocol: the file, where the run's protocol is not a shipped
    one. BenchError where the run has no rows of that retrieval network, or its images are gone.
    """
    from fhpt_bench.pictures import galleries

    record = read_record(folder)
    metric = _metric(record, protocol, backbone)
    path = RunFolder(folder).rows / metric_slug(metric.name) / "rows.npy"
    if metric.feature not in record.provenance.features or not path.is_file():  # rows that lie there are an older run's
        why = next((s.unavailable for s in record.scores if s.name == metric.name), "not measured")
        raise BenchError(f"{metric.name} has no rows here: {why}", where=folder, fix="run or score again, with it")
    rows: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.shape != (record.data.pairs, metric.columns):
        raise BenchError(f"{metric.name}: rows of shape {rows.shape}", where=path, fix="run or score again")
    gallery = galleries([record], [folder]).get(0)
    if gallery is None:
        raise BenchError("the run's images are not at hand", where=folder, fix="run or score again")
    page = out or folder / "retrieval.html"
    with atomic(page, "w") as file:
        file.write(to_html(record, metric, rows, gallery))
    return page


def _metric(record: Record, protocol: str | Path | None, backbone: str) -> Retrieval:
    from fhpt_bench.metrics.retrieval import Retrieval

    loaded = protocols.load(record.protocol.name if protocol is None else protocol)
    if loaded.sha256 != record.protocol.sha256:
        raise BenchError(
            f"the run was measured under another protocol than {loaded.name} as it is now", fix="score it again"
        )
    for metric in loaded.build():
        if isinstance(metric, Retrieval) and metric.backbone == backbone:
            return metric
    raise BenchError(f"{loaded.name} has no retrieval by the backbone {backbone!r}", fix="choose another --backbone")


def to_html(record: Record, metric: Retrieval, rows: Rows, gallery: Gallery) -> str:
    """The page as text, self-contained and without scripts. rows: of ``metric``, row i for ``gallery.pairs[i]``."""
    trial = metric.trial(rows, _context(gallery, record.seed))
    precision = trial.answers(metric.generated(rows), (TOP,), (metric.strict,))["map", metric.strict]
    pictures = Pictures()
    spread = _spread(gallery, precision)
    worst = _worst(gallery, precision, spread)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("leaderboard") / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("retrieval.html.j2").render(
        style=Markup((shipped("leaderboard") / "templates" / "page.css").read_text("utf-8")),
        record=record,
        metric=metric,
        gallery=len(trial.index),
        table=_table(record, metric),
        sections=[
            ("Spread over people", _queries(spread, trial, metric, rows, gallery, precision, pictures)),
            ("Least precise", _queries(worst, trial, metric, rows, gallery, precision, pictures)),
        ],
        pictures=pictures.uris,
    )


def _context(gallery: Gallery, seed: int) -> Context:
    pairs = [p.pair for p in gallery.pairs]
    return Context(
        pair_ids=[p.id for p in pairs],
        people=[p.target.person for p in pairs],
        target_ids=[p.target.id for p in pairs],
        source_ids=[p.source.id for p in pairs],
        seed=seed,
        labels=[p.target.labels for p in pairs],
        source_labels=[p.source.labels for p in pairs],
    )


def _spread(gallery: Gallery, precision: Floats) -> list[int]:
    """The middle pair of each of ``SPREAD`` people, evenly spaced in the order of their ids."""
    own: dict[str, list[int]] = {}
    for i, each in enumerate(gallery.pairs):
        if not np.isnan(precision[i]):
            own.setdefault(each.pair.target.person, []).append(i)
    people = sorted(own)
    count = min(SPREAD, len(people))
    chosen = [people[(2 * k + 1) * len(people) // (2 * count)] for k in range(count)]
    return [own[person][len(own[person]) // 2] for person in chosen]


def _worst(gallery: Gallery, precision: Floats, shown: Sequence[int]) -> list[int]:
    """The least precise pairs that are not shown yet, one a person; equal ones in the order of pair ids."""
    valued = [i for i in range(len(precision)) if not np.isnan(precision[i])]
    order = sorted(valued, key=lambda i: (precision[i], gallery.pairs[i].pair.id))
    first: dict[str, int] = {}
    for i in order:
        if i not in shown:
            first.setdefault(gallery.pairs[i].pair.target.person, i)
    return list(first.values())[:WORST]


def _queries(
    chosen: Sequence[int],
    trial: Trial,
    metric: Retrieval,
    rows: Rows,
    gallery: Gallery,
    precision: Floats,
    pictures: Pictures,
) -> list[Query]:
    if not chosen:
        return []
    some = trial.only(chosen)
    places, right = some.top(metric.generated(rows)[list(chosen)], TOP, metric.strict)
    photos = {p.pair.source.id: p.pair.source for p in gallery.pairs}
    queries = []
    for i, near, correct, relevant in zip(chosen, places, right, some.relevant(metric.strict), strict=True):
        found = [
            (photos[trial.index.ids[place]], bool(good))
            for place, good in zip(near, correct, strict=True)
            if place >= 0
        ]
        pair = gallery.pairs[i]
        queries.append(
            Query(
                pair.pair.id,
                pictures.add(pair.generated()),
                pictures.add(pair.pair.target.image),
                tuple(Answer(pictures.add(photo.read()), photo.id, good) for photo, good in found),
                int(relevant),
                number(float(precision[i]), 3),
            )
        )
    return queries


def _table(record: Record, metric: Retrieval) -> list[tuple[str, list[str]]]:
    """Rows of numbers: heading, then recall at each K and mAP, of the model by rule and of the true images."""
    whats = [*(f"recall@{k}" for k in metric.ks), "map"]
    lines: list[tuple[str, tuple[str, ...]]] = [(f"{record.model.name}, {r}", (r,)) for r in reversed(metric.rules)]
    lines.insert(1, (f"true images, {metric.strict}", (metric.strict, "truth")))
    have = {score.name: score for score in record.scores}
    table = []
    for heading, parts in lines:
        scores = [have.get(metric.score_name(what, *parts)) for what in whats]
        table.append((heading, ["\u2014" if s is None or s.value is None else number(s.value, 3) for s in scores]))
    return table
