"""Who is photographed: invented people, drawn by seed. Nobody real was scanned and nobody is drawn to look like
anyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fhpt_bench.catwalk_render import body

SPLITS = ("train", "val", "test")

SKIN_TONES: dict[str, tuple[int, int, int]] = {
    "1": (222, 184, 163), "2": (206, 163, 137), "3": (185, 140, 111), "4": (153, 109, 83), "5": (119, 81, 61),
    "6": (90, 61, 48),
}  # fmt: skip
"""Skin tone label -> mean sRGB albedo of the skin, lightest first: a parameter of the rendering, not a claim about
anyone."""

HAIR_COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (26, 22, 20), "darkbrown": (52, 34, 24), "brown": (92, 60, 38), "auburn": (120, 60, 34), "blond": (196,
    158, 104),
    "grey": (150, 148, 146),
}  # fmt: skip

LIPS = ((190, 70, 80), (205, 95, 95), (170, 40, 55), (200, 110, 100), (150, 60, 70))
HAIR = {
    "women": ("long01", "ponytail01", "Braid01", "short04", "afro01"),
    "men": ("short01", "short02", "short04", "afro01"),
}
"""Hair that leaves both eyes free (bob01, bob02 and short03 do not)."""
BROWS = {
    "women": ("eyebrow001", "eyebrow006", "eyebrow008", "eyebrow011"),
    "men": ("eyebrow004", "eyebrow008", "eyebrow001", "eyebrow009"),
}
"""Brows that do not frown at rest."""

_LIGHT, _DARK = "lightskinned", "darkskinned"
SKINS = {
    ("women", _LIGHT): (
        "young_caucasian_female/young_lightskinned_female_diffuse",
        "young_caucasian_female/young_lightskinned_female_diffuse2",
        "young_asian_female/young_lightskinned_female_diffuse3",
    ),
    ("men", _LIGHT): (
        "young_caucasian_male/young_lightskinned_male_diffuse", "young_caucasian_male/young_lightskinned_male_diffuse2",
        "young_asian_male/young_lightskinned_male_diffuse3",
    ),
    ("women", _DARK): ("young_african_female/young_darkskinned_female_diffuse",),
    ("men", _DARK): ("young_african_male/young_darkskinned_male_diffuse",),
}  # fmt: skip

_MIDLINE = (
    "chin-jaw-drop-incr", "chin-height-incr", "chin-prominent-incr", "chin-bones-incr", "chin-width-incr",
    "chin-cleft-incr",
    "eyebrows-trans-up", "forehead-temple-incr", "forehead-trans-forward", "forehead-scale-vert-incr",
    "forehead-nubian-incr",
    "head-scale-vert-incr", "head-fat-incr", "head-scale-depth-incr", "head-scale-horiz-incr",
    "mouth-lowerlip-height-incr",
    "mouth-scale-horiz-incr", "mouth-lowerlip-volume-incr", "mouth-angles-up", "mouth-upperlip-volume-incr",
    "mouth-upperlip-height-incr", "mouth-trans-up", "mouth-scale-vert-incr", "nose-curve-convex",
    "nose-scale-depth-incr",
    "nose-scale-vert-incr", "nose-point-width-incr", "nose-scale-horiz-incr", "nose-width1-incr", "nose-width2-incr",
    "nose-width3-incr", "nose-trans-up", "nose-hump-incr", "nose-point-up", "nose-base-up", "nose-volume-incr",
    "nose-greek-incr",
    "neck-scale-horiz-incr",
)  # fmt: skip
_PAIRED = (
    "cheek-trans-up", "cheek-volume-incr", "cheek-inner-incr", "cheek-bones-incr", "eye-corner1-up", "eye-height1-incr",
    "eye-height2-incr", "eye-height3-incr", "eye-scale-incr", "eye-push1-out", "eye-eyefold-up", "eye-bag-incr",
    "eye-trans-up",
    "eye-trans-out", "eye-corner2-up", "eye-epicanthus-out", "ear-scale-incr", "ear-wing-incr",
)  # fmt: skip
_MEAN = {
    "women": {
        "chin-width-incr": -0.3, "chin-jaw-drop-incr": -0.3, "chin-prominent-incr": -0.2, "chin-bones-incr": -0.3,
        "chin-cleft-incr": -0.4,
        "nose-scale-horiz-incr": -0.25, "nose-volume-incr": -0.3, "nose-hump-incr": -0.4, "nose-point-width-incr": -0.2,
        "nose-scale-depth-incr": -0.2, "nose-greek-incr": -0.3, "forehead-nubian-incr": -0.2,
        "head-scale-horiz-incr": -0.1,
        "mouth-upperlip-volume-incr": 0.35, "mouth-lowerlip-volume-incr": 0.35, "mouth-angles-up": 0.3,
        "neck-scale-horiz-incr": -0.35,
        "eye-scale-incr": 0.4, "eye-height2-incr": 0.25, "cheek-bones-incr": 0.25, "eye-bag-incr": -0.5,
        "eye-corner2-up": 0.3,
        "eyebrows-trans-up": 0.4, "ear-scale-incr": -0.3, "ear-wing-incr": -0.3,
    },
    "men": {"mouth-angles-up": 0.25, "eye-bag-incr": -0.3, "eyebrows-trans-up": 0.2, "eye-scale-incr": 0.1},
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Everything that stays the same from photograph to photograph."""

    id: str
    split: str
    gender: str
    """Presentation label, ``women`` or ``men``, as DeepFashion prints it."""
    skin_tone: str
    seed: tuple[int, ...]
    phenotype: dict[str, float]
    sliders: dict[str, float]
    actions: dict[str, float]
    skin: str
    lips: tuple[tuple[int, int, int], float]
    """sRGB and strength."""
    eyes: str
    hair: str
    hair_colour: str
    brows: str


def roster(split: str, count: int, men: int, seed: int) -> list[Person]:
    """``count`` people of a split, ``men`` of them men; within each gender the six skin tones in turn."""
    draw = np.random.default_rng([seed, SPLITS.index(split), 1])
    genders = draw.permutation(["men"] * men + ["women"] * (count - men)).tolist()
    tones = {g: draw.permutation(list(SKIN_TONES)).tolist() for g in ("women", "men")}
    met = {"women": 0, "men": 0}
    people = []
    for i, gender in enumerate(genders):
        tone = tones[gender][met[gender] % len(SKIN_TONES)]
        met[gender] += 1
        people.append(_draw(split, i, gender, tone, (seed, SPLITS.index(split), i)))
    return people


def _draw(split: str, index: int, gender: str, tone: str, seed: tuple[int, ...]) -> Person:
    draw = np.random.default_rng([*seed, 2])
    dark = int(tone) >= 5
    skins = SKINS[gender, _DARK if dark else _LIGHT]
    hair = list(HAIR[gender])
    if int(tone) < 4:
        hair.remove("afro01")
    odds = [0.15, 0.22, 0.26, 0.13, 0.2, 0.04] if int(tone) <= 3 else [0.7, 0.3, 0, 0, 0, 0]
    women = gender == "women"
    return Person(
        id=f"{split[:2]}{index:0{3 if split == 'train' else 2}d}",
        split=split, gender=gender, skin_tone=tone, seed=seed,
        phenotype=_phenotype(draw, women, int(tone)),
        sliders=_sliders(draw, gender),
        actions=_expression(draw),
        skin=skins[draw.integers(len(skins))],
        lips=(LIPS[draw.integers(len(LIPS))], float(0.25 + 0.4 * draw.random()) if women else 0.0),
        eyes=str(draw.choice(["brown", "brownlight", "blue", "green", "grey"], p=[0.35, 0.3, 0.15, 0.1,
        0.1]) if int(tone) <= 3 else "brown"),
        hair=hair[draw.integers(len(hair))],
        hair_colour=str(draw.choice(list(HAIR_COLOURS), p=odds)),
        brows=BROWS[gender][draw.integers(len(BROWS[gender]))],
    )  # fmt: skip


def _phenotype(draw: np.random.Generator, women: bool, tone: int) -> dict[str, float]:
    """anny's global shape values. Ancestry is a mixture that leans, and only leans, with the skin tone."""
    lean = np.clip((tone - 1) / 5, 0, 1)
    mixture = draw.dirichlet([0.3 + 1.5 * lean, 0.7, 1.8 - 1.5 * lean])
    return {
        "gender": 1.0 if women else 0.05,
        "age": 0.48 + 0.08 * draw.random() if women else 0.54 + 0.12 * draw.random(),
        "muscle": 0.35 + 0.2 * draw.random() if women else 0.45 + 0.25 * draw.random(),
        "weight": 0.28 + 0.35 * draw.random(),
        "height": 0.42 + 0.25 * draw.random(),
        "proportions": 0.75 + 0.25 * draw.random(),
        "cupsize": 0.35 + 0.35 * draw.random(),
        "firmness": 0.75,
        "african": float(mixture[0]), "asian": float(mixture[1]), "caucasian": float(mixture[2]),
    }  # fmt: skip


def _sliders(draw: np.random.Generator, gender: str) -> dict[str, float]:
    """Face sliders ~ N(mean, sd), symmetric left and right: what makes a face that person's."""
    known, spread, out = body.slider_names(), 0.26 if gender == "women" else 0.32, {}
    for name in (*_MIDLINE, *_PAIRED):
        value = float(np.clip(draw.normal(_MEAN[gender].get(name, 0.0), spread), -0.9, 0.9))
        for slider in (name,) if name in _MIDLINE else (f"l-{name}", f"r-{name}"):
            if slider in known:
                out[slider] = value
    return out


def _expression(draw: np.random.Generator) -> dict[str, float]:
    """A slight smile and lifted brows: MakeHuman's face at rest frowns."""
    smile, inner, outer = 0.2 + 0.3 * draw.random(), 0.45 + 0.25 * draw.random(), 0.1 + 0.2 * draw.random()
    return {
        "mouthSmileLeft": smile, "mouthSmileRight": smile, "browInnerUp": inner, "browOuterUpLeft": outer,
        "browOuterUpRight": outer,
    }  # fmt: skip
