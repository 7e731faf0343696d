"""Names of photographs in every spelling that is about, and the one that is ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

CATEGORIES = (
    "Blouses_Shirts", "Cardigans", "Denim", "Dresses", "Graphic_Tees", "Jackets_Coats", "Jackets_Vests", "Leggings",
    "Pants", "Rompers_Jumpsuits", "Shirts_Polos", "Shorts", "Skirts", "Suiting", "Sweaters", "Sweatshirts_Hoodies",
    "Tees_Tanks",
)  # fmt: skip
"""Of the In-shop archive: 14 of women, 9 of men, 23 with the gender."""

_SQUEEZED = {category.replace("_", "").lower(): category for category in CATEGORIES}
_FASHION = re.compile(
    r"(?:^|[/\\]|fashion|fasion)(?P<gender>WOMEN|MEN)[-/\\_]?(?P<category>[A-Za-z][A-Za-z_]*?)[-/\\_]?"
    r"id_?(?P<item>\d{8})[-/\\_]?(?P<outfit>\d{2})_(?P<number>\d)_?(?P<view>[a-z]+)(?:\.(?:jpg|jpeg|png))*$"
)
_MARKET = re.compile(r"(?:^|[/\\])(?P<person>-1|\d{4})_(?P<rest>c(?P<camera>\d)s\d_\d{6}_\d{2})(?:\.(?:jpg|png))*$")


@dataclass(frozen=True)
class FashionName:
    """A photograph of DeepFashion's In-shop benchmark."""

    gender: str
    """``WOMEN`` or ``MEN``."""
    category: str
    """``Tees_Tanks``: with its underscores, whatever the file's name had."""
    number: str
    """8 digits."""
    worn: str
    """2 digits: which outfit of the item."""
    view: str
    """``1front``, ``2side``, ``3back``, ``4full``, ``7additional``, ``6flat``."""

    @classmethod
    def parse(cls, text: str) -> FashionName | None:
        """From a path or a flat name, None where it is neither.

        ``img/WOMEN/Tees_Tanks/id_00000508/45_1_front.jpg``, ``fashionWOMENTees_Tanksid0000050845_1front.jpg``, its
        spellings ``fasion`` and ``TeesTanks``, and ``WOMEN-Tees_Tanks-id_00000508-45_1_front.png``.
        """
        found = _FASHION.search(text)
        if found is None:
            return None
        plain = found["category"].strip("_")
        category = _SQUEEZED.get(plain.replace("_", "").lower(), plain)
        return cls(found["gender"], category, found["item"], found["outfit"], found["number"] + found["view"])

    @property
    def stem(self) -> str:
        """``fashionWOMENTees_Tanksid0000050845_1front``, as in PATN's lists: the photograph's id here."""
        return f"fashion{self.gender}{self.category}id{self.number}{self.worn}_{self.view}"

    @property
    def item(self) -> str:
        """``WOMEN/Tees_Tanks/id_00000508``. The number alone is not enough: some stand in two categories."""
        return f"{self.gender}/{self.category}/id_{self.number}"

    @property
    def outfit(self) -> str:
        """``WOMEN/Tees_Tanks/id_00000508/45``: photographs of one person in the same clothes."""
        return f"{self.item}/{self.worn}"


@dataclass(frozen=True)
class MarketName:
    """A photograph of Market-1501: ``0002_c1s1_000451_03``."""

    person: str
    """4 digits; ``0000`` and ``-1`` are distractors and junk."""
    rest: str
    camera: str

    @classmethod
    def parse(cls, text: str) -> MarketName | None:
        """From a path or a file's name, None where it is neither."""
        found = _MARKET.search(text)
        return None if found is None else cls(found["person"], found["rest"], found["camera"])

    @property
    def stem(self) -> str:
        return f"{self.person}_{self.rest}"

    @property
    def is_person(self) -> bool:
        return self.person not in ("0000", "-1")
