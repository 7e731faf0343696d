"""Result files as each system's released code writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from fhpt_bench.types import Dataset, Image

NOISE = np.random.default_rng(3).integers(0, 256, (256, 256, 3), dtype=np.uint8)
"""What stands in the panels that are not the generated image: measuring those would show."""


def noise(like: Image) -> Image:
    return NOISE[: like.shape[0], : like.shape[1]]


def strip(image: Image, panels: int) -> Image:
    return np.concatenate([noise(image)] * (panels - 1) + [image], axis=1)


def sheet(image: Image) -> Image:
    """RATE's: source, pose, coarse above target, residual, final."""
    row = np.concatenate([noise(image)] * 3, axis=1)
    return np.concatenate([row, strip(image, 3)])


def write(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".jpg", ".jpeg"):
        PILImage.fromarray(image).save(path, format="JPEG", quality=95)
    else:
        PILImage.fromarray(image).save(path, format="PNG", compress_level=1)


def files(system: str, data: Dataset, crops: Mapping[str, Image], frames: Mapping[str, Image]) -> dict[str, Image]:
    """File name -> picture. frames: where the system's panels are 256 x 256; Market has one size only."""
    found: dict[str, Image] = {}
    for index in range(len(data)):
        pair = data[index]
        s, t, crop, frame = pair.source.id, pair.target.id, crops[pair.id], frames[pair.id]
        name, image = {
            "patn": (f"{s}.jpg___{t}.jpg_vis.png", strip(crop, 5)),
            "patn, no suffix inside": (f"{s}___{t}_vis.png", strip(crop, 5)),
            "patn, jpeg": (f"{s}.jpg___{t}.jpg_vis.jpg", strip(crop, 5)),
            "patn, one image": (f"{s}___{t}_vis.png", crop),
            "rate": (f"{index:6d}.png", sheet(crop)),
            "dsc": (f"{s}.jpg_{t}.jpg.png", strip(frame, 3)),
            "intrflow, jpeg": (f"{s}_{t}.jpg", frame),
            "intrflow": (f"{s}_{t}.png", frame),
            "gfla, jpeg": (f"{s}_2_{t}_vis.jpg", frame),
            "gfla": (f"{s}_2_{t}_vis.png", frame),
            "gfla, to": (f"{s}_to_{t}_vis.png", frame),
            "gfla, cropped": (f"{s}_2_{t}_vis.png", crop),
            "ours": (f"{pair.id}.png", crop),
        }[system]
        found[name] = image
    return found


def lay(folder: Path, found: Mapping[str, Image]) -> Path:
    for name, image in found.items():
        write(folder / name, image)
    return folder
