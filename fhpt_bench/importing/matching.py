"""A file's tensors against the keys that a published part has: every difference, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fhpt_bench.importing.mapping import Part
from fhpt_bench.importing.reading import StateFile, wrong_with

Shapes = Mapping[str, tuple[int, ...]]

COUNTER = ".num_batches_tracked"
"""Of batch normalisation since torch 0.4; nothing computes with it, and older files have none."""


@dataclass(frozen=True)
class Match:
    """How far one file is one part. Keys are theirs."""

    part: Part
    unknown: tuple[str, ...] = ()
    """In the file, not in the part."""
    missing: tuple[str, ...] = ()
    """In the part, not in the file."""
    misshapen: tuple[str, ...] = ()
    """``key: their shape, not ours``."""
    unfit: tuple[str, ...] = ()
    """``key: why its values cannot be weights``."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Why tensors were left out -> how many."""
    filled: int = 0
    """Counters (``COUNTER``) that the file lacks; they become 0."""
    found: int = 0
    """How many of the part's keys are there."""

    @property
    def problems(self) -> int:
        """How many keys are not as they should be."""
        return len(self.unknown) + len(self.missing) + len(self.misshapen) + len(self.unfit)


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Key -> shape."""
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def match(file: StateFile, part: Part, ours: Shapes) -> Match | None:
    """Compare ``file`` with ``part``, whose tensors must have the shapes ``ours`` (by our keys).

    None where the file holds no state dict at the place that the part names.
    """
    theirs = file.tensors(part.under)
    if theirs is None:
        return None
    wanted = {their_key: ours[our_key] for our_key, their_key in part.keys.items()}
    dropped: Counter[str] = Counter()
    unknown = []
    for key in theirs.keys() - wanted.keys():
        reason = next((why for pattern, why in part.ignored.items() if re.search(pattern, key)), None)
        if reason is None:
            unknown.append(key)
        else:
            dropped[reason] += 1
    absent = sorted(wanted.keys() - theirs.keys())
    missing = [key for key in absent if not key.endswith(COUNTER)]
    misshapen, unfit = [], []
    for key in sorted(wanted.keys() & theirs.keys()):
        if tuple(theirs[key].shape) != wanted[key]:
            misshapen.append(f"{key}: {written(tuple(theirs[key].shape))}, not {written(wanted[key])}")
        elif why := wrong_with(theirs[key]):
            unfit.append(f"{key}: {why}")
    return Match(
        part, tuple(sorted(unknown)), tuple(missing), tuple(misshapen), tuple(unfit),
        dict(dropped), len(absent) - len(missing), len(wanted) - len(absent),
    )  # fmt: skip


def taken(file: StateFile, part: Part) -> dict[str, Tensor]:
    """What ``file`` gives of ``part``, under our keys: float32 (counters int64). For a file that matches."""
    theirs = file.tensors(part.under) or {}
    result = {}
    for our_key, their_key in part.keys.items():
        tensor = theirs.get(their_key, torch.zeros(()))
        kind = torch.int64 if our_key.endswith(COUNTER) else torch.float32
        result[our_key] = tensor.detach().to(kind).clone(memory_format=torch.contiguous_format)
    return result


def written(shape: tuple[int, ...]) -> str:
    """``64x3x7x7``; ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"
