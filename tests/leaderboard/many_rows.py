"""Eight synthetic rows of some 150 scores in three families, named as the metrics name theirs. No measurements."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from made_up_rows import EACH, PEOPLE, REGIONS, context, hash_of, make_record

from fhpt_bench.intervals import mean_score
from fhpt_bench.record import Record
from fhpt_bench.types import Score

HEADLINE = {
    "perceptual": ("lpips[vgg]", "lpips[alex]/visible", "lpips[alex]/occluded", "ssim[gauss1.5]", "psnr/foreground"),
    "structural": (
        "kec[all]/body", "kec[all]/face", "kec[all]/left_hand", "kec[all]/right_hand", "points-found/body", "pckh@0.5",
    ),
    "semantic": (
        "face-distance[target]", "face-same@0.6[target,all]", "recall@5[vgg,other-views]", "recall@5[vgg,paper]",
        "gender-error[vgg]", "gender-error[vgg]/source_face=hidden", "gender-gap[vgg]", "attrrec-5", "detection-score",
    ),
}  # fmt: skip
PARTS = ("body", "face", "right_hand", "left_hand", "hands")
GROUPS = {
    "source_face": ("shown", "hidden"),
    "skin_tone": tuple("123456"),
    "top_pattern": ("plain", "dots", "stripes", "checks", "logo"),
    "top_colour": ("black", "blue", "green", "red", "white"),
}
NO_DETECTOR = "openpose-json: no folder of points was given"
NO_PAIR = "no pair of this group"


def names() -> Iterator[tuple[str, str]]:
    """Score names and which direction is better."""
    for whole, better in (("ssim[gauss1.5]", "higher"), ("psnr", "higher"), ("lpips[alex]", "lower"),
                          ("lpips[vgg]", "lower")):  # fmt: skip
        yield whole, better
        yield from ((f"{whole}/{region}", better) for region in REGIONS)
    for whole in ("kec[all]", "kec[detected]", "kec[all,detector]", "kec[all,floor]", "points-found", "pck@0.1"):
        yield from ((f"{whole}/{part}", "higher") for part in PARTS)
    yield "pckh@0.5", "higher"
    for whole in ("face-distance[source]", "face-distance[target]"):
        yield whole, "lower"
    for share in ("face-same@0.6[target]", "face-same@0.6[target,all]", "face-same@0.7[target]", "face-found"):
        yield share, "higher"
    for whole in ("recall@5[vgg,other-views]", "recall@5[vgg,paper]", "map[resnet,other-views]"):
        yield whole, "higher"
        for key in ("top_pattern", "top_colour"):
            yield from ((f"{whole}/{key}={value}", "higher") for value in GROUPS[key])
    for whole in ("gender-error[vgg]", "gender-error[vgg,truth]", "gender-flip[vgg]"):
        yield whole, "lower"
        yield from ((f"{whole}/{group}", "lower") for group in ("men", "women", "balanced"))
        for key in ("source_face", "skin_tone"):
            yield from ((f"{whole}/{key}={value}", "lower") for value in GROUPS[key])
    for whole, better in (("gender-gap[vgg]", "neither"), ("fashion-is", "higher"), ("fashion-is/std", "neither"),
                          ("attrrec-5/chance", "neither"), ("attrrec-5", "higher"),
                          ("attrrec-20", "higher"), ("detection-score", "higher")):  # fmt: skip
        yield whole, better


def score(name: str, better: str, quality: float, seed: int) -> Score:
    if name == "kec[all]/left_hand":
        return Score(name=name, value=None, better=better, pairs=0, unavailable=NO_DETECTOR)
    if name.endswith("=6") or (name == "attrrec-5" and seed == 3):
        return Score(name=name, value=None, better=better, pairs=0, unavailable=NO_PAIR)
    shared, own = np.random.default_rng([hash_of(name), 1]), np.random.default_rng([hash_of(name), seed])
    values = 0.5 + 0.1 * (np.repeat(shared.normal(size=PEOPLE), EACH) + own.normal(size=PEOPLE * EACH))
    return mean_score(name, values + (quality if better == "higher" else -quality), context(), better)


def many() -> list[Record]:
    return list(_many())


@cache
def _many() -> tuple[Record, ...]:
    kinds = {"truth": "oracle", "exact-warp": "oracle", "copy-source": "reference", "blank": "reference"}
    models = {"truth": 0.4, "exact-warp": 0.2, "drn": 0.1, "drn-with-a-very-long-name-indeed": 0.098, "patn": 0.05,
              "spgnet": -0.02, "copy-source": -0.2, "blank": -0.4}  # fmt: skip
    return tuple(
        make_record(
            name,
            [score(each, better, quality, seed) for each, better in names()],
            kind=kinds.get(name, "model"),
            headline=HEADLINE,
        )
        for seed, (name, quality) in enumerate(models.items())
    )
