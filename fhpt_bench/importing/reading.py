"""Tensors out of a file that somebody else made. Nothing in it is run."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fhpt_bench.errors import BenchError

MOST_BYTES = 4 << 30
"""The largest file that is read; published generators have up to 0.7 GB."""


@dataclass(frozen=True)
class StateFile:
    """A file of tensors."""

    path: Path
    sha256: str
    content: Any
    """What lies in it: a state dict, or (``Part.under``) a dictionary that holds one."""

    def tensors(self, under: str = "") -> dict[str, Tensor] | None:
        """The state dict, or the one in entry ``under``; None where there is none."""
        found = self.content.get(under) if under else self.content
        if not isinstance(found, Mapping) or not found:
            return None
        plain = all(isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items())
        return dict(found) if plain else None


def read(path: Path) -> StateFile:
    """Read what ``torch.save`` wrote, ``weights_only``: tensors and plain containers; anything else is refused.

    Raises BenchError where there is no such file, it is too large, damaged, or asks for code to be run.
    """
    if not path.is_file():
        raise BenchError("no such file", where=path, fix="name the checkpoint that its authors published")
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        raise BenchError(f"a file of {size} bytes is no checkpoint", where=path, fix="fetch it again")
    data = path.read_bytes()  # once: what is hashed is what is read
    why = _larger_than_it_looks(data)
    if not why:
        try:
            with warnings.catch_warnings(action="ignore"):  # torch's own, about pickles of other versions
                content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            why = "" if isinstance(content, Mapping) else f"it holds a {type(content).__name__}, not a state dict"
        except Exception as error:  # whatever a damaged or hostile file makes torch raise
            why = _reason(error)
    if why:
        raise BenchError(
            f"refused: {why}",
            where=path,
            fix="only a plain state dict of tensors is read, and no code is run; if it is the authors' file, "
            "fetch it again",
        )
    return StateFile(path, hashlib.sha256(data).hexdigest(), content)


def wrong_with(tensor: Tensor) -> str:
    """Why a tensor of the right shape cannot be a weight; empty where it can. Looks at no more than its own memory."""
    if tensor.layout != torch.strided or tensor.is_quantized or type(tensor) not in (Tensor, torch.nn.Parameter):
        return "not a plain tensor"
    if tensor.is_complex() or tensor.dtype == torch.bool:
        return f"of type {str(tensor.dtype).removeprefix('torch.')}"
    return "" if bool(torch.isfinite(tensor).all()) else "not finite"


def _larger_than_it_looks(data: bytes) -> str:
    """``torch.save`` never compresses, so what unpacks to more than its size is not its work."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ""  # files of torch before 1.6 are no zips; anything else torch will complain of
    return f"it unpacks to {unpacked} bytes" if unpacked > len(data) else ""


def _reason(error: Exception) -> str:
    # Not torch's own words: they tell the reader to load the file unsafely.
    called = re.search(r"GLOBAL ([\w.]+)", str(error))
    if called:
        return f"it asks for {called[1]}, which is no tensor"
    return f"damaged, or not a state dict ({type(error).__name__})"
