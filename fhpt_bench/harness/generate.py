"""Prompts -> PNGs, resumable: what is there stays, what is missing is made."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fhpt_bench.errors import BenchError
from fhpt_bench.harness.folder import check_id
from fhpt_bench.images import write_png
from fhpt_bench.progress import progress
from fhpt_bench.types import Dataset, Image, Pair, Prompt


def prompt_seed(seed: int, pair_id: str) -> int:
    """A seed of the pair's own, so that noise does not depend on batch, order or rank (after NVlabs/edm)."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{pair_id}".encode()).digest()[:4], "big")


def generate(
    generator: Any,
    data: Dataset,
    indices: Sequence[int],
    folder: Path,
    *,
    name: str,
    seed: int,
    batch_size: int,
    workers: int,
    show: bool | None = None,
) -> int:
    """Write ``folder/<pair id>.png`` for every pair of ``indices`` that has none yet; returns how many were made.

    Batches are cut at fixed places, and a batch with a gap is made again whole, so a resumed run asks the
    generator for exactly the
    batches an uninterrupted one asks for. Images are written only once the whole batch passed its checks.
    """
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    made = 0
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        progress(f"generate {name}", len(indices), unit="images", show=show) as advance,
    ):
        for batch in batches:
            pairs = [data[i] for i in batch]
            targets = [folder / f"{check_id(pair.id)}.png" for pair in pairs]
            if not all(path.exists() for path in targets):
                list(pool.map(lambda pair: pair.source.image, pairs))
                images = ask(generator, pairs, name=name, seed=seed, size=data.size)
                list(pool.map(write_png, targets, images))
                made += len(pairs)
            advance(len(batch))
    return made


def refused(generator: Any, data: Dataset, indices: Sequence[int]) -> dict[str, str]:
    """Pairs that ``generator`` cannot serve, by id, and why. Most have no method ``refuses`` and serve all."""
    refuses = getattr(generator, "refuses", None)
    if not callable(refuses):
        return {}
    # Whether a pair can be served is a matter of its poses, so no seed is needed.
    asked = (Prompt(p.id, p.source, p.target.pose, 0) for p in (data[i] for i in indices))
    return {prompt.pair_id: str(why) for prompt in asked if (why := refuses(prompt))}


def served(
    generator: Any, data: Dataset, indices: Sequence[int], *, name: str, allow_missing: bool
) -> tuple[Sequence[int], dict[str, str]]:
    """``indices`` of the pairs that ``generator`` serves, and those that it refuses (see ``refused``).

    BenchError, naming them, where there are any and ``allow_missing`` does not leave them out, or none is left.
    """
    without = refused(generator, data, indices)
    if not without:
        return indices, {}
    first = "; ".join(f"{pair_id}: {why}" for pair_id, why in list(without.items())[:3])
    what = f"{name!r} cannot serve {len(without)} of {len(indices)} pairs ({first}{'; ...' * (len(without) > 3)})"
    if len(without) == len(indices):
        raise BenchError(what, fix="choose another model or data set")
    if not allow_missing:
        raise BenchError(what, fix="go on with the others: --allow-missing (such a row is never ranked)")
    print(f"{what}: left out", file=sys.stderr)
    return [i for i in indices if data[i].id not in without], without


def ask(generator: Any, pairs: Sequence[Pair], *, name: str, seed: int, size: tuple[int, int]) -> list[Image]:
    """The generator's images for ``pairs``, checked: uint8, the right shape, one a pair. An oracle is given the
    pairs, all others prompts."""
    oracle = getattr(generator, "oracle", False) is True
    asked: Sequence[Any] = (
        pairs if oracle else [Prompt(p.id, p.source, p.target.pose, prompt_seed(seed, p.id)) for p in pairs]
    )
    where = f"pairs {pairs[0].id} .. {pairs[-1].id}"
    try:
        images = list(generator.generate(asked))
    except BenchError:
        raise
    except Exception as error:
        raise BenchError(
            f"{name!r} raised {type(error).__name__}: {error}",
            where=where,
            fix="mend the model; finished pairs are kept, run again to go on",
        ) from error
    if len(images) != len(pairs):
        raise BenchError(
            f"{name!r} gave {len(images)} images for {len(pairs)} prompts",
            where=where,
            fix="return one image a prompt, in order",
        )
    return [_check(image, pair.id, name, size) for image, pair in zip(images, pairs, strict=True)]


def _check(image: Any, pair_id: str, name: str, size: tuple[int, int]) -> Image:
    try:
        array = np.asarray(image)
    except Exception as error:
        raise BenchError(
            f"{name!r} returned no array: {error}", where=pair_id, fix="return uint8 NumPy arrays"
        ) from error
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise BenchError(
            f"{name!r} returned NaN or infinite pixels",
            where=pair_id,
            fix="mend the model: nothing of this batch was written",
        )
    if array.dtype != np.uint8:
        raise BenchError(
            f"{name!r} returned {array.dtype} pixels",
            where=pair_id,
            fix="return uint8, 0..255: (x * 127.5 + 127.5).round().clip(0, 255)",
        )
    if array.shape != (*size, 3):
        raise BenchError(
            f"{name!r} returned shape {array.shape}", where=pair_id, fix=f"return height x width x RGB = {(*size, 3)}"
        )
    return array
