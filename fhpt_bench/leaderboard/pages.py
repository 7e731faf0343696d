"""What the page of one model shows, and the same few pairs across all models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhpt_bench.leaderboard.gallery import Gallery, GalleryPair, Pictures, choose, spread
from fhpt_bench.leaderboard.view import Board, Column, Row, number

KINDS = {
    "model": "Ranked among models of the same protocol, data and split.",
    "reference": "A reference: it sees what a model sees and does not learn. Shown for scale, never ranked.",
    "oracle": "An oracle: it sees the true image. Shown as a bound, never ranked.",
}


@dataclass(frozen=True)
class Shot:
    """One pair, drawn: ids of its four pictures and its own values."""

    pair_id: str
    pictures: tuple[tuple[str, str], ...]
    """Caption, picture id: source, pose, truth, generated."""
    values: tuple[tuple[str, str], ...]
    """Label, value: the metric it was chosen by first."""


@dataclass(frozen=True)
class Album:
    """The pictures of one metric."""

    column: Column
    middle: str
    worst: tuple[Shot, ...]
    median: tuple[Shot, ...]


@dataclass(frozen=True)
class Page:
    """One model."""

    row: Row
    board: Board
    about: str
    card: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    albums: tuple[Album, ...]
    samples: tuple[Shot, ...]
    """Evenly spaced pairs, where no pair's own scores are at hand to choose by."""


@dataclass(frozen=True)
class Comparison:
    """The same pairs, every model that has images: one line a pair."""

    rows: tuple[Row, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    """Pair id; picture ids of source, pose, truth, then one a row."""


def page(board: Board, row: Row, gallery: Gallery | None, pictures: Pictures, counts: tuple[int, int]) -> Page:
    """The page of ``row``. counts: worst and median pairs of each headline score, and of each other score."""
    albums = () if gallery is None else _albums(board, gallery, pictures, counts)
    samples: tuple[Shot, ...] = ()
    if gallery is not None and not albums:
        ids = set(spread([gallery]))
        samples = tuple(_shot(board, None, p, pictures) for p in gallery.pairs if p.pair.id in ids)
    about = KINDS[row.record.model.kind]
    if row.record.data.limit is not None:
        about += f" Measured on the first {row.record.data.limit} pairs only (--limit), so it is not ranked."
    if row.record.model.undertrained:
        about += f" Undertrained: its training was cut short ({row.record.model.undertrained})."
    return Page(row, board, about, _card(row), _provenance(row), albums, samples)


def compare(board: Board, galleries: Mapping[int, Gallery], pictures: Pictures, count: int = 6) -> Comparison | None:
    """``count`` evenly spaced pairs that every gallery of the board holds; None where no row has images.

    A row whose images are the truth itself is left out: the truth has its own column.
    """
    rows = [row for row in board.rows if row.index in galleries]
    ids = spread([galleries[row.index] for row in rows], count)
    if not ids:
        return None
    lines = []
    for pair_id in ids:
        found = [next(p for p in galleries[row.index].pairs if p.pair.id == pair_id) for row in rows]
        drawn = [pictures.of(pair) for pair in found]
        lines.append((pair_id, drawn[0][:3] + tuple(ids[3] for ids in drawn)))
    kept = [k for k in range(len(rows)) if any(ids[3 + k] != ids[2] for _, ids in lines)]
    trimmed = tuple((pair_id, ids[:3] + tuple(ids[3 + k] for k in kept)) for pair_id, ids in lines)
    return Comparison(tuple(rows[k] for k in kept), trimmed)


def _albums(board: Board, gallery: Gallery, pictures: Pictures, counts: tuple[int, int]) -> tuple[Album, ...]:
    albums = []
    for column in board.columns:
        count = counts[0] if column.headline else 0 if column.parts.key else counts[1]
        choice = choose(gallery, column.name, column.better, count) if count else None
        if column.better == "neither" or choice is None:
            continue
        middle = number(choice.middle, max(column.decimals, 3))
        worst, median = (
            tuple(_shot(board, column, pair, pictures) for pair in pairs) for pairs in (choice.worst, choice.median)
        )
        albums.append(Album(column, middle, worst, median))
    return tuple(albums)


def _shot(board: Board, column: Column | None, pair: GalleryPair, pictures: Pictures) -> Shot:
    ids = pictures.of(pair)
    headline = [board.columns[i] for i in board.headline]
    values = []
    for each in dict.fromkeys([column, *headline] if column else headline):
        value = pair.scores.get(each.name)
        if value is not None and math.isfinite(value):
            twin = sum(other.short == each.short for other in board.columns) > 1
            label = f"{each.short} {each.setting}" if twin and each.setting else each.short
            values.append((label, number(value, max(each.decimals, 3))))
    return Shot(pair.pair.id, tuple(zip(("source", "pose", "truth", "generated"), ids, strict=True)), tuple(values))


def _card(row: Row) -> tuple[tuple[str, str], ...]:
    model = row.record.model
    named = {"source": model.source, "weights sha256": model.weights_sha256 or "", "key": model.key}
    items = {**named, **{str(key).replace("_", " "): flat(value) for key, value in model.card.items()}}
    return tuple((key, value) for key, value in items.items() if value)


def _provenance(row: Row) -> tuple[tuple[str, str], ...]:
    record = row.record
    protocol, data, made = record.protocol, record.data, record.provenance
    items = {
        "protocol": f"{protocol.name} ({'frozen' if protocol.frozen else 'not frozen yet'})",
        "protocol sha256": protocol.sha256,
        "data": f"{data.name}, split {data.split}, {data.pairs} pairs"
        + (f", {data.missing} missing" if data.missing else "")
        + (" (synthetic)" if data.synthetic else ""),
        "data sha256": data.sha256,
        "images sha256": made.images_sha256,
        "people": str(len(record.people)) if record.people else "",
        "seed": str(record.seed),
        "made": made.created,
        "device": made.device,
        "wall time": "; ".join(f"{stage} {seconds:.1f} s" for stage, seconds in made.seconds.items()),
        "versions": flat(made.versions),
        "networks": flat(made.features),
        "command": made.command,
    }
    return tuple((key, value) for key, value in items.items() if value)


def flat(value: Any) -> str:
    """A card's value as one line of text: lists joined, dicts as ``key: value``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {flat(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(flat(item) for item in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value)
