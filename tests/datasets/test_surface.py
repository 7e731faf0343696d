"""Flow by matching surface maps, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fhpt_bench.datasets.catwalk.surface import PARTS, STEP, Surface, decode, encode, match
from fhpt_bench.datasets.catwalk.warp import exact_warp

SIZE = (64, 48)
TOP, HEAD = PARTS.index("top"), PARTS.index("head")


def plane(shift: tuple[float, float], step: int = 1, part: int = TOP, scale: float = 0.005) -> Surface:
    """A flat cloth before the camera, moved by (x, y) pixels; ``scale`` metres a pixel."""
    ys, xs = np.mgrid[0 : SIZE[0] : step, 0 : SIZE[1] : step].astype(np.float32)
    points = np.stack([(xs - shift[0]) * scale, np.full_like(xs, 0.1), (ys - shift[1]) * scale], -1)
    parts = np.full(xs.shape, part, np.uint8)
    return Surface(points.astype(np.float32), parts, step, SIZE)


def everywhere() -> NDArray[np.bool_]:
    return np.ones(SIZE, bool)


def test_codes_are_right_to_half_a_step() -> None:
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(len(PARTS), 3)).astype(np.float32)
    parts = rng.integers(0, len(PARTS), SIZE).astype(np.uint8)
    points = corners[parts] + rng.uniform(0, 250 * STEP, (*SIZE, 3)).astype(np.float32)
    rgba = encode(points, parts, corners)
    found, found_parts = decode(rgba, corners)
    assert (found_parts == parts).all()
    assert np.abs(found - points)[parts > 0].max() <= STEP / 2 + 1e-5
    assert (rgba[parts == 0] == 0).all()


@pytest.mark.parametrize("step", [1, 2])
def test_a_shift_is_found_between_pixels(step: int) -> None:
    flow, state = match(plane((0, 0), step), plane((3.25, -2.5), step), everywhere())
    inner = np.s_[6:-6, 6:-6]
    ys, xs = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    assert (state[inner] == 0).all()
    np.testing.assert_allclose(flow[inner], np.stack([xs - 3.25, ys + 2.5], -1)[inner], atol=0.02)


def test_what_left_the_frame_is_not_visible() -> None:
    _, state = match(plane((0, 0)), plane((20, 0)), everywhere())
    assert (state[:, 22:] == 0).all()  # x - 20 is inside the source
    assert (state[:, :18] == 1).all()


def test_other_layers_do_not_match_however_near() -> None:
    flow, state = match(plane((0, 0), part=HEAD), plane((0, 0), part=TOP), everywhere())
    assert (state == 1).all()
    assert (flow == -1).all()


def test_background_and_empty_sources() -> None:
    person = everywhere()
    person[:10] = False
    _, state = match(plane((0, 0)), plane((0, 0)), person)
    assert (state[:10] == 2).all()
    assert (state[10:] == 0).all()
    empty = Surface(np.zeros((*SIZE, 3), np.float32), np.zeros(SIZE, np.uint8), 1, SIZE)
    assert (match(empty, plane((0, 0)), everywhere())[1] == 1).all()
    assert (match(plane((0, 0)), plane((0, 0)), ~everywhere())[1] == 2).all()


def test_two_scales() -> None:
    """The target twice as large: source pixels at half the distance."""
    flow, state = match(plane((0, 0)), plane((0, 0), scale=0.0025), everywhere())
    ys, xs = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    np.testing.assert_allclose(flow, np.stack([xs / 2, ys / 2], -1), atol=0.02)
    assert (state == 0).all()


def test_warp_fills_holes_from_the_nearest_visible_pixel() -> None:
    source = np.zeros((4, 6, 3), np.uint8)
    source[:, :3], source[:, 3:] = 10, 200
    ys, xs = np.mgrid[0:4, 0:6].astype(np.float32)
    flow, state = np.stack([xs, ys], -1), np.zeros((4, 6), np.uint8)
    state[:, 4:] = 1
    state[0] = 2
    out = exact_warp(source, np.ones((4, 6), bool), flow, state)
    assert (out[0] == 255).all()
    assert (out[1:, :3] == 10).all()
    assert (out[1:, 3:] == 200).all()


def test_warp_interpolates_and_keeps_the_background_out() -> None:
    source = np.full((2, 4, 3), 255, np.uint8)
    source[:, 1], source[:, 2] = 100, 50
    person = np.zeros((2, 4), bool)
    person[:, 1:3] = True
    flow = np.full((2, 4, 2), -1, np.float32)
    state = np.full((2, 4), 2, np.uint8)
    flow[0, 0], flow[0, 1], state[0, :2] = (1.5, 0), (0.6, 0), 0
    out = exact_warp(source, person, flow, state)
    assert (out[0, 0] == 75).all()  # between the two
    assert (out[0, 1] == 100).all()  # left neighbour is background


def test_warp_without_anything_visible() -> None:
    source = np.full((2, 2, 3), 255, np.uint8)
    source[0] = 40
    person = np.array([[True, True], [False, False]])
    out = exact_warp(source, person, np.full((2, 2, 2), -1, np.float32), np.array([[1, 2], [1, 2]], np.uint8))
    assert (out[:, 0] == 40).all()
    assert (out[:, 1] == 255).all()
