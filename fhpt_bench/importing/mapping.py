"""What a baseline says about the files its authors published: which of their tensors fills which of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

AFFINELESS = r"(^|\.)(running_mean|running_var|num_batches_tracked)$"
"""Keys of running statistics: to be ``ignored`` where a network's instance normalisation reads none."""


@dataclass(frozen=True)
class Part:
    """One published file."""

    name: str
    """What its authors call it: ``netG``."""
    keys: Mapping[str, str]
    """Key of our network's state -> their key. One of theirs may fill several of ours (shared layers)."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Regular expression on their keys that nothing of ours takes -> why not. They are counted, never silent."""
    under: str = ""
    """Where their state dict is not the whole file: the entry that holds it."""


@dataclass(frozen=True)
class Released:
    """One published model, of one or several files that fill our network together."""

    name: str
    """Of the model in records: ``patn-released``."""
    config: str
    """Table of the baseline's config.toml with the network they fill (``mode = "released"``)."""
    network: Callable[[], nn.Module]
    """Makes that network, untrained, its state named as the baseline's generator loads it; called on the meta
    device. Theirs must have the shapes of its state."""
    parts: tuple[Part, ...]


def by_prefix(ours: Iterable[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """``Part.keys`` by prefix: each of our keys with its longest known prefix replaced by theirs.

    ``by_prefix(["blocks.0.weight"], {"blocks.": "model.att."})`` is ``{"blocks.0.weight": "model.att.0.weight"}``.
    KeyError where one of ours has no known prefix.
    """
    keys = {}
    for key in ours:
        known = [prefix for prefix in prefixes if key.startswith(prefix)]
        if not known:
            raise KeyError(f"no prefix is known for {key}")
        prefix = max(known, key=len)
        keys[key] = prefixes[prefix] + key.removeprefix(prefix)
    return keys
