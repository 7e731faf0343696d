"""AttrRec and FashionIS: hand-made recognisers whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from fhpt_bench import evaluators, registry, score
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.attributes import AttrRec, FashionIS, joint, recall
from fhpt_bench.metrics.inception_score import InceptionScore
from fhpt_bench.types import Batch, Context

LABELS = (("top", "shirt"), ("top", "blouse"), ("bottom", "jeans"), ("bottom", "skirt"), ("bottom", "shorts"))
SHIRT, BLOUSE, JEANS, SKIRT, SHORTS = range(5)


@pytest.fixture(autouse=True)
def recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    def labels(name: str, data: str, pin: str = "") -> tuple[tuple[str, str], ...]:
        assert (name, data) == ("attributes", "catwalk")
        return LABELS

    monkeypatch.setattr(evaluators, "labels", labels)


def context_for(labels: Sequence[Mapping[str, str]], seed: int = 0) -> Context:
    ids = [f"pair{i:03d}" for i in range(len(labels))]
    return Context(ids, [f"p{i % 4}" for i in range(len(labels))], ids, ids, seed, labels)


def sure(top: int, bottom: int) -> np.ndarray:
    """Log-probabilities of a recogniser that is nearly sure of one top and one bottom."""
    p = np.full(5, 1e-12)
    p[[top, bottom]] = 1
    return np.log(p)


def test_recall_is_the_share_of_labels_among_the_k_surest() -> None:
    scores = np.log([[0.9, 0.1, 0.2, 0.3, 0.5]])
    for k, worn, share in (
        (1, [SHIRT], 1),
        (1, [SHORTS], 0),
        (2, [SHIRT, SHORTS], 1),
        (2, [SHIRT, SKIRT], 1 / 2),
        (3, [SHIRT, SKIRT, BLOUSE], 2 / 3),
        (5, [SHIRT, BLOUSE, JEANS], 1),
        (9, [BLOUSE], 1),
    ):
        positives = np.zeros((1, 5), bool)
        positives[0, worn] = True
        assert recall(scores, positives, k) == pytest.approx([share])


def test_one_that_cannot_tell_gets_nothing() -> None:
    """Equal scores: every label counts as the last, or all but sure ones would be given away by their order."""
    assert recall(np.zeros((1, 4)), np.eye(4, dtype=bool)[:1], 3) == pytest.approx([0])
    assert recall(np.zeros((1, 4)), np.eye(4, dtype=bool)[:1], 4) == pytest.approx([1])


def test_random_order_has_the_recall_of_chance() -> None:
    rng = np.random.default_rng(0)
    positives = rng.permuted(np.arange(20)[None].repeat(4000, 0), axis=1) < 4
    assert recall(rng.normal(size=(4000, 20)), positives, 5).mean() == pytest.approx(5 / 20, abs=0.01)


def test_attrrec_of_images_and_of_the_truth() -> None:
    worn = [{"top": "shirt", "bottom": "jeans", "hair": "short"}] * 4
    made = [sure(SHIRT, JEANS), sure(SHIRT, SKIRT), sure(BLOUSE, SKIRT), sure(BLOUSE, SHORTS)]
    rows = np.concatenate([made, [sure(SHIRT, JEANS)] * 3 + [sure(SHIRT, SKIRT)]], axis=1).astype(np.float32)
    own, truth, chance = AttrRec("attrrec-2", k=2).summarise(rows, context_for(worn))
    assert (own.name, truth.name, chance.name) == ("attrrec-2", "attrrec-2[truth]", "attrrec-2/chance")
    assert own.value == pytest.approx((1 + 1 / 2 + 0 + 0) / 4)
    assert truth.value == pytest.approx((3 + 1 / 2) / 4)
    assert chance.value == pytest.approx(2 / 5)
    assert (own.better, truth.better, chance.better) == ("higher", "neither", "neither")
    assert own.low is not None
    assert AttrRec("attrrec-9", k=9).summarise(rows, context_for(worn))[2].value == 1


def test_targets_without_a_known_label_are_left_out_not_given_full_marks() -> None:
    worn = [{"top": "shirt", "bottom": "jeans"}, {}, {"top": "cape"}, {"top": "cape", "bottom": "skirt"}]
    rows = np.concatenate([[sure(SHIRT, JEANS)] * 4] * 2, axis=1).astype(np.float32)
    own = AttrRec("attrrec-2", k=2).summarise(rows, context_for(worn))[0]
    assert (own.value, own.pairs, own.excluded) == (pytest.approx(1 / 2), 2, 2)
    for nothing in (context_for([{"hair": "long"}] * 4), Context(*[["a", "b", "c", "d"]] * 4)):
        for own in AttrRec("attrrec-2", k=2).summarise(rows, nothing):
            assert (own.value, own.pairs) == (None, 0)
            assert "no target has a label that the recogniser knows" in own.unavailable


def test_rows_that_are_not_numbers_are_left_out() -> None:
    rows = np.concatenate([[sure(SHIRT, JEANS), np.full(5, np.nan)]] * 2, axis=1).astype(np.float32)
    own = AttrRec("attrrec-2", k=2).summarise(rows, context_for([{"top": "shirt"}, {"top": "shirt"}]))[0]
    assert (own.value, own.pairs, own.excluded) == (1, 1, 1)


def test_joint_is_the_product_of_the_groups() -> None:
    p, q = np.array([0.25, 0.75]), np.array([0.5, 0.3, 0.2])
    both = np.exp(joint(np.log(np.concatenate([p, q]))[None], LABELS, ("top", "bottom")))
    np.testing.assert_allclose(both, [np.outer(p, q).ravel()])
    np.testing.assert_allclose(np.exp(joint(np.log(np.concatenate([p, q]))[None], LABELS, ("bottom",))), [q])
    with pytest.raises(BenchError, match=r"no group .hat.(.|\n)*top, bottom"):
        joint(np.zeros((1, 5)), LABELS, ("top", "hat"))


def test_fashion_is_of_one_kind_is_one_and_of_six_sure_kinds_six() -> None:
    kinds = [(top, bottom) for top in (SHIRT, BLOUSE) for bottom in (JEANS, SKIRT, SHORTS)]
    varied = np.array([sure(*kinds[i % 6]) for i in range(60)], np.float32)
    alike = np.array([sure(SHIRT, JEANS)] * 60, np.float32)
    uniform = np.log(np.array([[1 / 2] * 2 + [1 / 3] * 3] * 60, np.float32))
    context = context_for([{}] * 60)
    for made, true, value, ceiling in ((varied, alike, 6, 1), (alike, varied, 1, 6), (uniform, uniform, 1, 1)):
        metric = FashionIS("fashion-is", splits=1)
        mean, deviation, truth = metric.summarise(np.concatenate([made, true], axis=1), context)
        assert (mean.name, deviation.name, truth.name) == ("fashion-is", "fashion-is/std", "fashion-is[truth]")
        assert mean.value == pytest.approx(value, rel=1e-5)
        assert truth.value == pytest.approx(ceiling, rel=1e-5)
        assert deviation.value == 0
        assert (mean.better, truth.better) == ("higher", "neither")
    tops = FashionIS("fashion-is", splits=1, garments=["top"])
    assert tops.summarise(np.concatenate([varied] * 2, axis=1), context)[0].value == pytest.approx(2, rel=1e-5)


def test_splits_and_order_are_those_of_the_inception_score() -> None:
    """With one group of 1008 values it is the Inception Score."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 5)).astype(np.float32) * 2
    log_p = logits[:, 2:] - np.log(np.exp(logits[:, 2:]).sum(1, keepdims=True))
    context = context_for([{}] * 40)
    rows = np.concatenate([np.pad(log_p, ((0, 0), (2, 0)))] * 2, axis=1)
    mean, deviation, truth = FashionIS("fashion-is", splits=4, garments=["bottom"]).summarise(rows, context)
    theirs = InceptionScore("is", splits=4).summarise(logits[:, 2:], context)
    assert (mean.value, mean.low, mean.high) == pytest.approx((theirs[0].value, theirs[0].low, theirs[0].high))
    assert deviation.value == pytest.approx(theirs[1].value)
    assert truth.value == mean.value


def test_too_few_images_are_unavailable() -> None:
    found = FashionIS("fashion-is").summarise(np.zeros((5, 10), np.float32), context_for([{}] * 5))
    assert [own.value for own in found] == [None] * 3
    assert all("5 images cannot be split in 10" in own.unavailable for own in found)


def test_rows_are_the_recognisers_own_and_of_the_right_width() -> None:
    metric = registry.find("metrics", "attrrec")("attrrec-5", k=5, pin="0123456789ab")
    assert isinstance(registry.find("metrics", "fashion-is")("fashion-is"), FashionIS)
    [need] = metric.needs
    assert (need.feature, need.of) == ("attributes.vgg[pin=0123456789ab]", ("generated", "target"))
    images = np.zeros((2, 8, 8, 3), np.uint8)
    made, true = np.arange(10.0).reshape(2, 5), np.arange(10.0, 20).reshape(2, 5)
    batch = Batch(
        ["a", "b"],
        images,
        images,
        images,
        {},
        {(need.feature, "generated"): made, (need.feature, "target"): true},
    )
    rows = metric.measure(batch)
    assert rows.shape == (2, metric.columns) == (2, 10)
    np.testing.assert_array_equal(rows, np.concatenate([made, true], axis=1))
    wide = {(need.feature, role): np.zeros((2, 7)) for role in need.of}
    with pytest.raises(BenchError, match=r"7 columns, but the recogniser of 'catwalk' has 5"):
        metric.measure(Batch(["a", "b"], images, images, images, {}, wide))


@pytest.mark.parametrize(
    ("use", "wrong"),
    [("attrrec", {"k": 0}), ("attrrec", {"k": 2.5}), ("fashion-is", {"splits": 0}), ("fashion-is", {"garments": "top"}),
     ("fashion-is", {"garments": []}), ("fashion-is", {"garments": ["top", "top"]})],
)  # fmt: skip
def test_settings_that_make_no_sense(use: str, wrong: dict) -> None:
    with pytest.raises(BenchError):
        registry.find("metrics", use)("x", **wrong)


def test_a_data_set_without_trained_evaluators_says_how_to_train_them(tmp_path: Path) -> None:
    names = {"gender": "gender-error[vgg]", "attrrec": "attrrec-5", "fashion-is": "fashion-is"}
    tables = "".join(f'[[metrics]]\nuse = "{use}"\nname = "{name}"\n' for use, name in names.items())
    (tmp_path / "p.toml").write_text(
        'name = "semantic-v1"\ntitle = "What evaluators see"\nfrozen = false\ndata = "catwalk"\nsize = [16, 12]\n'
        f'headline = ["attrrec-5"]\n{tables}'
    )
    images = list(np.random.default_rng(0).integers(0, 256, (4, 16, 12, 3), dtype=np.uint8))
    record = score(images, target=images, people=list("aabb"), protocol=tmp_path / "p.toml", show=False)
    for use, name in names.items():
        absent = record.score(name)
        assert absent.value is None
        assert f"fhpt-bench train protocols/evaluators/{'gender' if use == 'gender' else 'attributes'}" in (
            absent.unavailable
        )


def test_the_recogniser_that_ships_knows_what_the_metrics_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real labels
    groups = {group for group, _ in evaluators.labels("attributes", "catwalk")}
    assert {"top", "bottom", "top_colour", "bottom_colour", "top_pattern", "bottom_pattern"} == groups
    assert AttrRec("attrrec-5").columns == 2 * 61, "the docstring's chance levels are of 61 labels"
    with pytest.raises(BenchError, match="0000"):
        _ = FashionIS("fashion-is", pin="0000").columns
