"""Weights that ship with a baseline: float16 safetensors, hash checked before anything is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic


def save(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write ``weights`` as float16, whole or not at all; returns the sha256 of the file."""
    content = save_bytes({k: v.detach().to("cpu", torch.float16).contiguous() for k, v in weights.items()})
    with atomic(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def export(snapshot: Path, to: Path, part: str = "network.") -> str:
    """Write the generator of a training snapshot as shipped weights; returns the sha256 for config.toml.

    ``snapshot``: folder that ``fhpt_bench.train`` names; ``part``: the generator's prefix in it.
    """
    path = snapshot / "model.safetensors"
    if not path.is_file():
        raise BenchError("no snapshot here", where=snapshot, fix="name the folder that `fhpt-bench train` printed")
    found = {k.removeprefix(part): v for k, v in load_bytes(path.read_bytes()).items() if k.startswith(part)}
    return save(found, to)


def load(module: nn.Module, path: Path, sha256: str) -> None:
    """Fill ``module`` (float32) from ``path``.

    BenchError where the file is missing, not the one named by ``sha256``, or does not fit.
    """
    if not path.is_file():
        raise BenchError(
            "the weights of this baseline are missing", where=path, fix="restore the file, or train: fhpt-bench train"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BenchError(
            f"these weights are not the ones the config names (sha256 {found[:12]}, not {sha256[:12]})",
            where=path, fix="restore the file, or put its sha256 into config.toml if you mean to use it",
        )  # fmt: skip
    fill(module, content, path)


def fill(module: nn.Module, content: bytes, where: Path) -> None:
    """Load safetensors bytes into ``module``; a BenchError where they are no safetensors or are of another network."""
    try:
        weights = load_bytes(content)
    except (SafetensorError, ValueError) as error:
        raise BenchError(f"not a safetensors file: {error}", where=where, fix="restore the file") from error
    wanted = module.state_dict()
    odd = [
        k
        for k in sorted(wanted.keys() | weights.keys())
        if k not in wanted or k not in weights or wanted[k].shape != weights[k].shape
    ]
    if odd:
        raise BenchError(
            f"weights of another network: {len(odd)} tensors differ, the first is {odd[0]}",
            where=where, fix="use the config these weights were trained with",
        )  # fmt: skip
    module.load_state_dict({k: v.to(wanted[k].dtype) for k, v in weights.items()})
