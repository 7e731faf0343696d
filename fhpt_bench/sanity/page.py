"""The sanity page: what was claimed, every headline score's answer to every damage, and what the damage looks like."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2
import numpy as np
from PIL import Image as Pillow

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.leaderboard.view import number
from fhpt_bench.paths import shipped
from fhpt_bench.sanity.damage import DAMAGES, Damage, Scene
from fhpt_bench.sanity.measure import BLIND, Answer, Report, answers, claims, holds

SHOWN = (57, 233)
"""Test pairs whose targets are shown damaged: a woman to the knee, and a whole figure."""
_WIDTH, _HEIGHT, _TOP = 64, 26, 1.25


@dataclass(frozen=True)
class Cell:
    """One score's answer to one damage: a line over the doses, y = share of the way to the worst reference."""

    points: str
    """The line, for SVG."""
    band: str
    """Its intervals, as a polygon."""
    way: str
    """Share at the strongest dose, as text."""
    state: str
    """``answers`` | ``blind`` | ``unclear`` | ``none``: what the cell is marked as."""
    title: str
    """All numbers, for readers who point at it."""


@dataclass(frozen=True)
class Line:
    damage: Damage
    pictures: str
    """Data URI: each shown target as it is and at every dose."""
    cells: tuple[Cell, ...]


def to_html(found: Report, data: Catwalk) -> str:
    """The page, self-contained: no script, no outside request."""
    columns = [name for name in found.headline if name in found.truth]
    columns += dict.fromkeys(claim.score for claim in claims(found) if claim.score not in columns)
    measured = {dose.damage for dose in found.doses}
    lines = [
        Line(damage, _pictures(damage, data), tuple(_cell(found, damage.name, name) for name in columns))
        for damage in DAMAGES
        if damage.name in measured
    ]
    verdicts = [(claim, holds(found, claim), _said(found, claim.damage, claim.score)) for claim in claims(found)]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("leaderboard") / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("sanity.html.j2").render(
        report=found,
        columns=columns,
        arrows={name: {"higher": "\u2191", "lower": "\u2193"}.get(found.better[name], "") for name in columns},
        lines=lines,
        claims=verdicts,
        blind=round(100 * BLIND),
        size=(_WIDTH, _HEIGHT),
        zero=_y(0),
    )


def _cell(found: Report, damage: str, score: str) -> Cell:
    doses = [dose.answers[score] for dose in found.of(damage)]
    shares = [found.way(score, answer.value) for answer in doses]
    if any(share is None for share in shares):
        why = found.truth[score].unavailable or next((a.unavailable for a in doses if a.unavailable), "")
        return Cell("", "", "", "none", why or "the truth and the references score alike: no scale")
    ways = [0.0, *(float(share or 0) for share in shares)]
    at = [round(i * (_WIDTH - 4) / (len(ways) - 1) + 2, 1) for i in range(len(ways))]
    spans = [_span(found, score, found.truth[score]), *(_span(found, score, a) for a in doses)]
    band = [f"{x},{_y(high)}" for x, (_, high) in zip(at, spans, strict=True)]
    band += [f"{x},{_y(low)}" for x, (low, _) in reversed(list(zip(at, spans, strict=True)))]
    state = "blind" if max(map(abs, ways)) < BLIND else "answers" if answers(found, damage, score) else "unclear"
    return Cell(
        " ".join(f"{x},{_y(way)}" for x, way in zip(at, ways, strict=True)),
        " ".join(band),
        number(100 * ways[-1], 0) + " %",
        state,
        _said(found, damage, score),
    )


def _span(found: Report, score: str, answer: Answer) -> tuple[float, float]:
    """The interval of an answer, on the scale where the truth is 0 and the worst reference 1."""
    ends = [found.way(score, answer.value if end is None else end) for end in (answer.low, answer.high)]
    low, high = sorted(float(end or 0) for end in ends)
    return low, high


def _y(way: float) -> float:
    """Place on the drawing: 0 (the truth) is near the bottom, 1 (the worst reference) near the top, beyond is cut."""
    share = (min(max(way, -0.25), _TOP) + 0.25) / (_TOP + 0.25)
    return round(_HEIGHT - 1 - share * (_HEIGHT - 2), 1)


def _said(found: Report, damage: str, score: str) -> str:
    """``truth 0.98 [0.97, 0.99]; 0.25: 0.91 ...; stranger: 0.40``."""
    named = [("truth", found.truth[score])]
    named += [(f"{dose.dose:g} {dose.unit}", dose.answers[score]) for dose in found.of(damage)]
    named += [(name, answers[score]) for name, answers in found.references.items()]
    return "; ".join(f"{name}: {_text(answer)}" for name, answer in named)


def _text(answer: Answer) -> str:
    if answer.value is None:
        return f"unavailable ({answer.unavailable})"
    value = f"{answer.value:.3g}"
    return value if answer.low is None or answer.high is None else f"{value} [{answer.low:.3g}, {answer.high:.3g}]"


def _pictures(damage: Damage, data: Catwalk) -> str:
    """One strip: for each shown target the truth, then every dose (whole damage where doses are shares of images)."""
    scenes = [Scene(data, data[i].target) for i in SHOWN if i < len(data)]
    tiles: list[np.ndarray] = []
    for scene in scenes:
        doses: Sequence[float] = (1.0,) if damage.unit == "of images" else damage.doses
        tiles += [scene.image, *(damage.apply(scene, dose) for dose in doses)]
    strip = Pillow.fromarray(np.concatenate(tiles, 1))
    file = io.BytesIO()
    strip.resize((strip.width // 2, strip.height // 2), Pillow.Resampling.LANCZOS).save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
