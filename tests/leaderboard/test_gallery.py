"""Which pairs are shown, and how their pictures are kept."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from made_up_rows import make_gallery, make_record, make_scores
from PIL import Image as Pillow

from fhpt_bench.leaderboard.gallery import Gallery, GalleryPair, Pictures, choose, spread
from fhpt_bench.leaderboard.html import to_html
from fhpt_bench.leaderboard.pages import flat


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return make_gallery(make_record("m", make_scores(0.3)), 1)


def valued(gallery: Gallery, values: list[float]) -> Gallery:
    return Gallery(
        [GalleryPair(p.pair, p.generated, {"x": v}) for p, v in zip(gallery.pairs[: len(values)], values, strict=True)]
    )


@pytest.mark.parametrize(("better", "worst"), [("higher", [0.0, 1.0]), ("lower", [9.0, 8.0])])
def test_worst_and_median(gallery: Gallery, better: str, worst: list[float]) -> None:
    values = [3.0, 9.0, 0.0, 5.0, 1.0, 8.0, 4.0]
    choice = choose(valued(gallery, values), "x", better, 2)
    assert choice is not None
    assert [p.scores["x"] for p in choice.worst] == worst
    assert choice.middle == 4.0
    assert {p.scores["x"] for p in choice.median} in ({4.0, 3.0}, {4.0, 5.0})


def test_pairs_without_a_value_are_never_chosen(gallery: Gallery) -> None:
    choice = choose(valued(gallery, [float("nan"), 2.0, float("nan"), 1.0]), "x", "higher", 4)
    assert choice is not None
    assert sorted(p.scores["x"] for p in choice.worst + choice.median) == [1.0, 2.0]
    assert choose(valued(gallery, [float("nan")]), "x", "higher") is None
    assert choose(gallery, "no such score", "higher") is None


def test_no_pair_is_both_worst_and_median(gallery: Gallery) -> None:
    choice = choose(valued(gallery, [1.0, 1.0, 1.0, 2.0, 2.0]), "x", "higher", 3)
    assert choice is not None
    assert not {p.pair.id for p in choice.worst} & {p.pair.id for p in choice.median}


def test_nothing_is_decoded_until_a_pair_is_chosen(gallery: Gallery) -> None:
    def never() -> np.ndarray:
        raise AssertionError("decoded")

    pairs = [GalleryPair(p.pair, never, p.scores) for p in gallery.pairs]
    assert choose(Gallery(pairs), "lpips[alex]", "lower") is not None
    assert len(spread([Gallery(pairs)])) == 6


def test_spread_is_even_and_shared(gallery: Gallery) -> None:
    ids = [p.pair.id for p in gallery.pairs]
    assert spread([gallery], 4) == [ids[24], ids[72], ids[120], ids[168]]
    some = Gallery(gallery.pairs[10:13])
    assert spread([gallery, some], 6) == ids[10:13]
    assert spread([gallery, Gallery([])]) == []
    assert spread([]) == []


def test_pictures_are_kept_once_small_and_true() -> None:
    pictures = Pictures()
    rng = np.random.default_rng(0)
    smooth = np.asarray(
        Pillow.fromarray(rng.integers(0, 255, (8, 6, 3), np.uint8)).resize((384, 512), Pillow.Resampling.BICUBIC)
    )
    key = pictures.add(smooth)
    assert pictures.add(smooth.copy()) == key
    assert pictures.add(smooth[::-1].copy()) != key
    uri, width, height = pictures.uris[key]
    assert (width, height) == (192, 256)
    shown = Pillow.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    small = Pillow.fromarray(smooth).resize((192, 256), Pillow.Resampling.BICUBIC)
    assert np.abs(np.asarray(shown.convert("RGB"), float) - np.asarray(small, float)).mean() < 4


def test_fewer_pairs_are_shown_when_the_page_would_grow_too_large(gallery: Gallery) -> None:
    record = make_record("m", make_scores(0.3))
    full, least = (to_html([record], {0: gallery}, max_bytes=size) for size in (10**7, 1))
    assert full.count('<figure class="shot">') == 4 * (4 + 4)
    assert least.count('<figure class="shot">') == 3 * (1 + 1)  # the headline scores of single pairs, no regions
    assert least.count("<image ") < 0.5 * full.count("<image ")


def test_a_model_is_asked_once_a_pair_however_often_it_is_shown(gallery: Gallery) -> None:
    asked: list[str] = []

    def counted(p: GalleryPair) -> GalleryPair:
        def generated() -> np.ndarray:
            asked.append(p.pair.id)
            return p.generated()

        return GalleryPair(p.pair, generated, p.scores)

    to_html([make_record("m", make_scores(0.3))], {0: Gallery([counted(p) for p in gallery.pairs])}, max_bytes=1)
    assert asked
    assert len(asked) == len(set(asked))


def test_without_scores_of_pairs_evenly_spaced_ones_are_shown(gallery: Gallery) -> None:
    bare = Gallery([GalleryPair(p.pair, p.generated, {}) for p in gallery.pairs])
    text = to_html([make_record("m", make_scores(0.3))], {0: bare})
    assert text.count('<figure class="shot">') == 6
    assert "Evenly spaced pairs. What each pair scored" in text


def test_card_values_read_as_one_line() -> None:
    card = {"parameters": 1_843_211, "year": 2020, "parts": ["a", "b"], "frozen": True, "cost": {"minutes": 70}}
    assert flat(card) == "parameters: 1,843,211; year: 2020; parts: a, b; frozen: yes; cost: minutes: 70"
