"""What a model makes on its way to an image, as one figure: ``fhpt-bench inspect``.

A generator that can be looked into has a method ``inspect(prompts)`` that gives, by column title, one image a prompt.
The two functions at the end turn feature maps and residuals into such images.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.figures import draw_pose, grid
from fhpt_bench.harness.generate import prompt_seed
from fhpt_bench.harness.job import open_data, pick_device
from fhpt_bench.harness.models import find_model
from fhpt_bench.images import write_png
from fhpt_bench.types import Dataset, Image, Pair, Prompt


def inspect(
    model: str,
    out: Path,
    *,
    data: str | Dataset = "catwalk",
    split: str = "test",
    pairs: Sequence[str] = (),
    count: int = 6,
    device: str = "auto",
    seed: int = 0,
) -> dict[str, Any]:
    """Write one PNG, a row a pair: source, target pose, the columns of the model's ``inspect``, truth.

    pairs: ids; without them ``count`` pairs spread evenly over the split. Returns what was written: ``file``,
    ``model``, ``pairs`` and ``columns``. BenchError for a model that cannot be looked into (it names those that can),
    an unknown pair, an ``out`` that is no PNG, and images that are not one a prompt, uint8, of the data set's size.
    """
    if out.suffix.lower() != ".png":
        raise BenchError("the figure is a PNG", where=out, fix="--out FILE.png")
    dataset = open_data(data, split)
    chosen = _choose(dataset, pairs, count)
    found = find_model(model, data=dataset, device=pick_device(device))
    look = getattr(found.generator, "inspect", None)
    if not callable(look):
        raise BenchError(
            f"{model!r} has no inside to show",
            fix=f"these have: {', '.join(_open_ones()) or 'none'}; or give yours a method inspect(prompts)",
        )
    prompts = [Prompt(p.id, p.source, p.target.pose, prompt_seed(seed, p.id)) for p in chosen]
    columns = {
        "source": [p.source.image for p in chosen],
        "pose": [draw_pose(p.target.pose, dataset.size) for p in chosen],
        **_checked(look(prompts), len(chosen), dataset.size, model),
        "truth": [p.target.image for p in chosen],
    }
    write_png(out, grid(list(zip(*columns.values(), strict=True)), columns=list(columns)))
    return {"file": str(out), "model": found.card.name, "pairs": [p.id for p in chosen], "columns": list(columns)}


def _choose(data: Dataset, ids: Sequence[str], count: int) -> list[Pair]:
    if not ids:
        if not 1 <= count <= len(data):
            raise BenchError(f"--count {count}: the split has {len(data)} pairs", fix="choose from 1 to that")
        return [data[i * len(data) // count] for i in range(count)]
    places = {data[i].id: i for i in range(len(data))}
    for pair_id in ids:
        if pair_id not in places:
            near = difflib.get_close_matches(pair_id, places, n=3)
            raise BenchError(
                f"{data.name} ({data.split}) has no pair {pair_id!r}",
                fix=f"did you mean {' or '.join(near)}?" if near else "fhpt-bench data pairs lists the ids",
            )
    return [data[places[pair_id]] for pair_id in ids]


def _open_ones() -> list[str]:
    """Generators that have ``inspect``; a plugin that does not load has none."""
    names = []
    for name in registry.names("generators"):
        with suppress(BenchError):
            if callable(getattr(registry.find("generators", name), "inspect", None)):
                names.append(name)
    return names


def _checked(
    columns: Mapping[str, Sequence[Image]], count: int, size: tuple[int, int], model: str
) -> Mapping[str, Sequence[Image]]:
    for title, images in columns.items():
        kinds = {(str(image.dtype), image.shape) for image in images}
        if len(images) != count or kinds != {("uint8", (*size, 3))}:
            raise BenchError(
                f"{model!r}, column {title!r}: {len(images)} images of {sorted(kinds)} for {count} prompts",
                fix=f"inspect gives one uint8 array of shape {(*size, 3)} a prompt and column",
            )
    return columns


def principal_colours(maps: NDArray[np.floating], size: tuple[int, int]) -> list[Image]:
    """Feature maps N x C x h x w as N images of ``size`` (height, width): what stands out in them, as colours.

    The first three principal components of the channels over all places of all N maps are red, green and blue; from
    the 1st to the 99th percentile each fills 0..255. A component's sign is free: here its largest weight is positive.
    Cells are enlarged without smoothing. Colours compare within one call only. BenchError under three channels.
    """
    count, channels, height, width = maps.shape
    if channels < 3:
        raise BenchError(f"{channels} channels have no three principal components", fix="pass maps of 3 or more")
    places = np.moveaxis(maps, 1, 3).reshape(-1, channels).astype(np.float64)
    places -= places.mean(0)
    _, axes = np.linalg.eigh(places.T @ places)  # ascending
    axes = axes[:, :-4:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(3)])
    scores = places @ axes
    low, high = np.percentile(scores, [1, 99], axis=0)
    levels = (scores - low) / np.maximum(high - low, np.finfo(np.float64).tiny) * 255
    small = levels.round().clip(0, 255).astype(np.uint8).reshape(count, height, width, 3)
    return [np.asarray(Pillow.fromarray(s).resize(size[::-1], Pillow.Resampling.NEAREST)) for s in small]


def around_grey(differences: NDArray[np.floating]) -> tuple[list[Image], float]:
    """Signed images N x H x W x 3 in grey levels (-255..255) around mid-grey, and how many levels white stands for.

    That scale is the largest absolute difference of all N; black stands for as many levels below.
    """
    scale = float(np.abs(differences).max())
    shown = 127.5 + differences * (127.5 / scale if scale else 0.0)
    return list(shown.round().clip(0, 255).astype(np.uint8)), scale
