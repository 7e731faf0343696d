"""Where each corner of a garment's triangles lies on the cloth: cylinders unrolled round torso, legs and arms, in
metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fhpt_bench.catwalk_render.body import ARM, Body, Floats, Ints, share, template

TORSO, LEG, SLEEVE, SKIRT = 0.135, 0.075, 0.055, 0.15
"""Radii of the cylinders."""


def unroll(kind: str, vertices: Floats, normal: Floats, weights: csr_matrix, faces: Ints, body: Body) -> Floats:
    """F x 3 x 3: metres round the cylinder, metres along it (upwards), 1 where the cloth faces forwards.

    kind: ``top`` (torso and sleeves), ``legs`` or ``skirt``.
    """
    arm = share(weights, ARM)
    v = vertices.astype(np.float64)
    middle = float(np.median(v[arm < 0.4, 1]))
    centre, radius = np.zeros(len(v)), np.full(len(v), SKIRT if kind == "skirt" else TORSO)
    if kind == "legs":
        hip = body.heads[template().bones["upperleg01.L"]]
        below = hip[2] - 0.10 - v[:, 2]
        centre = np.where(below > 0, np.sign(v[:, 0]) * (abs(hip[0]) + below * 0.08), 0) * np.clip(below / 0.06, 0, 1)
        radius = np.where(below > 0, LEG, TORSO)
    angle = np.arctan2(v[:, 0] - centre, -(v[:, 1] - middle))
    out = np.zeros((len(faces), 3, 3), np.float32)
    out[:, :, 0] = _untorn(angle[faces]) * radius[faces].mean(1, keepdims=True)
    if kind == "top":
        out[:, :, 0] = _yoke(out[:, :, 0], v[faces], middle, body)
    out[:, :, 1] = v[faces][:, :, 2]
    out[:, :, 2] = -normal[faces][:, :, 1]
    if kind == "top":
        for side, sign in (("L", 1), ("R", -1)):
            on = (arm[faces].mean(1) > 0.6) & (v[faces].mean(1)[:, 0] * sign > 0)
            if on.any():
                out[on] = _sleeve(v[faces[on]], side, body)
    return out


def _yoke(round_: NDArray[np.float32], corners: NDArray[np.float64], middle: float, body: Body) -> NDArray[np.float64]:
    """Above the armpits the torso narrows: go over from metres round the cylinder to the same cylinder seen from the
    front (front panel) or from the back (back panel), so that stripes run up to the collar instead of fanning out at
    it."""
    armpit = float(body.heads[template().bones["upperarm01.L"]][2]) - 0.10
    flat = TORSO * np.arcsin(np.clip(corners[..., 0] / TORSO, -1, 1))
    back = corners[..., 1].mean(1, keepdims=True) > middle
    flat = np.where(back, np.where(round_ > 0, np.pi * TORSO - flat, -np.pi * TORSO - flat), flat)
    share_ = np.clip((corners[..., 2] - armpit) / 0.08, 0, 1)
    return (1 - share_) * round_ + share_ * flat


def _sleeve(corners: NDArray[np.float64], side: str, body: Body) -> Floats:
    """The same for triangles of a sleeve, round upper arm and forearm; never "forwards", so no logo lands there."""
    shoulder, elbow, wrist = (
        body.heads[template().bones[f"{b}.{side}"]] for b in ("upperarm01", "lowerarm01", "wrist")
    )
    length = float(np.linalg.norm(elbow - shoulder))
    upper, lower = (elbow - shoulder) / length, (wrist - elbow) / np.linalg.norm(wrist - elbow)
    along = (corners - shoulder) @ upper
    beyond = np.clip((along - length) / 0.12 + 0.5, 0, 1)  # no kink where the arm bends
    along = (1 - beyond) * along + beyond * (length + (corners - elbow) @ lower)
    core = np.where(
        (along < length)[..., None], shoulder + along[..., None] * upper, elbow + (along - length)[..., None] * lower
    )
    a = np.cross(upper, [0.0, 1, 0])
    a /= np.linalg.norm(a)
    b = np.cross(upper, a)
    out = np.zeros(corners.shape, np.float32)
    out[..., 0] = _untorn(np.arctan2((corners - core) @ a, (corners - core) @ b)) * SLEEVE
    out[..., 1] = shoulder[2] - along
    return out


def _untorn(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Triangles across the seam at +-pi get all their corners on one side of it."""
    torn = np.ptp(angle, axis=1) > np.pi
    return np.where(torn[:, None] & (angle < 0), angle + 2 * np.pi, angle)
