"""Pieces of the renderer whose answer is known by geometry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fhpt_bench.catwalk_render import body, fabric, light
from fhpt_bench.catwalk_render.assets import colour, encoded, linear
from fhpt_bench.catwalk_render.people import SKIN_TONES, roster
from fhpt_bench.catwalk_render.photograph import Camera
from fhpt_bench.catwalk_render.raster import normals, rasterise
from fhpt_bench.catwalk_render.wardrobe import PATTERNS, UNSEEN, outfit

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def draw(points: np.ndarray, near: np.ndarray, faces: np.ndarray, size: tuple[int, int], **given: object):
    uv = given.get("uv", np.zeros((len(faces), 3, 2), np.float32))
    layer = given.get("layer", np.full(len(faces), -1))
    alpha = given.get("alpha", np.zeros((1, 4, 4), np.uint8))
    return rasterise(
        points.astype(np.float32), near.astype(np.float32), faces, uv, layer, alpha, size, bool(given.get("dither"))
    )


def test_a_square_covers_its_samples_once() -> None:
    points = np.array([[2, 3], [10, 3], [10, 8], [2, 8]])
    hits = draw(points, np.ones(4), FACES, (12, 16))
    covered = np.zeros((12, 16), bool)
    covered[3:8, 2:10] = True
    assert ((hits.triangle >= 0) == covered).all()


def test_the_nearer_triangle_wins_in_any_order() -> None:
    points = np.array([[0, 0], [8, 0], [0, 8], [0, 0], [8, 0], [0, 8]])
    near = np.array([1, 1, 1, 2, 2, 2])
    for faces, front in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        hits = draw(points, near, np.array(faces), (8, 8))
        assert set(np.unique(hits.triangle)) == {-1, front}


def test_weights_are_right_in_perspective() -> None:
    """An edge from depth 1 to depth 3: its image's middle is a quarter of the way along it."""
    points, near = np.array([[0.0, 0], [100, 0], [0, 100]]), np.array([1.0, 1 / 3, 1.0])
    hits = draw(points, near, np.array([[0, 1, 2]]), (100, 100))
    second = hits.second[0, 49]  # at x = 49.5, y = 0.5
    assert second == pytest.approx(0.25, abs=0.01)


def test_half_transparent_is_half_covered() -> None:
    points = np.array([[0, 0], [64, 0], [64, 64], [0, 64]])
    given = {"layer": np.zeros(2, int), "alpha": np.full((1, 4, 4), 128, np.uint8)}
    assert (draw(points, np.ones(4), FACES, (64, 64), dither=True, **given).triangle >= 0).mean() == pytest.approx(
        0.5, abs=0.07
    )
    assert (draw(points, np.ones(4), FACES, (64, 64), **given).triangle >= 0).all()
    given["alpha"] = np.full((1, 4, 4), 100, np.uint8)
    assert (draw(points, np.ones(4), FACES, (64, 64), **given).triangle < 0).all()


def test_normals_and_light() -> None:
    """A plane that faces the camera gets about 1; its back gets less; a roof over it takes most away."""
    assert normals(SQUARE, FACES) == pytest.approx(np.tile([0, -1, 0], (4, 1)))
    wrap, thin = np.zeros((4, 3), np.float32), np.zeros(4, int)
    lit = light.irradiance(SQUARE, normals(SQUARE, FACES), FACES, wrap, thin)
    assert lit[:, 1].mean() == pytest.approx(1, abs=0.05)
    shield = np.concatenate([SQUARE, SQUARE * 4 - [1.5, 0.3, 1.5]]).astype(np.float32)
    both = np.concatenate([FACES, FACES + 4])
    normal = normals(shield, both)
    wrap, thin = np.zeros((8, 3), np.float32), np.zeros(8, int)
    assert light.irradiance(shield, normal, both, wrap, thin)[:4, 1].mean() < 0.35 * lit[:, 1].mean()


def test_turns() -> None:
    a, b = np.array([0.3, -1, 2]), np.array([1.0, 0.5, -0.2])
    turned = body.turn(a, b) @ a
    np.testing.assert_allclose(turned / np.linalg.norm(turned), b / np.linalg.norm(b), atol=1e-12)
    np.testing.assert_allclose(body.rotation((0, 0, 1), 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_skinning_blends_the_maps() -> None:
    maps = np.tile(np.eye(4), (2, 1, 1))
    maps[1, :3, 3] = [0, 0, 2]
    weights = csr_matrix(np.array([[1.0, 0], [0.5, 0.5], [0, 1]]))
    posed = body.skin(np.zeros((3, 3), np.float32), weights, maps)
    np.testing.assert_allclose(posed[:, 2], [0, 1, 2])


def test_the_camera_looks_along_y() -> None:
    camera = Camera(scale=600, centre=(0, 1), shift=(0, 0))
    xy, near = camera.project(np.array([[0, 0, 1], [0.1, 0, 1.2], [0, 6, 1]], np.float32))
    np.testing.assert_allclose(xy[0], [87.5, 127.5], atol=1e-4)
    np.testing.assert_allclose(xy[1], [97.5, 107.5], atol=1e-4)
    np.testing.assert_allclose(near, [1 / 6, 1 / 6, 1 / 12])


def cloth(kind: str, u: float, v: float, threshold: float = 0.5, height: float = 0.0, front: float = 1.0) -> np.ndarray:
    palette = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0.1, 7, threshold]], np.float32)
    out = np.zeros(3)
    fabric.pattern(PATTERNS.index(kind), u, v, palette, out, front, height)
    return out


def test_patterns_are_what_they_are_called() -> None:
    first, second = np.array([1, 0, 0]), np.array([0, 1, 0])
    assert (cloth("plain", 0.3, 0.7) == first).all()
    for u in (0.0, 0.03, 0.4):  # horizontal stripes depend on v alone, vertical on u alone
        assert (cloth("h-stripes", u, 0.02) == second).all()
        assert (cloth("h-stripes", u, 0.08) == first).all()
        assert (cloth("v-stripes", 0.02, u) == second).all()
        assert (cloth("v-stripes", 0.08, u) == first).all()
    assert (cloth("checks", 0.02, 0.02) == second).all()
    np.testing.assert_allclose(cloth("checks", 0.02, 0.08), [0.5, 0.5, 0])
    assert (cloth("dots", 0.05, 0.05, 0.3) == second).all()
    assert (cloth("dots", 0.0, 0.0, 0.3) == first).all()
    assert (cloth("colour-block", 0, 0, 0.2, height=0.3) == second).all()
    assert (cloth("colour-block", 0, 0, 0.2, height=0.1) == first).all()
    assert (cloth("logo", 0.08, 0, 0.2, height=0.2) == second).all()  # the badge's rim
    assert (cloth("logo", 0.08, 0, 0.2, height=0.2, front=-1) == first).all()  # not on the back
    seen = {tuple(cloth("camouflage", u, v)) for u in np.arange(0, 2, 0.05) for v in np.arange(0, 2, 0.05)}
    assert len(seen) == 4


def test_srgb_there_and_back() -> None:
    values = np.linspace(0, 1, 100)
    np.testing.assert_allclose(encoded(linear(values)), values, atol=1e-5)
    assert colour((255, 255, 255)).tolist() == [1, 1, 1]


def test_a_roster_is_balanced_and_its_seeds() -> None:
    people = roster("test", 24, 12, 5)
    for gender in ("men", "women"):
        tones = [p.skin_tone for p in people if p.gender == gender]
        assert sorted(tones) == sorted([*SKIN_TONES] * 2)
    assert roster("test", 24, 12, 5) == people
    assert roster("test", 24, 12, 6) != people
    assert {p.id for p in people} == {f"te{i:02d}" for i in range(24)}


def test_only_test_people_wear_the_unseen_patterns() -> None:
    worn: dict[str, set[str]] = {}
    for split in ("train", "test"):
        clothes = [outfit(p, k) for p in roster(split, 40, 20, 3) for k in (1, 2)]
        worn[split] = {f.pattern for o in clothes for f in (o.top_fabric, o.bottom_fabric)}
    assert not worn["train"] & set(UNSEEN)
    assert worn["test"] >= set(UNSEEN)
