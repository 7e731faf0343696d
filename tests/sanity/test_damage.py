"""Damage does what it says, where it says, and no more than its dose."""

from __future__ import annotations

import numpy as np
import pytest

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.sanity import pixels
from fhpt_bench.sanity.damage import DAMAGES, Damaged, Scene

BY_NAME = {damage.name: damage for damage in DAMAGES}


@pytest.fixture(scope="module")
def data():
    return Catwalk("val")


@pytest.fixture(scope="module")
def scenes(data):
    return [Scene(data, data[i].target) for i in range(0, len(data), 12)]


def changed(scene: Scene, image: np.ndarray) -> np.ndarray:
    """Pixels that differ by more than what a soft edge or rounding does."""
    return np.abs(image.astype(int) - scene.image).max(2) > 24


def distance(scene: Scene, image: np.ndarray) -> float:
    return float(np.abs(image.astype(float) - scene.image).mean())


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.name)
def test_every_damage_grows_with_its_dose_and_is_the_same_each_time(damage, data, scenes):
    totals = []
    for dose in damage.doses:
        images = [damage(scene, dose) for scene in scenes]
        assert all(i.shape == s.image.shape and i.dtype == np.uint8 for i, s in zip(images, scenes, strict=True))
        np.testing.assert_array_equal(images[0], damage(Scene(data, scenes[0].photo), dose))
        totals.append(sum(map(distance, scenes, images)))
    assert 0 <= totals[0] <= totals[1] <= totals[2] and totals[2] > 0


def test_images_are_damaged_whole_or_not_and_doses_are_nested(data):
    damage = BY_NAME["hands-erased"]
    scenes = [Scene(data, photo) for photo in data.photos()[:60]]
    hit = [{s.photo.id for s in scenes if changed(s, damage(s, dose)).any()} for dose in damage.doses]
    assert hit[0] <= hit[1] <= hit[2]
    assert 0 < len(hit[0]) < len(hit[1]) < len(hit[2])


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("face-replaced", ("face",)),
        ("recoloured", ("upper_clothes", "pants", "skirt", "dress", "coat", "hat", "socks")),
        ("pattern-removed", ("upper_clothes", "pants", "skirt", "dress", "coat", "hat", "socks")),
        ("hands-erased", ("left_arm", "right_arm")),
    ],
)
def test_only_what_is_named_changes(name, classes, scenes):
    from scipy import ndimage

    for scene in scenes:
        may = ndimage.binary_dilation(scene.classes(*classes), iterations=4)
        assert not (changed(scene, BY_NAME[name].apply(scene, 1.0)) & ~may).any()


def test_a_moved_arm_takes_the_wrist_along(scenes):
    elbow, wrist = BODY18.index("r_elbow"), BODY18.index("r_wrist")
    seen = 0
    for scene in scenes:
        pose = scene.photo.pose
        x, y = np.rint(pose.keypoints[wrist]).astype(int)
        if (pose.visible[[elbow, wrist]] == 2).all() and scene.parts("right_hand", "right_sleeve", "right_arm")[y, x]:
            seen += 1
            assert changed(scene, BY_NAME["arms-moved"](scene, 60))[y - 5 : y + 6, x - 5 : x + 6].mean() > 0.1
    assert seen > 2


def test_the_donor_is_another_person_of_the_wanted_gender(scenes):
    from fhpt_bench.sanity.damage import _donor

    found = [(s, _donor(s, same_gender=same), same) for s in scenes for same in (True, False)]
    assert sum(donor is not None for _, donor, _ in found) > 10
    for scene, donor, same in found:
        if donor is not None:
            assert donor.photo.person != scene.photo.person
            assert (donor.photo.labels["gender"] == scene.photo.labels["gender"]) is same


def test_as_a_generator_it_shows_the_damaged_truth(data, scenes):
    pair = data[0]
    made = Damaged(data, BY_NAME["shift"], 4).generate([pair])[0]
    np.testing.assert_array_equal(made[:, 4:], pair.target.image[:, :-4])
    assert (made[:, :4] == 255).all()


def test_similarity_recovers_a_known_motion():
    rng = np.random.default_rng(0)
    points = rng.normal(50, 20, (9, 2)).astype(np.float32)
    angle, scale, move = 0.4, 1.7, np.array([3.0, -8.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = pixels.similarity(points, (points @ turn.T + move).astype(np.float32))
    np.testing.assert_allclose(found, np.concatenate([turn, move[:, None]], 1), atol=1e-3)


def test_fill_takes_the_nearest_pixel_and_warp_moves_by_its_matrix():
    image = np.zeros((5, 6, 3), np.uint8)
    image[:, :3], image[:, 3:] = 10, 200
    hole = np.zeros((5, 6), bool)
    hole[2, 2] = True
    np.testing.assert_array_equal(pixels.fill(image, hole)[2, 2], [10, 10, 10])
    moved, inside = pixels.warp(image, hole, np.array([[1, 0, 2], [0, 1, 1]], np.float32))
    assert inside[3, 4] and inside.sum() == 1
    np.testing.assert_array_equal(moved[1:, 2:], image[:-1, :-2])


def test_a_flat_garment_keeps_its_colour_and_loses_its_stripes():
    image = np.full((40, 40, 3), 100, np.uint8)
    image[::4] = (220, 40, 40)
    mask = np.ones((40, 40), bool)
    flat = pixels.flatten(image, [mask], 1.0)
    assert flat.astype(float).std((0, 1)).max() < 8
    np.testing.assert_allclose(flat.mean((0, 1)), image.mean((0, 1)), atol=4)


def test_recolouring_turns_the_hue_and_gives_grey_one():
    image = np.full((8, 8, 3), (200, 30, 30), np.uint8)
    image[:, 4:] = 128
    turned = pixels.recolour(image, np.ones((8, 8), bool), 1.0).astype(int)
    assert turned[4, 1, 0] < turned[4, 1, 1] and np.ptp(turned[4, 6]) > 40
