"""Accuracy and recall of outputs made by hand; cells of taps made by hand."""

from __future__ import annotations

import numpy as np
import torch

from fhpt_bench.evaluators.accuracy import accuracies, recalls
from fhpt_bench.evaluators.augment import augment
from fhpt_bench.evaluators.cells import cells
from fhpt_bench.types import Photo, Pose

POSE = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))


def photo(person: str, **labels: str) -> Photo:
    return Photo(f"{person}-{labels}", POSE, person, lambda: np.zeros((2, 2, 3), np.uint8), labels)


def test_accuracy_counts_what_the_training_people_had() -> None:
    labels = [("gender", "men"), ("gender", "women"), ("top", "a"), ("top", "b"), ("top", "c")]
    photos = [
        photo("p0", gender="men", top="a"),
        photo("p0", gender="women", top="b"),
        photo("p1", gender="women", top="dots"),
        photo("p1", gender="women", top="a"),
    ]
    outputs = np.array([[1, 0, 5, 1, 1], [1, 0, 9, 2, 1], [0, 1, 1, 1, 2], [0, 1, -1, -2, -3]], np.float32)
    scores = {score.name: score for score in accuracies(outputs, labels, photos)}
    assert list(scores) == ["accuracy/gender", "accuracy/men", "accuracy/women", "accuracy/top"]
    assert scores["accuracy/gender"].value == 3 / 4
    assert scores["accuracy/men"].value == 1 and scores["accuracy/men"].pairs == 1
    assert scores["accuracy/women"].value == 2 / 3
    assert scores["accuracy/top"].value == 2 / 3 and scores["accuracy/top"].excluded == 1


def test_recall_leaves_the_query_out() -> None:
    # On a line of angles: 0 and 10 degrees are of one item, 4 of another, 90 alone with 95.
    angles, items = np.deg2rad([0, 10, 4, 90, 95]), ["x", "x", "y", "z", "z"]
    embedding = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    scores = recalls(embedding, items, [photo(f"p{i}", item=item) for i, item in enumerate(items)])
    # Nearest: 0 -> 4 (wrong), 10 -> 4 (wrong), 4 -> 0 (wrong), 90 -> 95, 95 -> 90. Among 5, x finds x, y has no other.
    assert [score.value for score in scores] == [2 / 5, 4 / 5, 4 / 5]


def test_cells_are_means_deviations_and_maxima() -> None:
    rng = np.random.default_rng(0)
    fine, middle, last = (
        torch.from_numpy(rng.normal(size=shape).astype(np.float32))
        for shape in ((2, 1, 8, 8), (2, 2, 4, 4), (2, 3, 2, 2))
    )
    found = cells([fine, middle, last]).numpy()
    assert found.shape == (2, 1 + 1 + 2 + 2 + 3, 2, 2)
    block = fine[1, 0, 4:, :4].numpy()
    np.testing.assert_allclose(found[1, :2, 1, 0], [block.mean(), block.std()], rtol=1e-5)
    block = middle[1, :, 2:, :2].numpy()
    np.testing.assert_allclose(found[1, 2:6, 1, 0], [*block.mean((1, 2)), *block.max((1, 2))], rtol=1e-5)
    np.testing.assert_array_equal(found[:, 6:], last.numpy())
    np.testing.assert_array_equal(cells([fine[1:], middle[1:], last[1:]])[0], found[1])
    odd = [torch.zeros(1, 1, *size) for size in ((22, 18), (11, 9), (5, 4))]
    assert cells(odd).shape == (1, 5, 5, 4)


def test_augmentation_keeps_size_and_hue() -> None:
    image = np.full((64, 48, 3), 255, np.uint8)
    image[16:48, 12:36] = (180, 60, 40)
    seen = [augment(image, np.random.default_rng([i, 1])) for i in range(20)]
    assert all(made.shape == image.shape and made.dtype == np.uint8 for made in seen)
    np.testing.assert_array_equal(seen[3], augment(image, np.random.default_rng([3, 1])))
    assert not np.array_equal(seen[3], seen[4])
    for made in seen:
        centre = made[28:36, 20:28].reshape(-1, 3).mean(0)
        assert np.abs(centre - (180, 60, 40)).max() < 16
