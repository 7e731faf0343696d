"""Drawings put their ink where the points are."""

from __future__ import annotations

import numpy as np
import pytest

from fhpt_bench.errors import BenchError
from fhpt_bench.figures import LEFT, RIGHT, draw_pose, grid
from fhpt_bench.types import OCCLUDED, OUTSIDE, VISIBLE, Face, Pose


def pose(points: dict[int, tuple[float, float]], seen: int = VISIBLE) -> Pose:
    keypoints = np.full((18, 2), np.nan, np.float32)
    visible = np.full(18, OUTSIDE, np.uint8)
    for index, point in points.items():
        keypoints[index], visible[index] = point, seen
    return Pose(keypoints, visible)


def test_right_is_orange_left_is_blue_and_paper_white() -> None:
    image = draw_pose(pose({2: (20, 40), 3: (20, 80), 5: (60, 40), 6: (60, 80)}), (128, 88))
    assert image.shape == (128, 88, 3)
    assert tuple(image[60, 20]) == RIGHT
    assert tuple(image[60, 60]) == LEFT
    assert (image[:, 35:45] == 255).all()
    assert (image[100:] == 255).all()


def test_what_is_unknown_or_outside_is_not_drawn() -> None:
    assert (draw_pose(pose({}), (64, 44)) == 255).all()
    one = pose({2: (20, 20)})
    assert (draw_pose(one, (64, 44))[40:] == 255).all()
    hidden = Pose(np.zeros((18, 2), np.float32), np.full(18, OUTSIDE, np.uint8))
    assert (draw_pose(hidden, (64, 44)) == 255).all()


def test_hidden_points_are_pale() -> None:
    points = {2: (20.0, 40.0), 3: (20.0, 80.0)}
    clear, pale = (draw_pose(pose(points, seen), (128, 88)) for seen in (VISIBLE, OCCLUDED))
    assert int(pale[60, 20].sum()) > int(clear[60, 20].sum()) + 150
    assert (pale[60, 20] < 255).any()


def test_hands_and_face_points_are_drawn_where_the_pose_has_them() -> None:
    hands = np.zeros((2, 21, 2), np.float32)
    hands[0] = [(30 + 2 * (k % 4), 90 + k) for k in range(21)]
    face = Face(np.array([(60, 20), (np.nan, np.nan)], np.float32), np.array([VISIBLE, VISIBLE], np.uint8), None, False)
    bare = pose({1: (10, 10)})
    visible = np.stack([np.full(21, VISIBLE), np.full(21, OUTSIDE)]).astype(np.uint8)
    full = Pose(bare.keypoints, bare.visible, hands, visible, face)
    before, after = draw_pose(bare, (128, 88)), draw_pose(full, (128, 88))
    changed = (before != after).any(axis=2)
    assert changed[88:112, 28:40].any()
    assert changed[18:23, 58:63].any()
    assert not changed[:, :25].any()
    assert not changed[30:85].any()


def test_points_off_the_canvas_do_no_harm() -> None:
    image = draw_pose(pose({2: (-500, -500), 3: (2000, 40), 8: (5e8, 3)}), (64, 44))
    assert image.shape == (64, 44, 3)


def test_grid_places_images_and_refuses_uneven_ones() -> None:
    red, blue = np.zeros((10, 8, 3), np.uint8), np.zeros((10, 8, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    sheet = grid([[red, blue], [blue, red]], gap=2)
    assert sheet.shape == (22, 18, 3)
    np.testing.assert_array_equal(sheet[:10, 10:], blue)
    np.testing.assert_array_equal(sheet[12:, 10:], red)
    assert (sheet[10:12] == 255).all()
    titled = grid([[red, blue]], columns=["source", "truth"])
    assert titled.shape[0] > 20
    assert (titled[:20] < 128).any()
    for rows, columns in (([[red], [red, blue]], ()), ([[red, blue[:5]]], ()), ([[red]], ("a", "b"))):
        with pytest.raises(BenchError):
            grid(rows, columns=columns)
