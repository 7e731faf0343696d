"""What they wear: garments cut from MakeHuman's suits, fabrics drawn by seed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fhpt_bench.catwalk_render.assets import colour
from fhpt_bench.catwalk_render.body import Floats
from fhpt_bench.catwalk_render.people import Person

PATTERNS = (
    "plain", "h-stripes", "v-stripes", "checks", "dots", "floral", "denim", "colour-block", "logo", "melange",
    "camouflage",
)  # fmt: skip
"""Index = the number that ``fabric.pattern`` takes."""
UNSEEN = ("dots", "camouflage")
"""Patterns that only test people wear."""

PALETTE: dict[str, tuple[int, int, int]] = {
    "white": (238, 236, 232), "black": (28, 28, 32), "navy": (28, 36, 78), "red": (178, 34, 42), "grey": (140, 142,
    146),
    "beige": (214, 192, 160), "olive": (92, 98, 58), "pink": (232, 150, 170), "sky": (130, 175, 215), "mustard": (212,
    160, 50),
    "green": (40, 110, 72), "burgundy": (96, 24, 42), "teal": (30, 120, 128), "lilac": (180, 160, 212), "brown": (100,
    66, 44),
    "cream": (244, 234, 208),
}  # fmt: skip
DENIM: dict[str, tuple[int, int, int]] = {
    "mid blue": (66, 88, 128),
    "navy": (44, 56, 92),
    "light blue": (110, 140, 180),
    "black": (40, 40, 46),
}
JACKETS: dict[str, tuple[int, int, int]] = {
    "black": (44, 44, 48),
    "navy": (38, 46, 78),
    "grey": (104, 106, 110),
    "brown": (92, 68, 52),
    "olive": (84, 88, 60),
}


@dataclass(frozen=True)
class Garment:
    """A piece of a suit: the components above or below the hips."""

    suit: str
    part: str
    """``upper`` or ``lower``."""
    type: str
    """The label."""
    parsing: str
    """CIHP class."""


TOPS = {
    "women": (
        Garment("female_casualsuit01", "upper", "t-shirt", "upper_clothes"),
        Garment("female_elegantsuit01", "upper", "blouse", "upper_clothes"),
        Garment("female_casualsuit02", "upper", "fitted t-shirt", "upper_clothes"),
        Garment("male_casualsuit02", "upper", "long-sleeved t-shirt", "upper_clothes"),
        Garment("male_casualsuit03", "upper", "shirt", "upper_clothes"),
        Garment("male_casualsuit05", "upper", "jacket", "coat"),
    ),
    "men": (
        Garment("male_casualsuit02", "upper", "long-sleeved t-shirt", "upper_clothes"),
        Garment("male_casualsuit03", "upper", "shirt", "upper_clothes"),
        Garment("male_casualsuit04", "upper", "t-shirt", "upper_clothes"),
        Garment("male_casualsuit05", "upper", "jacket", "coat"),
        Garment("male_casualsuit06", "upper", "loose t-shirt", "upper_clothes"),
        Garment("male_elegantsuit01", "upper", "suit jacket", "coat"),
    ),
}
BOTTOMS = {
    "women": (
        Garment("female_casualsuit01", "lower", "jeans", "pants"),
        Garment("female_casualsuit02", "lower", "shorts", "pants"),
        Garment("female_elegantsuit01", "lower", "skirt", "skirt"),
        Garment("female_sportsuit01", "lower", "leggings", "pants"),
    ),
    "men": (
        Garment("male_casualsuit02", "lower", "jeans", "pants"),
        Garment("male_elegantsuit01", "lower", "trousers", "pants"),
    ),
}
_TOP_ODDS = {"women": (0.3, 0.2, 0.17, 0.11, 0.11, 0.11), "men": (0.22, 0.2, 0.22, 0.13, 0.13, 0.1)}
_BOTTOM_ODDS = {"women": (0.36, 0.2, 0.25, 0.19), "men": (0.65, 0.35)}
SHOES = ("shoes01", "shoes02", "shoes03", "shoes04", "shoes05", "shoes06")


@dataclass(frozen=True)
class Fabric:
    """A procedural cloth; see ``fabric.pattern`` for what the numbers mean."""

    pattern: str
    colours: tuple[str, ...]
    palette: Floats = field(repr=False)
    """5 x 3: four linear colours, then (scale in metres, seed, threshold; for logo and colour-block metres above the
    neck)."""


@dataclass(frozen=True)
class Outfit:
    """Clothes of one person, the same in eight photographs."""

    id: str
    person: Person
    seed: tuple[int, ...]
    top: Garment
    bottom: Garment
    shoes: str
    top_fabric: Fabric
    bottom_fabric: Fabric
    inner_fabric: Fabric
    """Shirt under a jacket."""


def outfit(person: Person, index: int) -> Outfit:
    """Outfit ``index`` (from 1) of a person."""
    seed = (*person.seed, index)
    draw = np.random.default_rng([*seed, 3])
    top = TOPS[person.gender][draw.choice(len(TOPS[person.gender]), p=_TOP_ODDS[person.gender])]
    bottom = BOTTOMS[person.gender][draw.choice(len(BOTTOMS[person.gender]), p=_BOTTOM_ODDS[person.gender])]
    test = person.split == "test"
    return Outfit(
        f"{person.id}-o{index}", person, seed, top, bottom, SHOES[draw.integers(len(SHOES))],
        top_fabric=_jacket(draw) if top.parsing == "coat" else _top(draw, test),
        bottom_fabric=_bottom(draw, bottom.type, test),
        inner_fabric=_make(draw, "plain", [("white", "cream", "sky", "pink", "grey")[draw.integers(5)]], 0.05, 0.5),
    )  # fmt: skip


def _make(
    draw: np.random.Generator,
    pattern: str,
    names: list[str],
    scale: float,
    threshold: float,
    table: dict[str, tuple[int, int, int]] = PALETTE,
) -> Fabric:
    colours = [colour(table[name]) for name in names]
    rows = [colours[i % len(colours)] for i in range(4)] + [
        np.array([scale, draw.integers(1, 999), threshold], np.float32)
    ]
    used = {"plain": 1, "denim": 1, "floral": 4, "camouflage": 4}.get(pattern, 2)
    return Fabric(pattern, tuple(names[:used]), np.array(rows, np.float32))


def _top(draw: np.random.Generator, test: bool) -> Fabric:
    odds = {
        "plain": 0.24, "h-stripes": 0.15, "v-stripes": 0.08, "checks": 0.1, "dots": 0.1, "floral": 0.12,
        "colour-block": 0.06,
        "logo": 0.1, "melange": 0.06, "camouflage": 0.06,
    }  # fmt: skip
    pattern = _pick(draw, odds, test)
    r = draw.random()
    scale = {"h-stripes": 0.03 + 0.04 * r, "v-stripes": 0.018 + 0.02 * r, "checks": 0.04 + 0.04 * r,
    "dots": 0.03 + 0.03 * r,
             "floral": 0.05 + 0.05 * r, "camouflage": 0.07}.get(pattern, 0.05)  # fmt: skip
    threshold = {"v-stripes": 0.35, "dots": 0.28, "colour-block": -0.32 + 0.14 * r, "logo": -0.17}.get(pattern, 0.5)
    return _make(draw, pattern, _colours(draw), scale, threshold)


def _bottom(draw: np.random.Generator, kind: str, test: bool) -> Fabric:
    if kind in ("jeans", "shorts"):
        name = list(DENIM)[draw.integers(len(DENIM))]
        return _make(draw, "denim", [name], 0.05, -0.05, DENIM)
    if kind == "skirt":
        pattern = _pick(
            draw, {"plain": 0.3, "melange": 0.14, "checks": 0.16, "v-stripes": 0.14, "floral": 0.14, "dots": 0.12}, test
        )
        return _make(
            draw, pattern, _colours(draw), {"floral": 0.06, "v-stripes": 0.03, "dots": 0.04}.get(pattern, 0.05), 0.3
        )
    return _make(draw, _pick(draw, {"plain": 0.7, "melange": 0.3}, test), _colours(draw), 0.05, 0.4)


def _jacket(draw: np.random.Generator) -> Fabric:
    name = list(JACKETS)[draw.integers(len(JACKETS))]
    return _make(draw, "plain", [name], 0.05, 0.5, JACKETS)


def _pick(draw: np.random.Generator, odds: dict[str, float], test: bool) -> str:
    # Test people wear the unseen patterns often enough that there is something to measure.
    allowed = {p: w * 3 if p in UNSEEN else w for p, w in odds.items() if test or p not in UNSEEN}
    weight = np.array(list(allowed.values()))
    return str(draw.choice(list(allowed), p=weight / weight.sum()))


def _colours(draw: np.random.Generator) -> list[str]:
    """Four different colours; the first two far enough apart that a pattern shows."""
    names = list(PALETTE)
    while True:
        picked = [names[i] for i in draw.permutation(len(names))[:4]]
        if np.abs(colour(PALETTE[picked[0]]) ** 0.45 - colour(PALETTE[picked[1]]) ** 0.45).max() > 0.2:
            return picked
