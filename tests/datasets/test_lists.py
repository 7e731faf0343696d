"""Names in every spelling, annotation files of every export, and the rule that makes pairs."""

from __future__ import annotations

import itertools
import random

import mini_deepfashion
import mini_market
import numpy as np
import pytest

from fhpt_bench.datasets import lists
from fhpt_bench.datasets.names import CATEGORIES, FashionName, MarketName
from fhpt_bench.errors import BenchError

STEM = "fashionWOMENTees_Tanksid0000508545_1front"
POINTS = "[40, 85, 90, 147, 210, 82, 141, 199, 205, -1, -1, 205, -1, -1, 34, 34, 39, 40]"


@pytest.mark.parametrize(
    "text",
    [
        STEM,
        f"{STEM}.jpg",
        f"{STEM}.jpg.png",
        "fasionWOMENTees_Tanksid0000508545_1front.jpg",
        "fashionWOMENTeesTanksid0000508545_1front.png",
        "img/WOMEN/Tees_Tanks/id_00005085/45_1_front.jpg",
        "a b/img_highres/WOMEN/TeesTanks/id_00005085/45_1_front.jpg",
        "WOMEN-Tees_Tanks-id_00005085-45_1_front.png",
    ],
)
def test_every_spelling_is_one_photograph(text: str) -> None:
    name = FashionName.parse(text)
    assert name is not None
    assert (name.stem, name.item, name.outfit) == (
        STEM,
        "WOMEN/Tees_Tanks/id_00005085",
        "WOMEN/Tees_Tanks/id_00005085/45",
    )


@pytest.mark.parametrize("category", CATEGORIES)
def test_categories_get_their_underscores_back(category: str) -> None:
    name = FashionName.parse(f"fasionMEN{category.replace('_', '')}id0000000101_7additional.jpg")
    assert name is not None
    assert (name.gender, name.category, name.view) == ("MEN", category, "7additional")


@pytest.mark.parametrize(
    "text",
    ["", "Thumbs.db", "fashionWOMENid0000508545_1front.jpg", "WOMEN/x/id_508/45_1_front.jpg", "../../etc/passwd"],
)
def test_what_is_no_name(text: str) -> None:
    assert FashionName.parse(text) is None
    assert MarketName.parse(text) is None


def test_market_names() -> None:
    for text in ("0002_c1s1_000451_03.jpg", "query/0002_c1s1_000451_03.jpg.jpg", "0002_c1s1_000451_03"):
        name = MarketName.parse(text)
        assert name is not None
        assert (name.stem, name.person, name.camera, name.is_person) == ("0002_c1s1_000451_03", "0002", "1", True)
    junk = MarketName.parse("-1_c3s2_008910_07.jpg")
    assert junk is not None
    assert not junk.is_person


def test_separators_and_frames_agree() -> None:
    """The raw file in the 256 frame, the resized one 40 columns further right; -1 is missing in both."""
    xs = [128, 129, 96, 89, 75, 164, 169, 151, 98, -1, -1, 138, -1, -1, 121, 136, 112, 145]
    moved = [x if x == -1 else x - 40 for x in xs]
    raw = lists.read_annotation(f"{lists.HEADER}\n{STEM}.jpg: {POINTS}: {xs}\n", "raw")[f"{STEM}.jpg"]
    resized = lists.read_annotation(f"{lists.HEADER}\r\n{STEM}.jpg:{POINTS}:{moved}\r\n", "resized")[f"{STEM}.jpg"]
    np.testing.assert_array_equal(lists.moved(resized, 40), raw)
    assert raw[0].tolist() == [128, 40]
    assert np.flatnonzero(lists.missing(raw)).tolist() == [9, 10, 12, 13]
    again = lists.read_annotation(lists.annotation_line(STEM, raw), "again")[STEM]
    np.testing.assert_array_equal(again, raw)


def test_outside_is_not_missing() -> None:
    ys, xs = [100] * 18, [-31, 205, -1, *[50] * 15]
    points = lists.read_annotation(f"{STEM}:{ys}:{xs}", "x")[STEM]
    assert not lists.missing(points).any(), "x = -1 alone is one pixel outside the frame"
    assert lists.outside(points, (256, 176)) == 3
    assert lists.outside(lists.moved(points, 40), (256, 256)) == 0


def test_exports_that_write_zero() -> None:
    zero = [0, 0, *[70] * 16]
    points = lists.read_annotation(f"{STEM}:{zero}:{zero}", "x")[STEM]
    assert np.flatnonzero(lists.missing(points)).tolist() == [0, 1]
    mixed = [0, -1, *[70] * 16]
    points = lists.read_annotation(f"{STEM}:{mixed}:{mixed}", "x")[STEM]
    assert np.flatnonzero(lists.missing(points)).tolist() == [1], "in a file with -1, the corner is a place"


@pytest.mark.parametrize(
    "rest",
    ["", ":[1]:[2]", f":{[1] * 18}", f":{[1] * 17}:{[1] * 18}", f":{[1.5] * 18}:{[1] * 18}",
     f":{[True] * 18}:{[1] * 18}", f":{['1'] * 18}:{[1] * 18}", f":{[99999] * 18}:{[1] * 18}",
     ":__import__('os'):[1]", ":" + "[" * 100_000, f":{[1] * 18}:{[1] * 18}:{[1] * 18}", ":{}:{}", ":1:2",
     ":null:null"],
)  # fmt: skip
def test_bad_lines_are_named(rest: str) -> None:
    with pytest.raises(BenchError, match="line 3"):
        lists.read_annotation(f"{lists.HEADER}\n{STEM}:{[1] * 18}:{[1] * 18}\n{STEM}x{rest}\n", "list.csv")


@pytest.mark.parametrize("text", ["", "a,b\nc,d\n", "from,to\na\n", "from,to\na,b,c\n"])
def test_bad_pair_lists(text: str) -> None:
    with pytest.raises(BenchError):
        lists.read_pairs(text, "pairs.csv")


def test_the_rule_gives_the_published_list() -> None:
    """On lists of the real form: the mini's own pairs, made from its photographs, not by the rule."""
    for mini, parse in ((mini_deepfashion, FashionName.parse), (mini_market, MarketName.parse)):
        photos = mini.of("test")
        text = "".join(f"{p.stem}.jpg: {list(p.points[0])}: {list(p.points[1])}\n" for p in photos)
        points = {parse(name).stem: own for name, own in lists.read_annotation(text, "x").items()}
        groups = {p.stem: parse(p.stem).outfit if mini is mini_deepfashion else p.person for p in photos}
        groups = {stem: group for stem, group in groups.items() if group not in ("0000", "-1")}
        found = lists.derive(points, groups)
        assert found == sorted(found)
        assert set(found) == set(mini.pairs("test"))
        assert len(found) == {mini_deepfashion: 18, mini_market: 14}[mini]


def test_the_rule_by_its_words() -> None:
    """Random annotations against the sentence: both hips and shoulders in both, one group, every order."""
    rng = random.Random(0)
    photos = {
        f"p{n}": (f"g{n % 5}", [[-1, -1] if rng.random() < 0.1 else [rng.randrange(9), 3] for _ in range(18)])
        for n in range(60)
    }
    points = {name: np.array(own, np.int16) for name, (_, own) in photos.items()}
    expected = {
        (a, b)
        for a, b in itertools.product(photos, photos)
        if a != b
        and photos[a][0] == photos[b][0]
        and all(photos[name][1][joint] != [-1, -1] for name in (a, b) for joint in (2, 5, 8, 11))
    }
    assert 50 < len(expected) < 60 * 11
    assert set(lists.derive(points, {name: group for name, (group, _) in photos.items()})) == expected
