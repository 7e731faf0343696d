"""A defect of released scripts, kept where a protocol names it: images beyond the last full batch are not measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError


def check_batch(name: str, size: int) -> None:
    """BenchError for a ``drop_last`` that is no number of images; 0: nothing is dropped."""
    if type(size) is not int or size < 0:
        raise BenchError(f"drop_last = {size!r}", where=name, fix="images a batch, such as 64; 0 drops none")


def full(count: int, size: int) -> int:
    """How many of ``count`` images stand in full batches of ``size``: all where they fill not even one (GFLA's script
    then takes them for a batch), or where ``size`` is 0."""
    return count if size == 0 or count < size else count - count % size


def measured(pair_ids: Sequence[str], size: int) -> NDArray[np.bool_]:
    """N: whether each pair is measured. The scripts take files as their folder lists them, in any order; here pairs
    stand in order of their ids, so that it is always the same ones that drop out."""
    order = np.argsort(np.asarray(pair_ids), kind="stable")
    kept: NDArray[np.bool_] = np.zeros(len(order), np.bool_)
    kept[order[: full(len(order), size)]] = True
    return kept
