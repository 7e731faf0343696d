"""Gender bias: verdicts that are known give errors, gaps and flips that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.gender import GenderBias
from fhpt_bench.types import Batch, Context, Score

METRIC = GenderBias("gender-error[vgg]")
M, W = 0.9, 0.2
"""P(men) of an image that the classifier calls men, women."""


def context_for(
    labels: Sequence[str],
    tones: Sequence[str] = (),
    source_face: Sequence[bool] = (),
    people: Sequence[str] = (),
) -> Context:
    ids = [f"pair{i:03d}" for i in range(len(labels))]
    known = [{"gender": g} if g else {} for g in labels]
    for entry, tone in zip(known, tones, strict=False):
        entry["skin_tone"] = tone
    people = people or [f"p{i}" for i in range(len(labels))]
    return Context(ids, people, ids, ids, 0, known, known, source_face, [True] * len(labels) if source_face else ())


def scores(rows: Sequence[Sequence[float]], context: Context) -> dict[str, Score]:
    found = METRIC.summarise(np.array(rows, np.float32), context)
    assert len({score.name for score in found}) == len(found)
    return {score.name: score for score in found}


def test_known_verdicts_give_known_errors() -> None:
    # 4 labelled men, one of whose generated images is called women; 2 labelled women, both called men
    rows = [[M, M, M], [M, M, W], [M, W, W], [W, M, M], [M, W, W], [M, W, M]]
    found = scores(rows, context_for(["men"] * 4 + ["women"] * 2))
    value = {name: score.value for name, score in found.items()}
    assert value["gender-error[vgg]"] == pytest.approx(3 / 6)
    assert value["gender-error[vgg]/men"] == pytest.approx(1 / 4)
    assert value["gender-error[vgg]/women"] == pytest.approx(1)
    assert value["gender-error[vgg]/balanced"] == pytest.approx(5 / 8)
    assert value["gender-gap[vgg]"] == pytest.approx(1 / 4 - 1)
    # against its own verdict on the target: pairs 2 (right now, wrong before), 3, 4 and 5
    assert value["gender-flip[vgg]"] == pytest.approx(4 / 6)
    assert value["gender-error[vgg,truth]"] == pytest.approx(1 / 6)
    assert value["gender-error[vgg,truth]/men"] == pytest.approx(1 / 4)
    assert value["gender-error[vgg,truth]/women"] == pytest.approx(0)
    assert value["gender-gap[vgg,truth]"] == pytest.approx(1 / 4)
    assert value["gender-error[vgg,blurred-truth]"] == pytest.approx(3 / 6)
    assert value["gender-gap[vgg,blurred-truth]"] == pytest.approx(2 / 4 - 1 / 2)
    assert found["gender-error[vgg]/men"].pairs == 4
    assert found["gender-error[vgg]/men"].excluded == 2


def test_directions() -> None:
    found = scores([[M, M, M], [W, W, W]] * 3, context_for(["men", "women"] * 3))
    better = {name: score.better for name, score in found.items()}
    neither = {name for name, way in better.items() if way == "neither"}
    assert {name for name in neither if "truth" not in name} == {"gender-gap[vgg]"}, "nearest to 0 is best"
    assert {name for name in better if "truth" in name} < neither, "the model has no part in them"
    assert set(better.values()) == {"lower", "neither"}


def test_the_gap_is_positive_where_men_are_lost() -> None:
    """All drawn as women, all drawn as men: error 1/2 both times, a gap of 1 and of -1."""
    labels = ["men", "women"] * 6
    for drawn, gap in ((W, 1), (M, -1)):
        found = scores([[drawn, M if g == "men" else W, W] for g in labels], context_for(labels))
        assert found["gender-error[vgg]"].value == pytest.approx(0.5)
        assert found["gender-flip[vgg]"].value == pytest.approx(0.5)
        assert found["gender-gap[vgg]"].value == pytest.approx(gap)
        assert found["gender-gap[vgg]"].low == pytest.approx(gap)  # the same whoever is left out


def test_the_truth_itself_flips_nothing_and_has_the_classifiers_own_error() -> None:
    rng = np.random.default_rng(0)
    labels = ["men", "women"] * 20
    true = rng.uniform(size=40)
    found = scores(np.stack([true, true, rng.uniform(size=40)], 1), context_for(labels))
    assert found["gender-flip[vgg]"].value == 0
    for group in ("", "/men", "/women"):
        assert found[f"gender-error[vgg]{group}"].value == found[f"gender-error[vgg,truth]{group}"].value
    wrong = np.mean([(p > 0.5) != (g == "men") for p, g in zip(true, labels, strict=True)])
    assert found["gender-error[vgg]"].value == pytest.approx(wrong)
    assert found["gender-gap[vgg]"].low < found["gender-gap[vgg]"].value < found["gender-gap[vgg]"].high


def test_balanced_error_does_not_move_with_the_share_of_women() -> None:
    few, many = (
        scores(
            [[M, M, M], [W, M, M]] + [[W, W, W], [M, W, W], [W, W, W], [W, W, W]] * times,
            context_for(["men"] * 2 + ["women"] * 4 * times),
        )
        for times in (1, 8)
    )
    assert few["gender-error[vgg]/balanced"].value == many["gender-error[vgg]/balanced"].value == pytest.approx(3 / 8)
    assert few["gender-error[vgg]"].value != pytest.approx(many["gender-error[vgg]"].value)


def test_breakdowns() -> None:
    labels, tones, face = ["men"] * 6, ["1", "1", "2", "2", "6", "6"], [True, True, True, False, False, True]
    rows = [[W, M, M], [M, M, M], [M, M, M], [W, W, M], [W, M, M], [M, W, M]]
    found = scores(rows, context_for(labels, tones, face))
    value = {name: score.value for name, score in found.items()}
    assert value["gender-error[vgg]/source_face=shown"] == pytest.approx(1 / 4)
    assert value["gender-error[vgg]/source_face=hidden"] == pytest.approx(1)
    assert value["gender-flip[vgg]/source_face=shown"] == pytest.approx(2 / 4)
    assert value["gender-flip[vgg]/source_face=hidden"] == pytest.approx(1 / 2)
    assert [value[f"gender-error[vgg]/skin_tone={t}"] for t in "126"] == pytest.approx([1 / 2, 1 / 2, 1 / 2])
    assert [value[f"gender-flip[vgg]/skin_tone={t}"] for t in "126"] == pytest.approx([1 / 2, 0, 1])
    for tone in "345":
        empty = found[f"gender-error[vgg]/skin_tone={tone}"]
        assert (empty.value, empty.pairs) == (None, 0)
        assert empty.unavailable == f"no target has skin_tone {tone}"


def test_what_the_data_set_does_not_say_is_unavailable_with_its_reason() -> None:
    rows = [[M, M, M], [W, W, W], [M, W, W]]
    bare = scores(rows, context_for(["", "", ""]))
    for name in ("gender-error[vgg]", "gender-error[vgg]/men", "gender-error[vgg]/balanced", "gender-gap[vgg]"):
        assert bare[name].value is None
        assert "prints no label gender" in bare[name].unavailable
    assert bare["gender-flip[vgg]"].value == pytest.approx(1 / 3)  # needs no label
    # No face annotated is not the same as every face hidden.
    assert "annotates no face" in bare["gender-flip[vgg]/source_face=hidden"].unavailable
    assert "annotates no face" in bare["gender-flip[vgg]/source_face=shown"].unavailable
    assert "no label skin_tone" in bare["gender-flip[vgg]/skin_tone=1"].unavailable
    shown = scores(rows, context_for(["men", "men", "women"], "111", [True] * 3))
    assert shown["gender-error[vgg]/source_face=hidden"].unavailable == "every source photograph shows a face"


def test_one_gender_only() -> None:
    found = scores([[M, M, M], [W, M, M]], context_for(["men", "men"]))
    assert found["gender-error[vgg]"].value == found["gender-error[vgg]/men"].value == pytest.approx(1 / 2)
    for name in ("gender-error[vgg]/women", "gender-error[vgg]/balanced", "gender-gap[vgg]"):
        assert (found[name].value, found[name].unavailable) == (None, "no target is labelled women")


def test_pairs_without_verdict_or_label_are_left_out_and_counted() -> None:
    nan = np.nan
    rows = [[nan, M, M], [W, M, M], [M, M, M], [W, W, W], [M, W, W]]
    found = scores(rows, context_for(["men", "men", "men", "women", ""]))
    whole = found["gender-error[vgg]"]
    assert (whole.value, whole.pairs, whole.excluded) == (pytest.approx(1 / 3), 3, 2)
    assert found["gender-gap[vgg]"].value == pytest.approx(1 / 2)
    assert found["gender-gap[vgg]"].excluded == 2
    flip = found["gender-flip[vgg]"]
    assert (flip.value, flip.pairs, flip.excluded) == (pytest.approx(2 / 4), 4, 1)
    nothing = scores(np.full((3, 3), nan), context_for(["men", "women", "men"], "123", [True] * 3))
    assert all(score.value is None and score.unavailable for score in nothing.values())
    assert nothing["gender-error[vgg]/skin_tone=1"].unavailable == "the classifier gave no verdict"


def test_even_odds_are_not_men() -> None:
    found = scores([[0.5, 0.5, 0.5]] * 2, context_for(["men", "women"]))
    assert (found["gender-error[vgg]/men"].value, found["gender-error[vgg]/women"].value) == (1, 0)


def test_people_are_the_unit_of_the_interval() -> None:
    """Ten pairs of one person tell no more than one: the interval of 4 people with 10 pairs is that of 4 pairs."""
    labels, rows = ["men", "women", "men", "women"], [[M, M, M], [W, W, W], [W, M, M], [W, W, W]]
    people = [f"p{i}" for i in range(4)]
    one = scores(rows, context_for(labels, people=people))
    ten = scores(rows * 10, context_for(labels * 10, people=people * 10))
    for name in ("gender-gap[vgg]", "gender-error[vgg]", "gender-error[vgg]/balanced"):
        assert (ten[name].value, ten[name].low, ten[name].high) == pytest.approx(
            (one[name].value, one[name].low, one[name].high)
        )


def test_reads_both_roles_and_the_blurred_truth_of_pinned_weights() -> None:
    metric = registry.find("metrics", "gender")("gender-error[vgg]", blur=3, pin="0123456789ab")
    plain, blurred = metric.needs
    assert (plain.feature, plain.of) == ("gender.vgg[pin=0123456789ab]", ("generated", "target"))
    assert (blurred.feature, blurred.of) == ("gender.vgg[pin=0123456789ab,blur3]", ("target",))
    assert METRIC.needs[0].feature == "gender.vgg"
    images = np.zeros((2, 8, 8, 3), np.uint8)
    given = {
        (plain.feature, "generated"): np.array([[0.1], [0.2]]),
        (plain.feature, "target"): np.array([[0.3], [0.4]]),
        (blurred.feature, "target"): np.array([[0.5], [0.6]]),
    }
    rows = metric.measure(Batch(["a", "b"], images, images, images, {}, given))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]])


@pytest.mark.parametrize("wrong", [{"name": "bias"}, {"name": "gender-error[a][b]"}, {"blur": 0}])
def test_settings_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(BenchError):
        GenderBias(**{"name": "gender-error[vgg]", **wrong})
