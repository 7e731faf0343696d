"""PATN's published files, built from the documented key patterns and not from our mapping: no original is at hand.

The reference here is laid out as the patterns say (flat sequences, numbered), written from the facts about the public
code; our network with imported weights must make what it makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fhpt_bench import api, registry
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.importing import Report, import_weights, imported

sys.path.insert(0, str(Path(__file__).parents[1]))
import mini_market

PROTOCOL = """
name = "mini-v1"
title = "Pixels"
frozen = false
data = "market1501"
size = [128, 64]
headline = ["psnr"]
[[metrics]]
use = "psnr"
name = "psnr"
"""


class Documented(nn.Module):
    """State keys ``model.stream1_down.1.weight`` and so on."""

    def __init__(self, *, market: bool, blocks: int = 9) -> None:
        super().__init__()
        bias = not market

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm2d(channels) if market else nn.InstanceNorm2d(channels)

        def encoder(inputs: int) -> nn.Sequential:
            first = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, 64, 7, bias=bias), norm(64), nn.ReLU()]
            second = [nn.Conv2d(64, 128, 3, 2, 1, bias=bias), norm(128), nn.ReLU()]
            return nn.Sequential(*first, *second, nn.Conv2d(128, 256, 3, 2, 1, bias=bias), norm(256), nn.ReLU())

        def path(inputs: int, middle: int, *last: nn.Module) -> nn.Sequential:
            first = [nn.ReflectionPad2d(1), nn.Conv2d(inputs, middle, 3, bias=bias), norm(middle), nn.ReLU()]
            second = [nn.Dropout(0.5), nn.ReflectionPad2d(1), nn.Conv2d(middle, 256, 3, bias=bias)]
            return nn.Sequential(*first, *second, *last)

        self.model = nn.Module()
        self.model.stream1_down, self.model.stream2_down = encoder(3), encoder(36)
        self.model.att = nn.ModuleList()
        for index in range(blocks):
            block, pose = nn.Module(), 256 if index == 0 else 512
            block.conv_block_stream1, block.conv_block_stream2 = path(256, 256, norm(256)), path(pose, pose)
            self.model.att.append(block)
        ups = [
            layer for a, b in ((256, 128), (128, 64))
            for layer in (nn.ConvTranspose2d(a, b, 3, 2, 1, 1, bias=bias), norm(b), nn.ReLU())
        ]  # fmt: skip
        self.model.stream1_up = nn.Sequential(*ups, nn.ReflectionPad2d(3), nn.Conv2d(64, 3, 7), nn.Tanh())

    def forward(self, image: Tensor, poses: Tensor) -> Tensor:
        x1, x2 = self.model.stream1_down(image), self.model.stream2_down(poses)
        for block in self.model.att:
            x2 = block.conv_block_stream2(x2)
            x1 = x1 + torch.sigmoid(x2) * block.conv_block_stream1(x1)
            x2 = torch.cat([x2, x1], 1)
        return self.model.stream1_up(x1)


def documented(*, market: bool, blocks: int = 9) -> Documented:
    with torch.device("meta"):
        network = Documented(market=market, blocks=blocks).eval()
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    for name, value in network.state_dict().items():
        if "tracked" in name:
            value.zero_()
        elif "running_var" in name or (market and value.ndim == 1 and name.endswith("weight")):
            value.uniform_(0.5, 1.5)
        else:
            value.normal_(0, 0.02 if value.ndim == 4 else 0.1)
    return network


@pytest.fixture(scope="module", params=["fashion", "market"])
def imports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Documented, Report]:
    """The documented network, and the report of importing its file."""
    market, folder = request.param == "market", tmp_path_factory.mktemp(request.param)
    theirs = documented(market=market)
    state = {k: v for k, v in theirs.state_dict().items() if "tracked" not in k}
    assert len(state) == (221 - 35 if market else 90)
    if not market:  # as files of torch 0.3 do
        state |= {f"model.stream1_down.{n}.running_{s}": torch.zeros(64) for n in (2, 5, 8) for s in ("mean", "var")}
    torch.save(state, folder / "latest_net_netG.pth", _use_new_zipfile_serialization=False)
    return theirs, import_weights("patn", [folder / "latest_net_netG.pth"], out=folder / "patn.safetensors")


def test_imported_weights_make_what_the_documented_network_makes(imports: tuple[Documented, Report]) -> None:
    theirs, report = imports
    market = report.model == "patn-released-market"
    assert report.fits and (market or report.model == "patn-released")
    (found,) = (file.match for file in report.files)
    assert (sum(found.dropped.values()), found.filled) == ((0, 35) if market else (6, 0))
    config = imported.about(report.out).config
    ours = registry.find("generators", "patn")(config=config, weights=report.out, sha256=report.sha256)
    assert ours.card["parameters"] == (41_365_763 if market else 41_358_019)
    # A small image: the network is convolutional. Sigma shrinks with it, and one pixel stays one pixel.
    image, points = torch.rand(1, 3, 32, 24) * 2 - 1, torch.rand(2, 1, 18, 2) * 20
    sigma = 6 * 32 / ours.net.shape.size[0]
    poses = heatmaps(torch.cat([*points], 1), (32, 24), sigma, "gaussian" if market else "pixel")
    with torch.no_grad():
        expected, made = theirs(image, poses), ours.net(image, *points)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
    assert made.std() > 0.01


@pytest.mark.parametrize("imports", ["market"], indirect=True)  # DeepFashion's takes long, and is the same way
def test_imported_weights_run_on_market(imports: tuple[Documented, Report], tmp_path: Path) -> None:
    _, report = imports
    data = mini_market.prepared(tmp_path)
    (tmp_path / "p.toml").write_text(PROTOCOL)
    record = api.run(
        str(report.out), protocol=tmp_path / "p.toml", data=str(data), limit=1, out=tmp_path / "run", device="cpu"
    )
    assert record.model.name == "patn-released-market" and record.model.card["config"] == "released-market"
    assert record.score("psnr").pairs == 1 and np.isfinite(record.score("psnr").value)


def test_the_model_of_six_blocks_is_told_apart(tmp_path: Path) -> None:
    torch.save(documented(market=True, blocks=6).state_dict(), tmp_path / "700_net_netG.pth")
    report = import_weights("patn", [tmp_path / "700_net_netG.pth"])
    assert not report.fits and report.out is None
    assert (
        "6 blocks with batch normalisation" in report.files[0].known_as and "700_net_netG" in report.files[0].known_as
    )
    missing = report.files[0].match.missing
    assert report.model == "patn-released-market" and {key.split(".")[2] for key in missing} == {"6", "7", "8"}
