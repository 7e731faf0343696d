"""A score's name taken apart, ``recall@5[vgg,other-views]/top_pattern=dots``, and what its parts mean to a reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME = re.compile(r"(?P<metric>[^\[\]/@]+)(?P<at>@[^\[\]/]+)?(?:\[(?P<setting>[^\]]*)\])?(?:/(?P<group>.+))?", re.S)


@dataclass(frozen=True)
class Name:
    """The parts of a score's name; all but ``metric`` may be empty."""

    metric: str
    """``recall``: what the glossary is asked for."""
    at: str = ""
    """``@5``."""
    setting: str = ""
    """``vgg,other-views``."""
    group: str = ""
    """What the score is taken over: a region (``visible``), a body part (``left_hand``), pairs (``skin_tone=3``)."""

    @property
    def whole(self) -> str:
        """The name of the same score over everything: ``recall@5[vgg,other-views]``."""
        return f"{self.metric}{self.at}" + (f"[{self.setting}]" if self.setting else "")

    @property
    def key(self) -> str:
        """Which breakdown of the pairs ``group`` belongs to: ``skin_tone``; empty for a region or a part."""
        key, found, _ = self.group.partition("=")
        return key if found else PAIRS_OF.get(self.group, "")

    @property
    def value(self) -> str:
        """``3`` of ``skin_tone=3``, ``men`` of ``men``."""
        return self.group.partition("=")[2] or self.group

    @property
    def words(self) -> str:
        """``group`` as a reader's words: ``skin tone 3``, ``left hand``."""
        return self.group.replace("=", " ").replace("_", " ")


@lru_cache(maxsize=4096)
def parse(name: str) -> Name:
    """The parts of ``name``; what is not shaped like a score's name is all metric."""
    found = _NAME.fullmatch(name)
    return Name(**{part: text or "" for part, text in found.groupdict().items()}) if found else Name(name)


PARTS: dict[str, str] = {
    "body": "the 18 points of the body",
    "face": "the points of the face",
    "right_hand": "the 21 points of the right hand, over twice the range of distances",
    "left_hand": "the 21 points of the left hand, over twice the range of distances",
    "hands": "the points of both hands, over twice the range of distances",
}
"""Body part -> what a keypoint score is taken over."""

PAIRS_OF: dict[str, str] = dict.fromkeys(("men", "women", "balanced"), "presentation")
"""Groups without a ``key=`` of their own -> the breakdown that they belong to."""

ASIDES: dict[str, str] = {
    "chance": "What guessing would reach.",
    "std": "Standard deviation over the splits.",
}
"""Groups that are none, but stand beside the score."""

BREAKDOWNS: dict[str, tuple[str, str]] = {
    "presentation": (
        "presentation label",
        "The label that the data set prints: a statement on no one. Balanced: the mean of both.",
    ),
    "source_face": (
        "face in the source",
        "Whether the source photograph shows the face. Hidden, a model must invent it: what it invents shows its bias.",
    ),
    "skin_tone": ("skin tone", "The data set's six tones of rendered skin, 1 the lightest and 6 the darkest."),
    "top_pattern": ("pattern of the top", "Fine patterns are what a model that blurs loses first."),
    "top_colour": ("colour of the top", "Over pairs whose top has this colour."),
    "top": ("kind of top", "Over pairs that wear this garment."),
}
"""Breakdown -> title, one plain sentence."""

SETTINGS: dict[str, str] = {
    "all": "over all: what was not found counts as wrong",
    "detected": "over what was found only",
    "detector": "against the detector's own points on the true image",
    "floor": "of the true image itself: the detector's own error",
    "source": "against the source photograph",
    "target": "against the true image",
    "paper": "the pair's true target is left out of the gallery",
    "other-views": "the pair's true target and its source are left out of the gallery",
    "truth": "of the true images: what a perfect model would reach",
    "blurred-truth": "of the true images, blurred",
    "stranger": "against another person",
}
"""Word of a setting -> what it says."""
