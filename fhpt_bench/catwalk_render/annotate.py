"""What is known of a photograph: points and whether each shows, face box, and the renderer's own flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.catwalk_render.body import Floats, template
from fhpt_bench.catwalk_render.landmarks import face_vertices
from fhpt_bench.catwalk_render.photograph import HEIGHT, WIDTH, Photograph
from fhpt_bench.catwalk_render.pieces import PART
from fhpt_bench.datasets.skeletons import BODY18, FACE_POINTS
from fhpt_bench.types import OCCLUDED, OUTSIDE, VISIBLE

_COCO = {"r": "right", "l": "left"}
_REACH = {"neck": 0.14, "shoulder": 0.13, "elbow": 0.10, "wrist": 0.08, "hip": 0.19, "knee": 0.13, "ankle": 0.12}
"""A joint shows where the surface seen at its pixel is, in the rest pose, at most this many metres from it."""
_DEPTH = {"face": 0.02, "hand": 0.03}
"""A point of the surface shows where nothing lies more than this many metres before it."""


@dataclass(frozen=True)
class Points:
    """All points of a photograph; arrays as in ``types.Pose`` and ``types.Face``."""

    body: Floats
    body_visible: NDArray[np.uint8]
    hands: Floats
    hands_visible: NDArray[np.uint8]
    face: Floats
    face_visible: NDArray[np.uint8]
    box: tuple[float, float, float, float] | None
    frontal: bool


def annotate(photo: Photograph) -> Points:
    """Project every point and tell whether it shows."""
    body, rest_body = _joints(photo.body), _joints(photo.figure.body.vertices)
    hands, face = _hands(photo), photo.body[face_vertices()]
    body_xy, _ = photo.camera.project(body)
    hands_xy, hands_near = photo.camera.project(hands)
    face_xy, face_near = photo.camera.project(face)
    visible = _joint_visible(photo, body_xy, rest_body)
    small = [i for i, name in enumerate(BODY18) if name in ("nose", "r_eye", "l_eye", "r_ear", "l_ear")]
    _, near = photo.camera.project(body)
    visible[small] = _surface_visible(photo, body_xy[small], near[small], _DEPTH["face"])
    hands_visible = _surface_visible(photo, hands_xy, hands_near, _DEPTH["hand"])
    face_visible = _surface_visible(photo, face_xy, face_near, _DEPTH["face"])
    face_visible = np.where((face_visible == VISIBLE) & ~_towards(photo), OCCLUDED, face_visible).astype(np.uint8)
    shown = {n for n, s in zip(FACE_POINTS, face_visible, strict=True) if s == VISIBLE}
    angle = _head_angle(photo)
    eyes = [any(f"{side}_eye_{p}" in shown for p in ("outer", "inner", "top", "bottom")) for side in "lr"]
    mouth = any(n in shown for n in ("mouth_left", "mouth_right", "mouth_top", "mouth_bottom"))
    shows = any(eyes) and bool(shown & {"nose_tip", "nose_base", "nose_bridge"}) and angle < 100
    return Points(
        body_xy, visible, hands_xy.reshape(2, 21, 2), hands_visible.reshape(2, 21), face_xy, face_visible,
        _box(photo) if shows else None, bool(shows and all(eyes) and mouth and "nose_tip" in shown and angle <= 30),
    )  # fmt: skip


def _joints(vertices: Floats) -> Floats:
    """18 body points of a posed or resting body, in metres; neck: middle of the shoulders."""
    find = template().regressors
    rows = []
    for name in BODY18:
        if name == "neck":
            rows.append((find["left_shoulder"] @ vertices + find["right_shoulder"] @ vertices)[0] / 2)
        else:
            side, _, joint = name.partition("_")
            rows.append((find[f"{_COCO[side]}_{joint}" if joint else name] @ vertices)[0])
    return np.array(rows, np.float32)


def _hands(photo: Photograph) -> Floats:
    """42 x 3: right hand, then left; wrist, then thumb to little finger outwards."""
    bones, heads = template().bones, photo.figure.body.heads
    rows = []
    for side in "RL":
        names = [f"wrist.{side}"] + [f"finger{f}-{j}.{side}" for f in range(1, 6) for j in range(1, 4)]
        at = [(photo.maps[bones[n]] @ np.append(heads[bones[n]], 1))[:3] for n in names]
        tips = [photo.body[template().groups[f"joint-{side.lower()}-finger-{f}-4"]].mean(0) for f in range(1, 6)]
        rows.append(at[0])
        for f in range(5):
            rows.extend([*at[1 + 3 * f : 4 + 3 * f], tips[f]])
    return np.array(rows, np.float32)


def _inside(xy: Floats) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    inside = (xy[:, 0] >= -0.5) & (xy[:, 0] < WIDTH - 0.5) & (xy[:, 1] >= -0.5) & (xy[:, 1] < HEIGHT - 0.5)
    cell = np.rint(xy).astype(np.int64)
    return inside, np.clip(cell[:, 0], 0, WIDTH - 1), np.clip(cell[:, 1], 0, HEIGHT - 1)


def _surface_visible(photo: Photograph, xy: Floats, near: Floats, tolerance: float) -> NDArray[np.uint8]:
    """For points on (or just under) the surface: nothing lies before them."""
    inside, x, y = _inside(xy)
    seen = photo.hits.nearness[y, x]
    free = (seen == 0) | (1 / np.maximum(seen, 1e-9) > 1 / near - tolerance)
    return np.where(inside, np.where(free, VISIBLE, OCCLUDED), OUTSIDE).astype(np.uint8)


def _joint_visible(photo: Photograph, xy: Floats, rest: Floats) -> NDArray[np.uint8]:
    """For joints inside the body: what shows at their pixel, or right beside it, is the limb they belong to."""
    inside, x, y = _inside(xy)
    out = np.where(inside, OCCLUDED, OUTSIDE).astype(np.uint8)
    surface, shown = rest_positions(photo)
    for i, name in enumerate(BODY18):
        reach = _REACH.get(name.split("_")[-1])
        if reach and inside[i]:
            window = np.s_[max(y[i] - 1, 0) : y[i] + 2, max(x[i] - 1, 0) : x[i] + 2]
            near = np.linalg.norm(surface[window] - rest[i], axis=-1) < reach
            out[i] = VISIBLE if (near & shown[window]).any() else OCCLUDED
    return out


def rest_positions(photo: Photograph) -> tuple[Floats, NDArray[np.bool_]]:
    """H x W x 3: where the surface each pixel shows is in the rest pose, in metres; and where there is a surface."""
    return _interpolate(photo, photo.figure.vertices), photo.hits.triangle >= 0


def parts(photo: Photograph) -> NDArray[np.uint8]:
    """H x W: index in ``surface.PARTS``."""
    hits = photo.hits.triangle
    return np.where(hits >= 0, photo.figure.part[np.maximum(hits, 0)], 0).astype(np.uint8)


def _interpolate(photo: Photograph, values: Floats) -> Floats:
    hits = photo.hits
    corners = photo.figure.faces[np.maximum(hits.triangle, 0)]
    a, b = hits.first[..., None], hits.second[..., None]
    out = a * values[corners[..., 0]] + b * values[corners[..., 1]] + (1 - a - b) * values[corners[..., 2]]
    return np.where(hits.triangle[..., None] >= 0, out, 0).astype(np.float32)


def _head_angle(photo: Photograph) -> float:
    """Degrees between where the head faces and the camera."""
    forward = photo.maps[template().bones["head"]][:3, :3] @ np.array([0, -1.0, 0])
    return float(np.degrees(np.arccos(np.clip(-forward[1], -1, 1))))


def _towards(photo: Photograph) -> NDArray[np.bool_]:
    """Face points whose side of the head faces the camera."""
    turn = photo.maps[template().bones["head"]][:3, :3]
    rest = photo.figure.body.vertices
    centre = rest[template().groups["joint-head"]].mean(0)
    out = (rest[face_vertices()] - centre).astype(np.float64) @ turn.T
    return np.asarray(out[:, 1] < 0.02)


def _box(photo: Photograph) -> tuple[float, float, float, float] | None:
    """Round the visible pixels of the face and the brow-to-chin points, in pixel edges clipped to the image."""
    head = parts(photo) == PART["head"]
    surface, _ = rest_positions(photo)
    rest = photo.figure.body.vertices[face_vertices()]
    # The face ends a little above the brows and before the ears; scalp, ears and nape are head but not face.
    face = (
        head
        & (surface[..., 2] < rest[:6, 2].max() + 0.03)
        & (surface[..., 2] > rest[26, 2] - 0.02)
        & (surface[..., 1] < rest[23, 1] + 0.01)
    )
    ys, xs = np.nonzero(face)
    if len(xs) < 12:
        return None
    return float(xs.min()) - 0.5, float(ys.min()) - 0.5, float(xs.max()) + 0.5, float(ys.max()) + 0.5


def flow(source: Photograph, target: Photograph, tolerance: float = 0.01) -> tuple[Floats, NDArray[np.uint8]]:
    """The renderer's own flow: for each target pixel, where its surface point lies in the source; 0 visible, 1 not, 2
    background.

    The target's triangle and barycentric weights, put through the source's vertices and camera; visible where one of
    the four source pixels round it is not more than ``tolerance`` metres nearer to the camera than the point.
    """
    points = _interpolate(target, source.posed).reshape(-1, 3)
    xy, near = source.camera.project(points)
    inside, _, _ = _inside(xy)
    corner, free = np.floor(xy).astype(np.int64), np.zeros(len(xy), bool)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        seen = source.hits.nearness[np.clip(corner[:, 1] + dy, 0, HEIGHT - 1), np.clip(corner[:, 0] + dx, 0, WIDTH - 1)]
        free |= inside & (seen > 0) & (1 / np.maximum(seen, 1e-9) > 1 / near - tolerance)
    shown = target.hits.triangle >= 0
    state = np.where(shown, np.where(free.reshape(shown.shape), 0, 1), 2).astype(np.uint8)
    return np.where(shown[..., None], xy.reshape(*shown.shape, 2), -1).astype(np.float32), state
