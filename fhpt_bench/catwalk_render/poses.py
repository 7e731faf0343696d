"""How people stand: limbs as directions, so that a stance fits every body; arms that rest on the body are settled onto
it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from fhpt_bench.catwalk_render.body import Floats, kinematics, rotation, share, skin, template, turn

if TYPE_CHECKING:
    from fhpt_bench.catwalk_render.dress import Figure

Matrix = NDArray[np.float64]
Direction = tuple[float, float, float]
"""Outwards from the body's middle, forwards, upwards."""


@dataclass(frozen=True)
class Stance:
    """Angles in degrees; ``left`` and ``right`` are the person's own."""

    yaw: float = 0
    """0 faces the camera, 90 the person's left side is away, 180 the back is seen."""
    upper_arm: tuple[Direction, Direction] = ((0.20, 0.02, -1), (0.20, 0.02, -1))
    """Left, right."""
    forearm: tuple[Direction, Direction] = ((0.12, 0.18, -1), (0.12, 0.18, -1))
    thigh: tuple[Direction, Direction] = ((0.06, 0.02, -1), (0.06, 0.02, -1))
    shin: tuple[Direction, Direction] = ((0.02, -0.03, -1), (0.02, -0.03, -1))
    head: Direction = (0, 0, 0)
    """yaw, pitch, roll."""
    spine: Direction = (0, 0, 0)
    curl: float = 18
    """Of the fingers."""
    crossed: bool = False
    """Forearms are laid onto the chest, right below left."""


_ARM, _FORE, _THIGH, _SHIN = (0.20, 0.02, -1), (0.12, 0.18, -1), (0.06, 0.02, -1), (0.02, -0.03, -1)

STANCES: dict[str, Stance] = {
    "front": Stance(),
    "front-hip": Stance(-6, ((0.75, -0.25, -0.85), _ARM), ((-0.75, 0.30, -0.35), _FORE), ((0.10, 0.05, -1), (0.02,
           0.02, -1)), head=(6, 0, -4), spine=(0, 0, 4)),
    "both-hips": Stance(0, ((0.75, -0.28, -0.8),) * 2, ((-0.72, 0.35, -0.42),) * 2, ((0.16, 0.03, -1),) * 2),
    "hands-folded": Stance(-12, ((0.24, 0.12, -1), (0.24, 0.12, -1)), ((-0.9, 0.45, 0.16), (-0.9, 0.45, 0.02)),
           head=(8, 0, 0), crossed=True),
    "hand-in-hair": Stance(8, ((0.85, 0.1, 0.55), _ARM), ((-0.75, 0.05, 0.62), _FORE), (_THIGH, (0.04, 0.05, -1)),
           head=(-5, 0, 6), spine=(0, 0, -3)),
    "wave": Stance(12, (_ARM, (0.8, 0.15, -0.25)), (_FORE, (0.25, 0.15, 1)), head=(-4, 0, -4)),
    "quarter-left": Stance(38, thigh=((0.08, 0.12, -1), _THIGH), shin=((0.05, 0.02, -1), _SHIN), head=(-14, 0, 0)),
    "quarter-right": Stance(-38, forearm=((0.05, 0.45, -0.9), _FORE), thigh=(_THIGH, (0.08, 0.12, -1)), shin=(_SHIN,
           (0.05, 0.02, -1)), head=(14, 0, 0)),
    "phone": Stance(-28, (_ARM, (0.15, 0.15, -1)), (_FORE, (-0.05, 0.85, 0.45)), ((0.02, 0.06, -1), _THIGH), head=(12,
           12, 0)),
    "walk": Stance(24, ((0.18, -0.30, -1), (0.18, 0.28, -1)), ((0.12, -0.05, -1), (0.10, 0.55, -1)), ((0.05, 0.38,
           -1), (0.05, -0.22, -1)),
                   ((0.03, 0.22, -1), (0.03, -0.60, -1)), head=(-8, 0, 0)),
    "side-left": Stance(88, ((0.12, 0.0, -1), _ARM), thigh=((0.06, 0.14, -1), (0.06, -0.06, -1))),
    "side-right": Stance(-85, thigh=((0.06, -0.06, -1), (0.06, 0.14, -1)), head=(20, 0, 0)),
    "back": Stance(180),
    "back-quarter": Stance(148, forearm=(_FORE, (0.1, 0.3, -0.9)), head=(35, 0, 0)),
}  # fmt: skip

VIEWS: dict[str, tuple[str, ...]] = {
    "front": ("front", "front-hip", "both-hips", "hands-folded", "hand-in-hair", "wave"),
    "quarter": ("quarter-left", "quarter-right", "phone", "walk"),
    "side": ("side-left", "side-right"),
    "back": ("back", "back-quarter"),
}
"""View label -> the stances that show it."""


def solve(stance: Stance, heads: Matrix, draw: np.random.Generator | None) -> dict[str, Matrix]:
    """Bone turns (see ``body.kinematics``) that point the limbs as the stance says, each direction jittered by
    ``draw``."""
    bones = template().bones
    turns: dict[str, Matrix] = {}
    for name in ("spine05", "spine04", "spine03", "spine02", "spine01"):
        turns[name] = _nod(stance.spine, 0.2)
    for name, weight in (("neck01", 0.2), ("neck02", 0.15), ("neck03", 0.15), ("head", 0.5)):
        turns[name] = _nod(stance.head, weight)
    for k, (side, sign) in enumerate((("L", 1), ("R", -1))):

        def aim(direction: Direction, spread: float, sign: int = sign) -> Matrix:
            d = np.array(direction, np.float64) + (0 if draw is None else draw.normal(0, spread, 3))
            return np.asarray(np.array([d[0] * sign, -d[1], d[2]]) / np.linalg.norm(d))

        def bone(a: str, b: str, side: str = side) -> Matrix:
            return np.asarray(heads[bones[f"{b}.{side}"]] - heads[bones[f"{a}.{side}"]])

        upper, fore = aim(stance.upper_arm[k], 0.05), aim(stance.forearm[k], 0.03 if stance.crossed else 0.06)
        thigh, shin = aim(stance.thigh[k], 0.02), aim(stance.shin[k], 0.02)
        _arm(turns, side, sign, (bone("upperarm01", "lowerarm01"), bone("lowerarm01", "wrist")), (upper, fore))
        leg = turn(bone("upperleg01", "lowerleg01"), thigh)
        knee = turn(leg @ bone("lowerleg01", "foot"), shin)
        turns[f"upperleg01.{side}"], turns[f"lowerleg01.{side}"] = leg, leg.T @ knee @ leg
        if abs(shin[1] / max(1e-6, -shin[2])) < 0.35:  # a standing foot stays level, a lifted one follows the shin
            turns[f"foot.{side}"] = (knee @ leg).T @ rotation((0, 0, 1), sign * 6)
    return turns | _curl(heads, stance.curl)


def _nod(angles: Direction, weight: float) -> Matrix:
    yaw, pitch, roll = (a * weight for a in angles)
    return rotation((0, 0, 1), yaw) @ rotation((1, 0, 0), pitch) @ rotation((0, 1, 0), roll)


def _arm(
    turns: dict[str, Matrix], side: str, sign: int, rest: tuple[Matrix, Matrix], aims: tuple[Matrix, Matrix]
) -> None:
    """Point upper arm and forearm; part of raising an arm goes to the collar bone."""
    raised = aims[0][2] - rest[0][2] / np.linalg.norm(rest[0])
    collar = rotation((0, 1, 0), -sign * float(np.clip(raised, -0.3, 1.4)) * 14)
    upper = turn(collar @ rest[0], aims[0]) @ collar
    turns[f"clavicle.{side}"] = collar
    turns[f"upperarm01.{side}"] = collar.T @ upper
    turns[f"lowerarm01.{side}"] = upper.T @ turn(upper @ rest[1], aims[1]) @ upper


def _curl(heads: Matrix, degrees: float) -> dict[str, Matrix]:
    """Bend the fingers towards the palm."""
    bones, turns = template().bones, {}
    for side in "LR":
        wrist, index, little = (heads[bones[f"{b}.{side}"]] for b in ("wrist", "finger2-1", "finger5-1"))
        palm = np.cross(index - wrist, little - wrist) * (1 if side == "L" else -1)
        for finger in range(2, 6):
            first, second = heads[bones[f"finger{finger}-1.{side}"]], heads[bones[f"finger{finger}-2.{side}"]]
            axis = np.cross(second - first, palm)
            for joint in range(1, 4):
                angle = -degrees * (0.8 if joint == 1 else 1.0) * (1 + 0.1 * (finger - 2))
                turns[f"finger{finger}-{joint}.{side}"] = rotation(axis, angle)
    return turns


def settle(stance: Stance, figure: Figure) -> Stance:
    """Lay crossed forearms onto the body: bisect how far forward each points until it nearly touches what is under
    it."""
    if not stance.crossed:
        return stance
    chest = _Chest(figure)
    for k, own in ((1, "R"), (0, "L")):
        low, high = -0.3, 1.1
        for _ in range(8):
            middle = (low + high) / 2
            if chest.clearance(_forward(stance, k, middle), own) < 0.006:
                low = middle
            else:
                high = middle
        stance = _forward(stance, k, high)
        chest.cover(stance, own)
    return stance


def _forward(stance: Stance, k: int, amount: float) -> Stance:
    fore = [*stance.forearm]
    fore[k] = (fore[k][0], amount, fore[k][2])
    return replace(stance, forearm=(fore[0], fore[1]))


class _Chest:
    """What forearms may touch, in the rest frame of the root."""

    def __init__(self, figure: Figure) -> None:
        from fhpt_bench.catwalk_render.raster import normals

        self.figure = figure
        arm = share(figure.weights, ("upperarm", "lowerarm", "wrist", "finger", "metacarpal"))
        z = figure.vertices[:, 2]
        bones = template().bones
        trunk = (arm < 0.15) & (z > figure.body.heads[0][2] - 0.05) & (z < figure.body.heads[bones["neck01"]][2])
        self.points: Floats = figure.vertices[trunk]
        self.outward: Floats = normals(figure.vertices, figure.faces)[trunk]
        self.fore = {s: np.flatnonzero(share(figure.weights, _fore(s)) > 0.5) for s in "LR"}

    def pose(self, stance: Stance, side: str) -> tuple[Floats, Matrix]:
        turns = solve(stance, self.figure.body.heads, None)
        maps = kinematics(self.figure.body.heads, turns, np.eye(3))
        own = self.fore[side]
        return skin(self.figure.vertices[own], self.figure.weights[own], maps), maps

    def clearance(self, stance: Stance, side: str) -> float:
        """Metres between the forearm and what is under it; negative where it cuts in."""
        points, _ = self.pose(stance, side)
        distance, nearest = cKDTree(self.points).query(points)
        height = ((points - self.points[nearest]) * self.outward[nearest]).sum(1)
        near = distance < 0.1
        return float(np.percentile(height[near], 2)) if near.any() else 1.0

    def cover(self, stance: Stance, side: str) -> None:
        """From now on this forearm lies on the chest, too."""
        points, maps = self.pose(stance, side)
        bones, heads = template().bones, self.figure.body.heads
        a, b = (maps[bones[f"{n}.{side}"]] @ np.append(heads[bones[f"{n}.{side}"]], 1) for n in ("lowerarm01", "wrist"))
        along = (b - a)[:3] / np.linalg.norm((b - a)[:3])
        out = points - a[:3]
        out = out - (out @ along)[:, None] * along
        self.points = np.concatenate([self.points, points])
        self.outward = np.concatenate(
            [self.outward, (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)).astype(np.float32)]
        )


def _fore(side: str) -> tuple[str, ...]:
    names: Mapping[str, int] = template().bones
    return tuple(
        n for n in names if n.startswith(("lowerarm", "wrist", "finger", "metacarpal")) and n.endswith(f".{side}")
    )
