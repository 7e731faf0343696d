"""Person + outfit -> one triangle mesh, ready to be posed: all pieces merged, with what belongs to which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from fhpt_bench.catwalk_render import body as body_
from fhpt_bench.catwalk_render import pieces as make
from fhpt_bench.catwalk_render.assets import Library
from fhpt_bench.catwalk_render.body import Body, Floats, Ints, template
from fhpt_bench.catwalk_render.cloth import unroll
from fhpt_bench.catwalk_render.materials import MATERIALS, Materials, materials
from fhpt_bench.catwalk_render.pieces import Piece
from fhpt_bench.catwalk_render.raster import normals
from fhpt_bench.catwalk_render.wardrobe import Outfit


@dataclass(frozen=True)
class Figure:
    """A dressed person in the rest pose."""

    outfit: Outfit
    body: Body
    pieces: list[Piece]
    used: list[NDArray[np.int64]]
    """Per piece: which of its vertices the merged mesh has, in order."""
    vertices: Floats
    weights: csr_matrix
    faces: Ints
    uv: Floats
    cloth: Floats
    material: Ints
    layer: Ints
    cuts: Ints
    """Layer whose alpha cuts holes, -1 for none."""
    parsing: Ints
    part: Ints
    casters: Ints
    thin: Ints
    wrap: Floats
    looks: Materials


def dress(outfit: Outfit, library: Library) -> Figure:
    """Fit everything to the person's body and merge it."""
    person = outfit.person
    body = body_.rest(person.phenotype, person.sliders, person.actions)
    hidden = np.zeros(len(body.vertices), bool)
    bottom = make.garment(outfit, outfit.bottom, body, library, hidden)
    top = make.garment(outfit, outfit.top, body, library, hidden)
    make.swell(bottom)
    make.clear(top, bottom)
    shoes = make.shoes(outfit, body, library, hidden)
    pieces = [make.skin(outfit, body, library, hidden), *make.head(outfit, body, library), bottom, top, shoes]
    return _merge(outfit, body, pieces, library)


def _merge(outfit: Outfit, body: Body, pieces: list[Piece], library: Library) -> Figure:
    offset, layers, used, faces, cloth, layer = 0, 0, [], [], [], []
    for piece in pieces:
        own = np.unique(piece.faces)
        place = np.full(len(piece.vertices), -1)
        place[own] = np.arange(len(own))
        if piece.cloth:
            cloth.append(
                unroll(
                    piece.cloth, piece.vertices, normals(piece.vertices, piece.faces), piece.weights, piece.faces, body
                )
            )
        else:
            cloth.append(np.zeros((len(piece.faces), 3, 3), np.float32))
        used.append(own)
        faces.append(place[piece.faces] + offset)
        layer.append(piece.layer + layers)
        offset += len(own)
        layers += len(piece.texture)
    material, layer_ = np.concatenate([p.material for p in pieces]), np.concatenate(layer)
    neck = float(body.heads[template().bones["neck01"]][2])
    looks = materials(outfit, neck, [t for p in pieces for t in p.texture], library)
    wrap = np.concatenate([np.tile(_wrap(p), (len(u), 1)) for p, u in zip(pieces, used, strict=True)])
    casts = np.concatenate([np.full(len(p.faces), p.casts) for p in pieces])
    merged = np.concatenate(faces)
    return Figure(
        outfit, body, pieces, used,
        vertices=np.concatenate([p.vertices[u] for p, u in zip(pieces, used, strict=True)]),
        weights=csr_matrix(vstack([p.weights[u] for p, u in zip(pieces, used, strict=True)])),
        faces=merged, uv=np.concatenate([p.uv for p in pieces]).astype(np.float32), cloth=np.concatenate(cloth),
        material=material, layer=layer_, cuts=np.where(looks.holes[layer_], layer_, -1),
        parsing=np.concatenate([p.parsing for p in pieces]), part=np.concatenate([p.part for p in pieces]),
        casters=merged[casts], thin=np.concatenate([np.full(len(u), int(p.thin)) for p, u in zip(pieces, used,
        strict=True)]),
        wrap=wrap.astype(np.float32), looks=looks,
    )  # fmt: skip


def _wrap(piece: Piece) -> list[float]:
    """How far light creeps round the edge, by channel: red farthest in skin, as under real skin."""
    if piece.thin:
        return [0.3, 0.3, 0.3]
    return [0.30, 0.14, 0.08] if MATERIALS[piece.material[0]] == "skin" else [0.05, 0.05, 0.05]
