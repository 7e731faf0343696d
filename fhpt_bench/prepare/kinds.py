"""What differs between the data sets that can be prepared: names, frames, folders, known counts, where to get them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fhpt_bench.datasets.names import FashionName, MarketName
from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import pictures


@dataclass(frozen=True)
class Kind:
    """A data set of the field."""

    name: str
    sizes: tuple[str, ...]
    """``256x176``: height, width."""
    frame: tuple[int, int]
    """Height, width of the frame of keypoints, faces and parsing."""
    stem: Callable[[str], str | None]
    """Path or name in a list -> the photograph's id here; None where it names no photograph."""
    group: Callable[[str], str | None]
    """Id -> what photographs must share to be a pair; None: never in a pair."""
    ignored: re.Pattern[str]
    """Folders whose images are not used."""
    make: pictures.Make
    images_from: str
    """Where its makers license the images."""
    lists_from: str
    known: Mapping[str, int]
    """Counts of the real lists, by what ``check`` counts."""
    sampled: str
    """What to know of a published list that is not all of what the rule gives; empty where it is."""
    identity: Callable[[str], str]
    """Id -> item or person, for who is in both train and test."""


def _fashion_stem(text: str) -> str | None:
    found = FashionName.parse(text)
    return found.stem if found else None


def _fashion_part(part: Callable[[FashionName], str]) -> Callable[[str], str]:
    def of(stem: str) -> str:
        found = FashionName.parse(stem)
        assert found is not None, stem
        return part(found)

    return of


def _market_stem(text: str) -> str | None:
    found = MarketName.parse(text)
    return found.stem if found else None


def _market_person(stem: str) -> str:
    found = MarketName.parse(stem)
    assert found is not None, stem
    return found.person


def _market_group(stem: str) -> str | None:
    person = _market_person(stem)
    return None if person in ("-1", "0000") else person


DEEPFASHION = Kind(
    name="deepfashion",
    sizes=("256x256", "256x176", "512x352"),
    frame=(256, 256),
    stem=_fashion_stem,
    group=_fashion_part(lambda name: name.outfit),
    ignored=re.compile(r"(^|/)(__MACOSX|masks?|segmentation|segm|img_highres_seg|densepose)(/|$)", re.I),
    make=pictures.fashion,
    images_from="MMLAB, The Chinese University of Hong Kong, after its agreement form is signed: "
    "http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html (In-shop Clothes Retrieval: img.zip, img_highres.zip)",
    lists_from="PATN: https://github.com/tengteng95/Pose-Transfer; DSC: "
    "https://github.com/AliaksandrSiarohin/pose-gan",
    known={
        "patn-train photographs": 48_674, "patn-test photographs": 4_038,
        "patn-train pairs": 101_966, "patn-test pairs": 8_570, "dsc-test pairs": 12_000,
        "test items": 930, "items in train and test": 503,
    },
    sampled="",
    identity=_fashion_part(lambda name: name.item),
)  # fmt: skip

MARKET1501 = Kind(
    name="market1501",
    sizes=("128x64",),
    frame=(128, 64),
    stem=_market_stem,
    group=_market_group,
    ignored=re.compile(r"(^|/)(__MACOSX|query|gt_bbox|gt_query)(/|$)", re.I),
    make=pictures.market,
    images_from="its authors (Zheng et al., ICCV 2015): https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html",
    lists_from="https://github.com/tengteng95/Pose-Transfer, https://github.com/AliaksandrSiarohin/pose-gan",
    known={
        "patn-train photographs": 12_936, "patn-test photographs": 19_732,
        "patn-train pairs": 263_632, "patn-test pairs": 12_000, "items in train and test": 0,
    },
    sampled="the published 12,000 test pairs are a sample of the 257,198 that the rule gives: scores on derived ones "
    "do not stand beside published ones",
    identity=_market_person,
)  # fmt: skip

KINDS = {kind.name: kind for kind in (DEEPFASHION, MARKET1501)}


def find(name: str) -> Kind:
    if name not in KINDS:
        raise BenchError(f"{name!r} cannot be prepared", fix=f"one of {', '.join(KINDS)}")
    return KINDS[name]
