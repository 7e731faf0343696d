"""Other skeletons in terms of ours, as data: one tuple an our-point, of the source points whose mean it is.

Sources of the orders: OpenPose's output documentation (BODY_25, COCO 18, hand 21, face 70); Sagonas et al., "300 Faces
in-the-Wild" (iBUG 68); Jin et al., "Whole-Body Human Pose Estimation in the Wild" (COCO-WholeBody 133); MediaPipe's
pose landmarker (33) and its canonical face mesh (478). Left and right are the person's own in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Table = Sequence[tuple[int, ...]]

BODY_FROM_OPENPOSE25: Table = tuple((i,) for i in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18))
"""BODY_25 has the middle of the hips at 8 and the feet from 19 on."""

BODY_FROM_COCO17: Table = (
    (0,), (5, 6), (6,), (8,), (10,), (5,), (7,), (9,), (12,), (14,), (16,), (11,), (13,), (15,), (2,), (1,), (4,), (3,),
)  # fmt: skip
"""COCO has no neck: the middle of the shoulders, as OpenPose trains it."""

BODY_FROM_MEDIAPIPE33: Table = (
    (0,), (11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (24,), (26,), (28,), (23,), (25,), (27,), (5,), (2,),
    (8,), (7,),
)  # fmt: skip
"""Neck: the middle of the shoulders."""

FACE_FROM_IBUG68: Table = (
    (17,), (19,), (21,), (22,), (24,), (26,),  # brows
    (36,), (37, 38), (39,), (40, 41), (42,), (43, 44), (45,), (46, 47),  # eyes
    (27,), (30,), (33,), (31,), (35,),  # nose
    (48,), (51,), (54,), (57,),  # mouth
    (3,), (4,), (5,), (8,), (11,), (12,), (13,),  # jaw
)  # fmt: skip
"""iBUG goes round the jaw from the person's right ear (0) over the lowest point of the chin (8) in even steps;
Catwalk's jaw stands at fixed heights between mouth and chin (``catwalk_render.landmarks``), its chin is the foremost
point: expect a bias of about 2 px there at 256 x 176. The same for OpenPose's 70: it adds the two pupils at the end."""

FACE_FROM_MESH478: Table = (
    (46,), (65,), (107,), (336,), (295,), (276,),  # brows
    (33,), (159,), (133,), (145,), (362,), (386,), (263,), (374,),  # eyes
    (168,), (1,), (2,), (98,), (327,),  # nose
    (61,), (0,), (291,), (17,),  # mouth
    (58,), (172,), (136,), (199,), (365,), (397,), (288,),  # jaw
)  # fmt: skip
"""Vertices of MediaPipe's canonical face mesh: corners and lids of its published eye contours, vertices of its brow,
lip and face-oval contours, and its midline (168 between the eyes, 1 tip, 2 base of the nose, 199 foremost of the chin).

Held against Catwalk's exact points on the 130 frontal validation faces: medians from 0.4 px (mouth corners) over 0.6
(nose tip, chin) and 0.7 (eye corners) to 1.4 px (jaw). Jaw and chin are those of the oval's and midline's vertices that
lie nearest, the brows' middle that of the brow contour's."""

WHOLEBODY_FACE, WHOLEBODY_LEFT_HAND, WHOLEBODY_RIGHT_HAND = 23, 91, 112
"""Where the parts of COCO-WholeBody's 133 points begin: 17 body, 6 feet, 68 face, 21 left hand, 21 right hand."""

POINTS_FROM_WHOLEBODY133: Table = (
    *BODY_FROM_COCO17,
    *((WHOLEBODY_RIGHT_HAND + i,) for i in range(21)),
    *((WHOLEBODY_LEFT_HAND + i,) for i in range(21)),
    *(tuple(WHOLEBODY_FACE + i for i in group) for group in FACE_FROM_IBUG68),
)
"""All 90 points in the order of ``fhpt_bench.points``."""


def translate(source: ArrayLike, table: Table) -> NDArray[np.float32]:
    """S x 3 points (x, y, confidence) of another skeleton -> len(table) x 3 of ours.

    A point made of several is their mean, with the least of their confidences; not found (NaN places, confidence 0)
    where one of them is not.
    """
    places = np.asarray(source, np.float32)
    return np.stack(
        [np.append(places[list(group), :2].mean(axis=0), places[list(group), 2].min()) for group in table]
    ).astype(np.float32)
