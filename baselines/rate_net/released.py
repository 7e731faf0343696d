"""The keys that weights of the author's code have, for ``fhpt-bench import rate``.

Forced by the names of the modules in the author's development fork (Lotayou/Pose-Transfer), whose training script saves
``latest_net_G1.pth`` (transfer branch) and ``latest_net_G2.pth`` (texture branch). No such file is known to be
published, so none could be opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from fhpt_bench.baselines.rate_net.model import RATENet, Shape
from fhpt_bench.importing.mapping import AFFINELESS, Part, Released, by_prefix
from fhpt_bench.train_config import parse, read

_CONFIG = "released"


def released_keys() -> tuple[Released, ...]:
    """Both files of one RATE-Net with a code of 128."""
    with torch.device("meta"):
        ours = _network().state_dict()
    transfer, texture = ([key for key in ours if key.startswith(part)] for part in ("transfer.", "detail."))
    parts = (
        Part("G1", _transfer(transfer)),
        Part("G2", _texture(texture), {AFFINELESS: "running statistics of AdaIN, which its code never reads"}),
    )
    return (Released("rate-net-released", _CONFIG, _network, parts),)


def _network() -> RATENet:
    return RATENet(parse(Shape, read(Path(__file__).resolve().parent, _CONFIG), "model"))


def _transfer(ours: Iterable[str]) -> dict[str, str]:
    prefixes = {"transfer.head.": "model.stream1_up.16."}
    # Up-sampling, padding, convolution, normalisation, activation: five places a layer.
    prefixes |= {f"transfer.up.{3 * n}.conv.": f"model.stream1_up.{5 * n + 2}." for n in range(3)}
    for stream, theirs in (("image", "stream1"), ("pose", "stream2")):
        prefixes[f"transfer.{stream}_down.0.1."] = f"model.{theirs}_down.1."
        prefixes |= {f"transfer.{stream}_down.{n}.0.": f"model.{theirs}_down.{3 * n + 1}." for n in (1, 2, 3)}
        prefixes |= {f"transfer.blocks.{n}.{stream}.": f"model.att.{n}.conv_block_{theirs}." for n in range(9)}
    return by_prefix(ours, prefixes)


def _texture(ours: Iterable[str]) -> dict[str, str]:
    prefixes = {"detail.style.code.": "enc_class_model.model.6.", "detail.decoder.head.1.": "dec.model.7.conv."}
    prefixes |= {f"detail.style.convolutions.{n}.1.": f"enc_class_model.model.{n}.conv." for n in range(5)}
    prefixes |= {f"detail.mlp.{2 * n}.": f"mlp.model.{n}.fc." for n in range(3)}
    # Up-sampling and convolution in turn there; up-sampling, padding, convolution, normalisation, activation here.
    prefixes |= {f"detail.decoder.ups.{5 * n + 2}.": f"dec.model.{2 * n + 2}.conv." for n in range(3)}
    prefixes |= {f"detail.content.convolutions.{n}.": f"enc_content.model.{n}.conv." for n in range(4)}
    for block in range(2):
        for place, name in enumerate(("first", "second")):
            there = f"model.{block}.model.{place}.conv."
            prefixes[f"detail.decoder.residuals.{block}.{name}."] = f"dec.model.0.{there}"
            prefixes[f"detail.content.residuals.{2 * block + place}."] = f"enc_content.model.4.{there}"
    return by_prefix(ours, prefixes)
