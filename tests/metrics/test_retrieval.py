"""Known galleries with known answers for each rule; scikit-learn's average precision; what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.retrieval import Retrieval
from fhpt_bench.types import Batch, Context, Score

# Photographs on a circle: degrees. The angle between two is how unlike they are.
PHOTOS = {"a1": 0, "a2": 10, "a3": 50, "b1": 14, "b2": 21, "b3": 25}
PAIRS = [("a1", "a2"), ("a2", "a3"), ("a3", "a1"), ("b1", "b2"), ("b2", "b3"), ("b3", "b1")]
FLAT = Retrieval("retrieval[vgg]", dimensions=2, ks=(1, 3, 5), by=())


def at(degrees: Sequence[float]) -> np.ndarray:
    angle = np.deg2rad(np.asarray(degrees, np.float64))
    return np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)


def world(generated: Sequence[float], pairs: Sequence[tuple[str, str]] = PAIRS) -> tuple[np.ndarray, Context]:
    """Rows and context of pairs (source, target) whose generated images lie at these angles."""
    sources, targets = ([pair[i] for pair in pairs] for i in (0, 1))
    rows = np.concatenate([at(generated), at([PHOTOS[t] for t in targets]), at([PHOTOS[s] for s in sources])], axis=1)
    context = Context(
        pair_ids=[f"{s}-{t}" for s, t in pairs],
        people=[t[0] for t in targets],
        target_ids=targets,
        source_ids=sources,
        labels=[label(t) for t in targets],
        source_labels=[label(s) for s in sources],
    )
    return rows, context


def label(photo: str) -> dict[str, str]:
    return {"item": f"item-{photo[0]}", "outfit": photo, "top": {"a": "shirt", "b": "dress"}[photo[0]]}


def scores(metric: Retrieval, generated: Sequence[float], **changed: object) -> dict[str, Score]:
    rows, context = world(generated)
    return {s.name: s for s in metric.summarise(rows, replace(context, **changed))}


def test_a_copied_source_finds_itself_under_paper_and_must_not_under_other_views() -> None:
    found = scores(FLAT, [PHOTOS[s] for s, _ in PAIRS])
    assert found["recall@1[vgg,paper]"].value == 1
    # By hand, own source and target removed: a1 -> b1 b2 b3 a3; a2 -> b1 (4) a1 (10) b2 (11) b3; a3 -> b3 b2 b1 a2;
    # b1 -> a2 (4) b3 (11) a1 (14); b2 -> b1 (7) a2; b3 -> b2 (4).
    assert found["recall@1[vgg,other-views]"].value == pytest.approx(2 / 6)
    assert found["recall@3[vgg,other-views]"].value == pytest.approx((0 + 1 + 0 + 1 + 1 + 1) / 6)
    assert found["recall@5[vgg,other-views]"].value == 1
    assert found["map[vgg,other-views]"].value == pytest.approx((1 / 4 + 1 / 2 + 1 / 4 + 1 / 2 + 1 + 1) / 6)
    # Under paper two of three are relevant; of a1's, a1 itself is first and a3 fifth.
    assert found["hits@1[vgg,paper]"].value == pytest.approx(1 / 2)


def test_one_pair_by_hand() -> None:
    rows, context = world([0, *[PHOTOS[s] for s, _ in PAIRS[1:]]])
    trial = FLAT.trial(rows, context)
    places, right = trial.top(FLAT.generated(rows), 5, "paper")
    assert [trial.index.ids[p] for p in places[0]] == ["a1", "b1", "b2", "b3", "a3"]
    assert right[0].tolist() == [True, False, False, False, True]
    values = trial.answers(FLAT.generated(rows), (1, 3, 5), ("paper", "other-views"))
    assert values["map", "paper"][0] == pytest.approx((1 / 1 + 2 / 5) / 2)
    assert [values[f"hits@{k}", "paper"][0] for k in (1, 3, 5)] == [0.5, 0.5, 1.0]
    places, right = trial.top(FLAT.generated(rows), 5, "other-views")
    assert places[0, 4] == -1, "four photographs are left"
    assert not right[0, 4]


def test_true_targets_are_the_upper_bound_and_what_the_truth_row_gets() -> None:
    truth = scores(FLAT, [PHOTOS[t] for _, t in PAIRS])
    wrong = scores(FLAT, [PHOTOS[t] + 180 for _, t in PAIRS])
    for what in ("recall@1", "recall@3", "hits@3", "map"):
        own = truth[f"{what}[vgg,other-views]"].value
        for found in (truth, wrong):
            assert found[f"{what}[vgg,other-views,truth]"].value == own
    # Not itself: a2 -> b1, a3 -> b3, b1 -> a2 are wrong, a1 -> a2, b2 -> b3, b3 -> b2 are right.
    assert truth["recall@1[vgg,paper]"].value == pytest.approx(3 / 6)
    assert truth["map[vgg,other-views,truth]"].better == "neither"


def expected(rows: np.ndarray, context: Context, k: int, rule: str) -> list[list[float]]:
    """Recall, hits, average precision of each pair, in plain steps and by scikit-learn."""
    shown = zip(context.source_ids, rows, context.source_labels, strict=True)
    gallery = {photo: (row[-4:], labels["item"]) for photo, row, labels in shown}
    found = []
    for row, t, s, labels in zip(rows, context.target_ids, context.source_ids, context.labels, strict=True):
        kept = {g: v for g, v in gallery.items() if g != t and (rule == "paper" or g != s)}
        ranked = sorted(kept, key=lambda g: (-float(row[:4].astype(float) @ kept[g][0].astype(float)), g))
        right = np.array([kept[g][1] == labels["item"] for g in ranked])
        if right.any():
            precision = average_precision_score(right, -np.arange(len(right)))
            found.append([float(right[:k].any()), right[:k].sum() / right.sum(), precision])
        else:
            found.append([math.nan] * 3)
    return found


@pytest.mark.parametrize("rule", ["paper", "other-views"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_as_scikit_learn_and_plain_steps_have_it(seed: int, rule: str) -> None:
    """Random worlds: targets that are no source, items of one photograph, photographs that are copies of others."""
    rng = np.random.default_rng(seed)
    photos = rng.normal(size=(40, 4))
    photos[30:] = photos[:10]
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    item = rng.integers(0, 14, 40)
    pairs = [(s, t) for s in range(40) for t in range(40) if s != t and item[s] == item[t] and (s + t) % 3][:90]
    sources, targets = (np.array([p[i] for p in pairs]) for i in (0, 1))
    generated = photos[targets] + rng.normal(size=(len(pairs), 4))
    generated /= np.linalg.norm(generated, axis=1, keepdims=True)
    rows = np.concatenate([generated, photos[targets], photos[sources]], axis=1).astype(np.float32)
    labels = [[{"item": str(item[p])} for p in of] for of in (targets, sources)]
    names = [[f"photo{p:02d}" for p in of] for of in (targets, sources)]
    ids = [f"{s}-{t}" for s, t in pairs]
    context = Context(ids, [str(item[t]) for t in targets], *names, labels=labels[0], source_labels=labels[1])
    metric = replace(FLAT, dimensions=4)
    values = metric.trial(rows, context).answers(metric.generated(rows), (1, 3, 5), ("paper", "other-views"))
    for k in (1, 3, 5):
        got = np.array([values[what, rule] for what in (f"recall@{k}", f"hits@{k}", "map")]).T
        np.testing.assert_allclose(got, expected(rows, context, k, rule), atol=1e-12)


def test_pairs_with_nothing_to_find_are_excluded_and_counted() -> None:
    pairs = [("a1", "a2"), ("a2", "a1"), ("b1", "b2"), ("b2", "b3"), ("b3", "b1")]
    rows, context = world([PHOTOS[t] for _, t in pairs], pairs)
    found = {s.name: s for s in FLAT.summarise(rows, context)}
    assert (found["recall@1[vgg,other-views]"].pairs, found["recall@1[vgg,other-views]"].excluded) == (3, 2)
    assert (found["recall@1[vgg,paper]"].pairs, found["recall@1[vgg,paper]"].excluded) == (5, 0)
    rows, context = world([0, 10], pairs[:2])
    lonely = {s.name: s for s in FLAT.summarise(rows, context)}["map[vgg,other-views]"]
    assert lonely.value is None
    assert "no pair has another photograph" in lonely.unavailable


def test_the_gallery_holds_a_source_once() -> None:
    pairs = [("a1", "a2"), ("a1", "a3"), ("a1", "b1"), *PAIRS]
    rows, context = world([0] * len(pairs), pairs)
    assert FLAT.trial(rows, context).index.ids == sorted(PHOTOS)


def test_broken_down_by_label() -> None:
    metric = replace(FLAT, by=("top", "top_colour"), by_k=3)
    found = scores(metric, [PHOTOS[s] for s, _ in PAIRS])
    shirts, dresses = (found[f"recall@3[vgg,other-views]/top={value}"] for value in ("shirt", "dress"))
    assert (shirts.value, dresses.value) == (pytest.approx(1 / 3), 1)
    assert (shirts.pairs, shirts.excluded) == (3, 0)
    missing = found["recall@3[vgg,other-views]/top_colour"]
    assert missing.value is None
    assert "no label 'top_colour'" in missing.unavailable


def test_outfit_is_stricter_than_item() -> None:
    found = scores(replace(FLAT, relevance="outfit"), [0] * 6)
    assert found["recall@5[vgg,paper,outfit]"].unavailable, "here each photograph is an outfit of its own"
    shared = [{"item": "one", "outfit": t} for t in "aaabbb"]
    outfits = scores(replace(FLAT, relevance="outfit"), [0] * 6, labels=shared, source_labels=shared)
    items = scores(FLAT, [0] * 6, labels=shared, source_labels=shared)
    assert items["recall@1[vgg,other-views]"].value == 1
    assert outfits["recall@1[vgg,other-views,outfit]"].value < 1


@pytest.mark.parametrize("labels", [[{}] * 6, [{"item": "a"}] * 5 + [{"item": ""}], [{"item": "a"}] * 5 + [{}]])
def test_unlabelled_photographs_are_a_reason_not_a_number(labels: list[dict[str, str]]) -> None:
    names = set(scores(FLAT, [0] * 6))
    for where in ("labels", "source_labels"):
        found = scores(FLAT, [0] * 6, **{where: labels})
        assert set(found) == names
        assert all(s.value is None and "no label 'item'" in s.unavailable for s in found.values())


def test_rows_are_the_embeddings_and_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(0)
    vectors = {role: rng.normal(size=(6, 2)).astype(np.float32) for role in ("generated", "target", "source")}
    image = np.zeros((6, 4, 4, 3), np.uint8)

    def batch(part: slice) -> Batch:
        ids = [str(i) for i in range(6)][part]
        found = {("retrieval.vgg", role): rows[part] for role, rows in vectors.items()}
        return Batch(ids, image[part], image[part], image[part], {}, found)

    whole = FLAT.measure(batch(slice(None)))
    assert whole.shape == (6, FLAT.columns)
    assert np.array_equal(whole, np.concatenate(list(vectors.values()), axis=1))
    assert np.array_equal(np.concatenate([FLAT.measure(batch(slice(i, i + 1))) for i in range(6)]), whole)
    with pytest.raises(BenchError, match="dimensions = 2"):
        replace(FLAT, dimensions=128).measure(batch(slice(None)))


def test_an_embedding_that_is_none_is_refused() -> None:
    rows, context = world([0] * 6)
    rows[2, 0] = np.nan
    with pytest.raises(BenchError, match="length 1"):
        FLAT.summarise(rows, context)


def test_names_and_needs() -> None:
    metric = Retrieval("retrieval[resnet]", backbone="resnet", pin="0123456789ab")
    assert metric.needs[0].feature == "retrieval.resnet[pin=0123456789ab]"
    assert metric.needs[0].of == ("generated", "target", "source")
    assert {s.name for s in replace(metric, dimensions=2).summarise(*world([0] * 6))} >= {
        f"{what}[resnet,{rule}]"
        for what in ("recall@3", "recall@10", "hits@5", "map")
        for rule in ("paper", "other-views")
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"backbone": "vit"},
        {"ks": ()},
        {"ks": (0,)},
        {"ks": (2.5,)},
        {"rules": ()},
        {"rules": ("mine",)},
        {"relevance": "colour"},
        {"by_k": 4},
    ],
)
def test_bad_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(BenchError):
        Retrieval("retrieval", **wrong)


def test_intervals_hold_the_point_and_repeat() -> None:
    first, second = (scores(FLAT, [PHOTOS[s] for s, _ in PAIRS]) for _ in range(2))
    assert first == second
    for score in first.values():
        assert score.low <= score.value <= score.high
