"""Draw docs/baselines.png: the same four test pairs by every baseline whose weights ship.

Run: python docs/baselines_sheet.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.errors import BenchError
from fhpt_bench.figures import draw_pose, grid
from fhpt_bench.harness.generate import ask
from fhpt_bench.harness.models import find_model
from fhpt_bench.types import Image, Pair

MODELS = ("patn", "dsc", "intr-flow", "spgnet", "rate-net", "drn", "incarnation")
"""By the year of their papers."""
WIDTH, TOP = 1400, 26


def chosen(data: Catwalk) -> list[Pair]:
    """Four pairs of four people, spread evenly over the split; nobody picked them for their looks."""
    return [data[i] for i in range(len(data) // 8, len(data), len(data) // 4)]


def columns(data: Catwalk, pairs: list[Pair]) -> dict[str, list[Image]]:
    """By title. A model that cannot make them (its weights are missing, say) is left out, and told of."""
    made: dict[str, list[Image]] = {}
    for name in MODELS:
        try:
            model = find_model(name, data=data, device="cpu")
            made[name] = list(ask(model.generator, pairs, name=name, seed=0, size=data.size))
        except BenchError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return {
        "source": [pair.source.image for pair in pairs],
        "pose": [draw_pose(pair.target.pose, data.size) for pair in pairs],
        **made,
        "truth": [pair.target.image for pair in pairs],
    }


def draw_sheet(path: Path) -> None:
    data = Catwalk("test")
    found = columns(data, chosen(data))
    sheet = Pillow.fromarray(grid(list(zip(*found.values(), strict=True))))
    width = min(WIDTH, sheet.width)
    small = sheet.resize((width, round(sheet.height * width / sheet.width)), Pillow.Resampling.LANCZOS)
    # Titles go on last, so that they are sharp.
    canvas = Pillow.new("RGB", (width, small.height + TOP), "white")
    canvas.paste(small, (0, TOP))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(17)
    for place, title in enumerate(found):
        draw.text((width * (place + 0.5) / len(found), TOP / 2), title, fill="black", font=font, anchor="mm")
    canvas.quantize(160, dither=Pillow.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {np.prod(canvas.size)} pixels, {path.stat().st_size // 1000} KB", file=sys.stderr)


if __name__ == "__main__":
    draw_sheet(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "baselines.png")
