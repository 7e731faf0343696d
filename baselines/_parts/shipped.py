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
    return save(_part(_read(path.read_bytes(), path), part), to)


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


def take(module: nn.Module, path: Path, prefix: str) -> None:
    """Fill ``module`` from a file that ships, or from the keys of a snapshot that begin with ``prefix``."""
    if not path.is_file():
        raise BenchError("no such weights", where=path, fix="name a snapshot's model.safetensors, or train its stage")
    weights = _read(path.read_bytes(), path)
    _fit(module, _part(weights, prefix) or weights, path)


def fill(module: nn.Module, content: bytes, where: Path) -> None:
    """Load safetensors bytes into ``module``; a BenchError where they are no safetensors or are of another network."""
    _fit(module, _read(content, where), where)


def _read(content: bytes, where: Path) -> dict[str, Tensor]:
    try:
        return load_bytes(content)
    except (SafetensorError, ValueError) as error:
        raise BenchError(f"not a safetensors file: {error}", where=where, fix="restore the file") from error


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _fit(module: nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
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
