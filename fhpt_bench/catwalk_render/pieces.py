"""The pieces a dressed person is put together from: body, eyes, hair and garments, each a mesh cut to what is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from fhpt_bench.catwalk_render.assets import Asset, Library
from fhpt_bench.catwalk_render.body import ARM, HAND, LEG, SKIN_VERTICES, Body, Floats, Ints, share, template
from fhpt_bench.catwalk_render.materials import MATERIALS, Texture
from fhpt_bench.catwalk_render.raster import normals
from fhpt_bench.catwalk_render.wardrobe import Garment, Outfit
from fhpt_bench.datasets.catwalk.surface import PARTS
from fhpt_bench.datasets.skeletons import CIHP20

PART = {name: i for i, name in enumerate(PARTS)}
CLASS = {name: i for i, name in enumerate(CIHP20)}


@dataclass
class Piece:
    """One mesh before merging. Arrays per face are already cut to the faces that are kept."""

    material: NDArray[np.int64]
    vertices: Floats
    weights: csr_matrix
    faces: Ints
    uv: Floats
    texture: list[Texture]
    """Layers; ``layer`` says which each face uses."""
    layer: NDArray[np.int64]
    parsing: NDArray[np.int64]
    part: NDArray[np.int64]
    smooth: Ints
    """Faces that normals are averaged over: the uncut mesh, so that a cut leaves no crease."""
    casts: bool = True
    thin: bool = False
    cloth: str = ""


def _constant(name: str, count: int) -> NDArray[np.int64]:
    return np.full(count, MATERIALS.index(name), np.int64)


def skin(outfit: Outfit, body: Body, library: Library, hidden: NDArray[np.bool_]) -> Piece:
    shared = template()
    mine = (shared.faces < SKIN_VERTICES).all(1)
    kept = mine & ~hidden[shared.faces].all(1)
    limb = np.sort(body_limbs()[shared.faces], 1)[:, 1]  # what two of three corners say
    count = int(kept.sum())
    return Piece(
        _constant("skin", count), body.vertices, shared.weights, shared.faces[kept], shared.uv[shared.face_uv[kept]],
        [Texture(library.skin(outfit.person.skin))], np.zeros(count, np.int64), _LIMB_CLASS[limb[kept]], limb[kept],
        smooth=shared.faces[mine],
    )  # fmt: skip


_LIMBS = ("head", "torso", "left_arm", "right_arm", "left_hand", "right_hand", "left_leg", "right_leg")
_LIMB_CLASS = np.zeros(len(PARTS), np.int64)
for _name, _class in zip(
    _LIMBS,
    ("face", "torso_skin", "left_arm", "right_arm", "left_arm", "right_arm", "left_leg", "right_leg"),
    strict=True,
):
    _LIMB_CLASS[PART[_name]] = CLASS[_class]


def body_limbs() -> NDArray[np.int64]:
    """Part of each body vertex, by the bone that moves it most."""
    weights = template().weights
    bones = np.array(list(template().bones))[np.asarray(weights.argmax(1)).ravel()]
    out = np.full(len(bones), PART["torso"])
    for i, bone in enumerate(bones):
        side = "left" if bone.endswith(".L") else "right"
        if bone.startswith(HAND):
            out[i] = PART[f"{side}_hand"]
        elif bone.startswith((*ARM, "shoulder")):
            out[i] = PART[f"{side}_arm"]
        elif bone.startswith(LEG):
            out[i] = PART[f"{side}_leg"]
        elif bone in ("head", "jaw") or bone.startswith(_FACE_BONES):
            out[i] = PART["head"]
    return out


_FACE_BONES = ("special", "oris", "tongue", "levator", "orbic", "temporalis", "oculi", "risorius", "eye")


def _whole(
    asset: Asset, body: Body, material: str, texture: Texture, parsing: str, part: str, thin: bool = False
) -> Piece:
    count = len(asset.faces)
    return Piece(
        _constant(material, count), asset.fit(body.vertices), asset.weights(), asset.faces, asset.face_uv, [texture],
        np.zeros(count, np.int64), np.full(count, CLASS[parsing]), np.full(count, PART[part]), asset.faces,
        casts=False, thin=thin,
    )  # fmt: skip


def head(outfit: Outfit, body: Body, library: Library) -> list[Piece]:
    """Eyes, brows, lashes, hair."""
    person = outfit.person

    def texture(kind: str, name: str, which: str = "") -> Texture:
        path = library.path(kind, name, which)
        assert path is not None
        return Texture(path)

    return [
        _whole(
            library.asset("eyes", "Low-Poly"),
            body,
            "eyes",
            texture("eyes", "Low-Poly", f"{person.eyes}_eye"),
            "face",
            "head",
        ),
        _whole(
            library.asset("eyebrows", person.brows), body, "brows", texture("eyebrows", person.brows), "face", "head"
        ),
        _whole(
            library.asset("eyelashes", "eyelashes02"),
            body,
            "lashes",
            texture("eyelashes", "eyelashes02"),
            "face",
            "head",
        ),
        _whole(
            library.asset("hair", person.hair), body, "hair", texture("hair", person.hair), "hair", "hair", thin=True
        ),
    ]


def garment(outfit: Outfit, garment: Garment, body: Body, library: Library, hidden: NDArray[np.bool_]) -> Piece:
    """The garment's components of its suit, and the body it covers marked as hidden."""
    asset = library.asset("clothes", garment.suit)
    vertices, weights = asset.fit(body.vertices), asset.weights()
    pelvis = body.vertices[template().groups["joint-pelvis"], 2].mean()
    top = np.array([vertices[asset.component == c, 2].max() for c in range(asset.components)])
    wanted = (top > pelvis + 0.22) == (garment.part == "upper")
    kept = wanted[asset.component[asset.faces[:, 0]]]
    faces = asset.faces[kept]
    z = vertices[faces.ravel(), 2]
    low, high = (
        (0.07, 0.005) if garment.part == "upper" else (0.01, 0.035)
    )  # hem and waistband are not level all the way round
    height = body.vertices[asset.hides, 2]
    under = asset.hides[(height > z.min() + low) & (height < z.max() - high)]
    if (
        garment.type != "skirt"
    ):  # a suit hides what its other half covers, too; keep the skin that no cloth of ours is near
        under = under[cKDTree(vertices[np.unique(faces)]).query(body.vertices[under])[0] < 0.04]
    hidden[under] = True
    material, layer, parsing = _split(garment, asset, vertices, kept, library)
    side = np.where(vertices[faces].mean(1)[:, 0] > 0, 0, 1)
    if garment.part == "upper":
        sleeve = share(weights, ARM)[faces].mean(1) > 0.5
        part = np.where(sleeve, PART["left_sleeve"] + side, PART["top"])
        kind = "top"
    else:
        kind = "skirt" if garment.type == "skirt" else "legs"
        part = np.full(len(faces), PART["skirt"]) if kind == "skirt" else PART["left_trouser"] + side
    textures = [Texture(library.path("clothes", garment.suit, "_diffuse"), library.path("clothes", garment.suit, "_ao"),
                        library.path("clothes", garment.suit, "_normal"), cloth=garment.parsing)]  # fmt: skip
    if layer.any():
        textures.append(Texture(textures[0].colour))
    return Piece(
        material, vertices, weights, faces, asset.face_uv[kept], textures, layer, parsing, part, asset.faces, cloth=kind
    )


def _split(
    garment: Garment, asset: Asset, vertices: Floats, kept: NDArray[np.bool_], library: Library
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Material, texture layer and parsing class of a garment's faces: shirt and tie under a jacket are no jacket."""
    count = int(kept.sum())
    material = _constant("top" if garment.part == "upper" else "bottom", count)
    layer, parsing = np.zeros(count, np.int64), np.full(count, CLASS[garment.parsing])
    if garment.type == "suit jacket":
        colour, _ = library.texture(library.path("clothes", garment.suit, "_diffuse"))
        at = asset.face_uv[kept].mean(1)
        size = colour.shape[0]
        texel = colour[
            np.clip(((1 - at[:, 1]) * size).astype(int), 0, size - 1),
            np.clip((at[:, 0] * size).astype(int), 0, size - 1),
        ]
        # The tie's patch of the texture, in uv; the shirt is everything light.
        tie = (
            (at[:, 0] > 0.352)
            & (at[:, 0] < 0.416)
            & (1 - at[:, 1] > 0.075)
            & (1 - at[:, 1] < 0.185)
            & (texel.mean(1) < 0.45)
        )
        inner = (texel.mean(1) > 0.1) & ~tie
        material[inner], material[tie], layer[tie] = MATERIALS.index("inner"), MATERIALS.index("tie"), 1
        parsing[inner | tie] = CLASS["upper_clothes"]
    elif garment.type == "jacket":
        # The shirt is the component that reaches from hem to collar without sleeves.
        for c in range(asset.components):
            own = vertices[asset.component == c]
            if np.ptp(own[:, 2]) > 0.4 and own[:, 0].max() < 0.2:
                inner = asset.component[asset.faces[kept][:, 0]] == c
                material[inner], parsing[inner] = MATERIALS.index("inner"), CLASS["upper_clothes"]
    return material, layer, parsing


def clear(top: Piece, bottom: Piece) -> None:
    """Push the top 12 mm clear of the bottom where they overlap; arms stay where they are."""
    below, above = np.unique(bottom.faces), np.unique(top.faces)
    outward = normals(bottom.vertices, bottom.faces)[below]
    tree = cKDTree(bottom.vertices[below])
    free = share(top.weights[above], ARM) < 0.3
    for _ in range(2):
        distance, nearest = tree.query(top.vertices[above])
        clearance = ((top.vertices[above] - bottom.vertices[below][nearest]) * outward[nearest]).sum(1)
        push = np.where((distance < 0.05) & free, np.clip(0.012 - clearance, 0, 0.04), 0)
        top.vertices[above] += (outward[nearest] * push[:, None]).astype(np.float32)


def swell(bottom: Piece) -> None:
    """Lift the cloth off the body, most at the waistband, so that skin does not show through."""
    waist = bottom.vertices[bottom.faces.ravel(), 2].max()
    lift = 0.004 + 0.006 * np.clip((bottom.vertices[:, 2] - waist + 0.12) / 0.1, 0, 1)
    bottom.vertices += normals(bottom.vertices, bottom.smooth) * lift[:, None].astype(np.float32)


def shoes(outfit: Outfit, body: Body, library: Library, hidden: NDArray[np.bool_]) -> Piece:
    """Both shoes; the socks some of them come with are left out under long trousers."""
    asset = library.asset("clothes", outfit.shoes)
    vertices = asset.fit(body.vertices)
    bottom = np.array([vertices[asset.component == c, 2].min() for c in range(asset.components)])
    sock = (bottom > vertices[:, 2].min() + 0.02)[asset.component[asset.faces[:, 0]]]
    kept = ~sock if outfit.bottom.type not in ("skirt", "shorts") else np.ones(len(asset.faces), bool)
    hidden[asset.hides] = True
    side = np.where(vertices[asset.faces[kept]].mean(1)[:, 0] > 0, 0, 1)
    count = int(kept.sum())
    texture = Texture(library.path("clothes", outfit.shoes, "_diffuse"))
    return Piece(
        _constant("shoes", count), vertices, asset.weights(), asset.faces[kept], asset.face_uv[kept], [texture],
        np.zeros(count, np.int64), np.where(sock[kept], CLASS["socks"], CLASS["left_shoe"] + side),
        PART["left_shoe"] + side, asset.faces,
    )  # fmt: skip
