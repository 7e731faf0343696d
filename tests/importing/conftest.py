"""A made-up baseline whose published model comes in two files, so that tests of importing need no large network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from fhpt_bench import baselines

MODEL = """
from torch import nn


class Pieces(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.again = self.body[0]  # one layer under two names
        self.head = nn.Conv2d(channels, 3, 1)

    def forward(self, x):
        return self.head(self.body(x)).tanh()
"""
PACKAGE = """
from pathlib import Path
from fhpt_bench.baselines._parts.generating import ShippedGenerator
from fhpt_bench.baselines.pieces.model import Pieces


class Generator(ShippedGenerator):
    folder = Path(__file__).resolve().parent

    def network(self, settings):
        return Pieces(settings["model"]["channels"])

    def make(self, inputs):
        return self.net(inputs.source)


generator = Generator
"""
RELEASED = """
from fhpt_bench.baselines.pieces.model import Pieces
from fhpt_bench.importing.mapping import Part, Released, by_prefix

BODY = ["body.0.weight", "body.0.bias", "again.weight", "again.bias"]
NORM = [f"body.1.{kind}" for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]
PREFIXES = {"body.0.": "module.conv.", "again.": "module.conv.", "body.1.": "module.bn."}


def released_keys():
    g = Part("netG", by_prefix(BODY + NORM, PREFIXES), {r"^module\\.noise": "noise that nothing reads"})
    h = Part("netH", {"head.weight": "w", "head.bias": "b"}, under="net")
    sizes = {4: "four", 8: "eight"}
    return tuple(Released(f"pieces-{n}", config, lambda n=n: Pieces(n), (g, h)) for n, config in sizes.items())


def other_model(shapes):
    return "the old one" if "old" in shapes else ""
"""
CONFIG = """
[four.model]
size = [64, 48]
channels = 4
[eight.model]
size = [64, 48]
channels = 8
[shipped]
name = "pieces"
paper = "none"
config = "four"
weights = "none.safetensors"
weights_sha256 = ""
samples = 5
"""


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the baseline ``pieces``."""
    folder = tmp_path / "baselines" / "pieces"
    folder.mkdir(parents=True)
    for name, text in (
        ("model.py", MODEL), ("__init__.py", PACKAGE), ("released.py", RELEASED), ("config.toml", CONFIG),
    ):  # fmt: skip
        (folder / name).write_text(text)
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__, str(folder.parent)])
    monkeypatch.chdir(tmp_path)
    yield folder
    for module in [name for name in sys.modules if name.startswith("fhpt_bench.baselines.pieces")]:
        del sys.modules[module]


@pytest.fixture
def published() -> dict[str, dict[str, torch.Tensor]]:
    """The two files of the model of 4 channels, as its authors would have written them."""
    torch.manual_seed(0)
    g = {
        "module.conv.weight": torch.randn(4, 3, 3, 3), "module.conv.bias": torch.randn(4),
        "module.bn.weight": torch.rand(4), "module.bn.bias": torch.randn(4),
        "module.bn.running_mean": torch.randn(4), "module.bn.running_var": torch.rand(4),
        "module.noise.0": torch.randn(2),
    }  # fmt: skip
    return {"G.pth": g, "H.pth": {"w": torch.randn(3, 4, 1, 1), "b": torch.randn(3)}}


@pytest.fixture
def files(tmp_path: Path, published: dict[str, dict[str, torch.Tensor]]) -> Callable[..., list[Path]]:
    """Writes both files; ``legacy``: in the form of torch before 1.6."""

    def write(*, legacy: bool = False) -> list[Path]:
        for name, content in published.items():
            whole = {"net": content, "epoch": 3} if name == "H.pth" else content
            torch.save(whole, tmp_path / name, _use_new_zipfile_serialization=not legacy)
        return [tmp_path / name for name in published]

    return write
