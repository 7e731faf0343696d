"""The keys of Intr-Flow's published weights: ``netG``, ``netPW`` and ``netF``.

Names of layers as the public source (ly015/intrinsic_flow) gives them; no original file could be opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from fhpt_bench.baselines.intr_flow.model import IntrFlow, network
from fhpt_bench.importing.mapping import Part, Released, by_prefix
from fhpt_bench.train_config import read

_FOLDER = Path(__file__).resolve().parent


def released_keys() -> tuple[Released, ...]:
    """DeepFashion and Market-1501, each with either of the two published flow networks."""
    return tuple(_released(f"intr-flow-{config}", config) for config in _CONFIGS)


_CONFIGS = ("released", "released-v2", "released-market", "released-market-v2")


def _network(config: str) -> IntrFlow:
    return network(read(_FOLDER, config))


def _released(name: str, config: str) -> Released:
    made = partial(_network, config)
    with torch.device("meta"):
        whole = made()
    ours, scales = list(whole.state_dict()), whole.shape.scales
    files = {"netG": ("painter.generator.", _generator(scales)), "netPW": ("painter.weigher.", _weigher(scales))}
    files["netF"] = ("flow.net.", _unet_v2() if config.endswith("v2") else _unet())
    parts = []
    for file, (part, prefixes) in files.items():
        mine = [key for key in ours if key.startswith(part)]
        parts.append(Part(file, by_prefix(mine, {part + a: b for a, b in prefixes.items()})))
    return Released(name, config, made, tuple(parts))


def _block(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    """A residual block: 3x3 convolution and normalisation; 1x1 convolution and normalisation of its skip."""
    yield from ((f"{ours}.conv.", f"{theirs}.conv.0."), (f"{ours}.norm.", f"{theirs}.conv.1."))
    yield f"{ours}.merge.", f"{theirs}.conv_a."


def _levels(ours: str, theirs: str, scales: int) -> Iterator[tuple[str, str]]:
    """The two blocks of each level."""
    for level in range(scales):
        for index in range(2):
            yield from _block(f"{ours}.{level}.{index}", theirs.format(level, index))


def _ways(name: str, theirs: str, scales: int) -> dict[str, str]:
    """Downs or ups: the place in our sequence is theirs."""
    return {f"{name}.{level}.": theirs.format(level) for level in range(scales)}


def _generator(scales: int) -> dict[str, str]:
    # Their two encoders share one down-sampling: the file holds it under both names, ours too.
    prefixes = {"pose_stem.": "encp_pre_conv.", "image_stem.": "enca_pre_conv.", "fuse.": "dec_fuse."}
    for encoder, short in (("pose", "encp"), ("image", "enca")):
        prefixes |= dict(_levels(f"{encoder}_encoder.levels", short + "_{}_res_{}", scales))
        prefixes |= _ways(f"{encoder}_encoder.downs", short + "_{}_downsample.", scales)
    prefixes |= dict(_levels("skips.gates", "enca_{}_vis_{}", scales))
    return prefixes | _decoder(scales) | {"head.": "dec_output."}


def _decoder(scales: int) -> dict[str, str]:
    ups = _ways("decoder.ups", "dec_{}_upsample.", scales)
    return dict(_levels("decoder.levels", "dec_{}_res_{}", scales)) | ups


def _encoder(scales: int) -> dict[str, str]:
    downs = _ways("encoder.downs", "enc_{}_downsample.", scales)
    return dict(_levels("encoder.levels", "enc_{}_res_{}", scales)) | downs


def _weigher(scales: int) -> dict[str, str]:
    ends = {"stem.": "pre_conv.", "mix.0.": "dec_output_0.0.", "head.1.": "dec_output_0.3."}
    return ends | _encoder(scales) | _decoder(scales)


def _unet_v2() -> dict[str, str]:
    # Theirs has one flat sequence before the encoder: 1x1, block, ReLU, convolution, normalisation.
    stem = {"stem.0.": "pre_conv.0.", "stem.2.1.": "pre_conv.3.", "stem.2.2.": "pre_conv.4."}
    heads = {f"flows.{level}.": f"pred_flow_{level}." for level in range(5)} | {"visibility.": "pred_vis."}
    return stem | dict(_block("stem.1", "pre_conv.1")) | _encoder(5) | _decoder(5) | heads


def _unet() -> dict[str, str]:
    """Theirs is nested: each block holds the next one as ``submodule``, and starts without an activation at level 0."""
    prefixes = {"stem.": "conv_downsample.", "visibility.": "predict_vis."}
    for level in range(5):
        theirs = "unet_block." + "submodule." * level
        first = 0 if level == 0 else 1
        prefixes |= {f"downs.{level}.1.": f"{theirs}down.{first}.", f"downs.{level}.2.": f"{theirs}down.{first + 1}."}
        prefixes |= {f"ups.{level}.": f"{theirs}up.", f"flows.{level}.": f"{theirs}predict_flow."}
    return prefixes
