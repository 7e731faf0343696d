"""Families of scores: the question that each answers, and which score belongs to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fhpt_bench.leaderboard.names import parse


@dataclass(frozen=True)
class Family:
    """Scores that answer one question: a table of their own in every written form."""

    key: str
    """As in the protocol's ``[headline]`` table; empty for the scores of a protocol that names none."""
    title: str
    about: str


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        Family("perceptual", "Perceptual", "Does the picture look like the true one, pixel by pixel and as a whole?"),
        Family(
            "structural", "Structural", "Is the body in the pose that was asked for, down to the hands and the face?"
        ),
        Family("semantic", "Semantic", "Is it still the same person, in the same clothes?"),
    )
}

METRICS: dict[str, str] = {
    **dict.fromkeys(
        ("ssim", "mask-ssim", "ms-ssim", "psnr", "lpips", "mask-lpips", "dists", "fid", "kid", "is"), "perceptual"
    ),
    **dict.fromkeys(("kec", "points-found", "pckh", "pck"), "structural"),
    **dict.fromkeys(("face-distance", "face-same", "face-found", "face-eer", "face-eer-threshold"), "semantic"),
    **dict.fromkeys(("recall", "hits", "map"), "semantic"),
    **dict.fromkeys(("gender-error", "gender-gap", "gender-flip"), "semantic"),
    **dict.fromkeys(("fashion-is", "attrrec-5", "attrrec-20", "detection-score"), "semantic"),
}
"""Metric -> its family, where the protocol's headline does not say."""


def family(key: str) -> Family:
    """The family that a protocol calls ``key``; any other name than those of ``FAMILIES`` is its own title."""
    return FAMILIES.get(key) or Family(key, key.replace("_", " ").capitalize() or "Other scores", "")


def family_of(name: str, headline: Mapping[str, tuple[str, ...]]) -> str:
    """The key of the family that the score ``name`` belongs to under a protocol with this headline.

    The group that lists it; else one that lists another score of the same metric; else ``METRICS``; else none (``""``).
    A headline of one unnamed group has one family, unnamed, for every score.
    """
    if not any(headline):
        return ""
    metric = parse(name).metric
    for key, scores in headline.items():
        if name in scores:
            return key
    for key, scores in headline.items():
        if any(parse(score).metric == metric for score in scores):
            return key
    return METRICS.get(metric, "")


def order(headline: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Keys of families as they stand on a page: the headline's, then those that it does not name."""
    return list(dict.fromkeys([*headline, *FAMILIES, ""]))
