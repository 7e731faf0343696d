"""The tables between skeletons: each point of ours comes from the source point of the same name."""

from __future__ import annotations

import numpy as np
import pytest

from fhpt_bench import points
from fhpt_bench.datasets.skeletons import BODY18, BODY18_FLIP, FACE_POINTS
from fhpt_bench.detectors import mappings

# The orders as their authors print them, in our words.
OPENPOSE25 = [
    "nose", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist", "mid_hip", "r_hip",
    "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "r_eye", "l_eye", "r_ear", "l_ear", "l_big_toe", "l_small_toe",
    "l_heel", "r_big_toe", "r_small_toe", "r_heel",
]  # fmt: skip
COCO17 = [
    "nose", "l_eye", "r_eye", "l_ear", "r_ear", "l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist",
    "l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle",
]  # fmt: skip


def mediapipe33() -> list[str]:
    """As the installed package names them."""
    from mediapipe.tasks.python.vision import PoseLandmark

    return [p.name.lower().replace("left_", "l_").replace("right_", "r_") for p in PoseLandmark]


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (mappings.BODY_FROM_OPENPOSE25, OPENPOSE25),
        (mappings.BODY_FROM_COCO17, COCO17),
        (mappings.BODY_FROM_MEDIAPIPE33, mediapipe33()),
    ],
)
def test_body_points_keep_their_names(table: mappings.Table, names: list[str]) -> None:
    for ours, group in zip(BODY18, table, strict=True):
        theirs = {names[i] for i in group}
        assert theirs == ({ours} if ours in names else {"l_shoulder", "r_shoulder"}), ours


def _mirrored(name: str) -> str:
    for a, b in (("r_", "l_"), ("right", "left")):
        if name.startswith(a) or a in name.split("_"):
            return name.replace(a, b, 1)
        if name.startswith(b) or b in name.split("_"):
            return name.replace(b, a, 1)
    return name


def test_the_68_face_points_are_symmetric() -> None:
    # iBUG's own mirror, as every trainer of it flips: jaw, brows, bridge, nostrils, eyes, outer mouth.
    flip = {i: 16 - i for i in range(17)} | {17 + i: 26 - i for i in range(10)} | {i: i for i in range(27, 31)}
    flip |= {31 + i: 35 - i for i in range(5)} | {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}
    flip |= {b: a for a, b in flip.items()} | {48 + i: 54 - i for i in range(7)} | {55 + i: 59 - i for i in range(5)}
    table = dict(zip(FACE_POINTS, mappings.FACE_FROM_IBUG68, strict=True))
    for name, group in table.items():
        assert {flip[i] for i in group} == set(table[_mirrored(name)]), name
    known = {"r_eye_outer": (36,), "l_eye_outer": (45,), "nose_tip": (30,), "nose_base": (33,), "chin": (8,)}
    assert known.items() <= table.items()
    assert table["mouth_right"] == (48,)  # the person's right corner stands on the image's left


def test_mesh_vertices_lie_on_the_contours_that_mediapipe_publishes() -> None:
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Contours

    def of(name: str) -> set[int]:
        return {end for line in getattr(Contours, f"FACE_LANDMARKS_{name}") for end in (line.start, line.end)}

    for name, group in zip(FACE_POINTS, mappings.FACE_FROM_MESH478, strict=True):
        side = "RIGHT" if name.startswith("r_") else "LEFT"
        contour = {"brow": f"{side}_EYEBROW", "eye": f"{side}_EYE"}.get(name[2:].split("_")[0])
        contour = {"mouth": "LIPS", "jaw": "FACE_OVAL"}.get(name.split("_")[0], contour)
        if contour:
            assert set(group) <= of(contour), name


def test_whole_body_in_parts() -> None:
    source = np.stack([np.arange(133), 1000 + np.arange(133), np.full(133, 0.5)], 1)
    ours = mappings.translate(source, mappings.POINTS_FROM_WHOLEBODY133)
    assert ours.shape == (points.POINTS, 3)
    x = ours[:, 0]
    assert x[points.PARTS["right_hand"]].tolist() == list(range(112, 133))
    assert x[points.PARTS["left_hand"]].tolist() == list(range(91, 112))
    assert x[BODY18.index("r_wrist")] == 10 and x[BODY18.index("l_ankle")] == 15
    assert x[BODY18.index("neck")] == 5.5  # between the shoulders, 5 and 6
    face = x[points.PARTS["face"]]
    assert face[FACE_POINTS.index("chin")] == 23 + 8
    assert face[FACE_POINTS.index("r_eye_top")] == 23 + 37.5  # between the two points of the lid, 37 and 38
    assert np.array_equal(ours[:, 1], x + 1000)


def test_a_mean_of_points_is_as_sure_as_the_least_and_absent_where_one_is() -> None:
    source = np.array([[0, 0, 0.9], [4, 2, 0.3], [np.nan, np.nan, 0]])
    ours = mappings.translate(source, [(0, 1), (1, 2), (0,)])
    assert ours[0].tolist() == pytest.approx([2, 1, 0.3])
    assert np.isnan(ours[1, :2]).all() and ours[1, 2] == 0
    assert ours[2].tolist() == pytest.approx([0, 0, 0.9])


def test_the_flip_of_the_body_agrees() -> None:
    for name, mirror in zip(BODY18, BODY18_FLIP, strict=True):
        assert BODY18[mirror] == _mirrored(name)
