"""The keys of PATN's published weights, from documentation of their patterns: no original file could be opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import torch

from fhpt_bench.baselines.patn.model import PATN, Shape
from fhpt_bench.importing.mapping import AFFINELESS, Part, Released, by_prefix
from fhpt_bench.train_config import parse, read

_DOWN = {"0.1": 1, "0.2": 2, "1.0": 4, "1.1": 5, "2.0": 7, "2.1": 8}
"""Convolutions and normalisations of an encoder: ours -> their places in one flat sequence."""


def released_keys() -> tuple[Released, ...]:
    """``latest_net_netG.pth`` of DeepFashion (90 keys) and of Market-1501."""
    statistics = {AFFINELESS: "running statistics of normalisations without affine parameters, which nothing reads"}
    return (
        _released("patn-released", "released", statistics),
        _released("patn-released-market", "released-market", {}),
    )


def other_model(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What else a file of these keys and shapes is known to be; empty where it is not known."""
    blocks = {int(found[1]) for key in shapes if (found := re.match(r"model\.att\.(\d+)\.", key))}
    if blocks == set(range(6)):
        norm = "batch" if "model.stream1_down.2.weight" in shapes else "instance"
        return (
            f"a PATN of 6 blocks with {norm} normalisation: another model than the published ones of 9, "
            "such as 700_net_netG.pth"
        )
    return ""


def _network(config: str) -> PATN:
    return PATN(parse(Shape, read(Path(__file__).resolve().parent, config), "model"))


def _released(name: str, config: str, ignored: Mapping[str, str]) -> Released:
    network = partial(_network, config)
    with torch.device("meta"):
        ours = network().state_dict()
    return Released(name, config, network, (Part("netG", _keys(ours), ignored),))


def _keys(ours: Iterable[str]) -> dict[str, str]:
    prefixes = {"transfer.head.": "model.stream1_up.7."}
    prefixes |= {f"transfer.up.{place}.": f"model.stream1_up.{place}." for place in (0, 1, 3, 4)}
    for stream, theirs in (("image", "stream1"), ("pose", "stream2")):
        prefixes |= {f"transfer.{stream}_down.{a}.": f"model.{theirs}_down.{b}." for a, b in _DOWN.items()}
        prefixes |= {f"transfer.blocks.{n}.{stream}.": f"model.att.{n}.conv_block_{theirs}." for n in range(9)}
    return by_prefix(ours, prefixes)
