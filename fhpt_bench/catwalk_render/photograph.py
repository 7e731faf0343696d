"""One photograph: pose, light, camera, pixels; and what each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.catwalk_render.assets import encoded
from fhpt_bench.catwalk_render.body import Floats, kinematics, rotation, skin, template
from fhpt_bench.catwalk_render.dress import Figure
from fhpt_bench.catwalk_render.light import KEY, irradiance
from fhpt_bench.catwalk_render.poses import STANCES, settle, solve
from fhpt_bench.catwalk_render.raster import Hits, normals, rasterise
from fhpt_bench.catwalk_render.shade import shade
from fhpt_bench.datasets.skeletons import CIHP20

HEIGHT, WIDTH = 256, 176
SAMPLES = 4
"""Per pixel and axis."""
DISTANCE = 6.0
"""Metres from the camera to the person."""
FRAMINGS = ("full", "knee", "half")


@dataclass(frozen=True)
class Camera:
    """A pinhole at y = -6 m that looks along +y."""

    scale: float
    """Pixels times depth per metre."""
    centre: tuple[float, float]
    """x, z in metres of the image's middle."""
    shift: tuple[float, float]

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """N x 2 pixels (centre of the top-left pixel at 0, 0) and N nearness, 1 / depth."""
        depth = points[:, 1].astype(np.float64) + DISTANCE
        x = (points[:, 0] - self.centre[0]) / depth * self.scale + WIDTH / 2 + self.shift[0] - 0.5
        y = -(points[:, 2] - self.centre[1]) / depth * self.scale + HEIGHT / 2 + self.shift[1] - 0.5
        return np.stack([x, y], 1).astype(np.float32), (1 / depth).astype(np.float32)


@dataclass(frozen=True)
class Shot:
    """How a photograph is taken."""

    stance: str
    framing: str
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Photograph:
    """256 x 176 pixels and all that is known about them."""

    figure: Figure
    shot: Shot
    image: NDArray[np.uint8]
    parsing: NDArray[np.uint8]
    """The CIHP class most samples of a pixel show."""
    hits: Hits
    """What the centre of each pixel shows."""
    camera: Camera
    posed: Floats
    """The figure's vertices."""
    body: Floats
    """The naked body's vertices."""
    maps: NDArray[np.float64]
    """bones x 4 x 4."""


def photograph(figure: Figure, shot: Shot) -> Photograph:
    """Take it. Everything random comes from ``shot.seed``."""
    draw = np.random.default_rng([*shot.seed, 5])
    stance = settle(STANCES[shot.stance], figure)
    turns = solve(stance, figure.body.heads, draw)
    root = rotation((0, 0, 1), stance.yaw + draw.normal(0, 4))
    maps = kinematics(figure.body.heads, turns, root)
    posed = skin(figure.vertices, figure.weights, maps)
    body = skin(figure.body.vertices, template().weights, maps)
    camera = _camera(shot.framing, posed, body, draw)
    points, nearness = camera.project(posed)
    size = (HEIGHT * SAMPLES, WIDTH * SAMPLES)
    edges = (points + np.float32(0.5)) * SAMPLES  # the rasteriser counts from the corner of the first sample
    cut = (figure.uv, figure.cuts, figure.looks.alpha)
    fine = rasterise(edges, nearness, figure.faces, *cut, size, True)
    coarse = rasterise(points + np.float32(0.5), nearness, figure.faces, *cut, (HEIGHT, WIDTH), False)
    light = _colour(figure, posed, _normals(figure, maps), fine)
    image = (_shrink(light).astype(np.float64) * 255 + 0.5).astype(np.uint8)
    return Photograph(figure, shot, image, _vote(figure, fine), coarse, camera, posed, body, maps)


def _camera(framing: str, posed: Floats, body: Floats, draw: np.random.Generator) -> Camera:
    """Full length, from the knees up or from the hips up, filling the height; slightly off centre."""
    groups = template().groups
    top, bottom = float(posed[:, 2].max()), float(posed[:, 2].min())
    hip = float(body[groups["joint-pelvis"], 2].mean())
    knee = float(body[np.concatenate([groups["joint-l-knee"], groups["joint-r-knee"]]), 2].mean())
    low = {"full": bottom, "knee": knee - 0.02, "half": hip - 0.12}[framing]
    span = (top - low) * (1.07 if framing == "full" else 1.045)
    middle = (top + low) / 2 if framing == "full" else top + (top - low) * 0.045 - span / 2
    x = posed[:, 0].astype(np.float64)
    centre = float(np.percentile(x, 1) + np.percentile(x, 99)) / 2
    shift = float(draw.normal(0, 2))
    span *= 1 + float(draw.uniform(0, 0.03))
    return Camera(DISTANCE * HEIGHT / span, (centre, middle), (shift, 1.0))


def _normals(figure: Figure, maps: NDArray[np.float64]) -> Floats:
    parts = []
    for piece, used in zip(figure.pieces, figure.used, strict=True):
        parts.append(normals(skin(piece.vertices, piece.weights, maps), piece.smooth)[used])
    return np.concatenate(parts)


def _colour(figure: Figure, posed: Floats, normal: Floats, hits: Hits) -> Floats:
    """sRGB 0..1 of each sample on white."""
    looks, faces = figure.looks, figure.faces
    light = irradiance(posed, normal, figure.casters, figure.wrap, figure.thin)
    along, across = _tangents(posed, faces, figure.uv)
    half = KEY + np.array([0, -1, 0])
    out = np.ones((*hits.triangle.shape, 3), np.float32)
    shade(
        hits.triangle, hits.first, hits.second, faces, figure.uv, figure.cloth, figure.material, figure.layer,
        looks.texture,
        looks.relief, along, across, normal, figure.vertices, light, looks.kind, looks.palette, looks.tint,
        looks.sheen, looks.bump,
        KEY, half / np.sqrt((half * half).sum()), out,
    )  # fmt: skip
    shown = hits.triangle >= 0
    out[shown] = encoded(out[shown])
    return out


def _tangents(posed: Floats, faces: NDArray[np.int64], uv: Floats) -> tuple[Floats, Floats]:
    """Unit directions in which u and v grow on each face."""
    e1, e2 = posed[faces[:, 1]] - posed[faces[:, 0]], posed[faces[:, 2]] - posed[faces[:, 0]]
    d1, d2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    det = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    det = np.where(np.abs(det) < 1e-9, np.float32(1e-9), det)[:, None]
    along, across = (e1 * d2[:, 1:] - e2 * d1[:, 1:]) / det, (e2 * d1[:, :1] - e1 * d2[:, :1]) / det
    return (
        along / np.maximum(np.sqrt((along * along).sum(1, keepdims=True)), np.float32(1e-9)),
        across / np.maximum(np.sqrt((across * across).sum(1, keepdims=True)), np.float32(1e-9)),
    )


def _shrink(samples: Floats) -> Floats:
    """Mean over the samples of each pixel."""
    blocks = samples.reshape(HEIGHT, SAMPLES, WIDTH, SAMPLES, 3)
    return np.asarray(blocks.mean((1, 3)), np.float32)


def _vote(figure: Figure, hits: Hits) -> NDArray[np.uint8]:
    label = np.where(hits.triangle >= 0, figure.parsing[np.maximum(hits.triangle, 0)], 0)
    blocks = label.reshape(HEIGHT, SAMPLES, WIDTH, SAMPLES).transpose(0, 2, 1, 3).reshape(HEIGHT, WIDTH, -1)
    present = np.unique(label)
    votes = np.stack([(blocks == k).sum(-1) for k in present], -1)
    assert len(CIHP20) > present.max()
    return np.asarray(present[votes.argmax(-1)], np.uint8)
