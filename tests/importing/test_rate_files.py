"""RATE-Net's two files, built as the author's code nests its modules and not from our mapping; narrow, for speed.

The reference is written from what is known of the public code: flat sequences for the transfer branch, FUNIT's nesting
for the texture branch. Our network, filled by the documented keys, must make what it makes.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench import train_config
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines.rate_net import generator, released
from fhpt_bench.baselines.rate_net.model import RATENet, Shape
from fhpt_bench.importing import import_weights

WIDTHS, CODE, HIDDEN = (4, 8, 12, 16), 6, 10
STYLE = (4, 8, 12, 12, 12)


def nested(**parts: nn.Module) -> nn.Module:
    holder = nn.Module()
    for name, part in parts.items():
        setattr(holder, name, part)
    return holder


def block(kernel: int, stride: int, inputs: int, outputs: int) -> nn.Module:
    """State keys ``conv.weight`` and ``conv.bias``."""
    return nested(conv=nn.Conv2d(inputs, outputs, kernel, stride))


class Transfer(nn.Module):
    """``latest_net_G1.pth``."""

    def __init__(self) -> None:
        super().__init__()
        deepest = WIDTHS[-1]

        def encoder(inputs: int) -> nn.Sequential:
            layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, WIDTHS[0], 7), nn.InstanceNorm2d(WIDTHS[0]), nn.ReLU()]
            for a, b in pairwise(WIDTHS):
                layers += [nn.Conv2d(a, b, 3, 2, 1), nn.InstanceNorm2d(b), nn.ReLU()]
            return nn.Sequential(*layers)

        def path(inputs: int, *last: nn.Module) -> nn.Sequential:
            first = [nn.ReflectionPad2d(1), nn.Conv2d(inputs, inputs, 3), nn.InstanceNorm2d(inputs), nn.ReLU()]
            return nn.Sequential(
                *first, nn.Dropout(0.5), nn.ReflectionPad2d(1), nn.Conv2d(inputs, deepest, 3), *last
            )  # fmt: skip

        blocks = [
            nested(conv_block_stream1=path(deepest, nn.InstanceNorm2d(deepest)),
                   conv_block_stream2=path(deepest if n == 0 else 2 * deepest))
            for n in range(9)
        ]  # fmt: skip
        ups: list[nn.Module] = []
        for a, b in pairwise(WIDTHS[::-1]):
            up = nn.Upsample(scale_factor=2, mode="bilinear")
            ups += [up, nn.ReflectionPad2d(1), nn.Conv2d(a, b, 3), nn.InstanceNorm2d(b), nn.ReLU()]
        ups += [nn.ReflectionPad2d(3), nn.Conv2d(WIDTHS[0], 3, 7), nn.Tanh()]
        self.model = nested(
            stream1_down=encoder(3), stream2_down=encoder(36), att=nn.ModuleList(blocks), stream1_up=nn.Sequential(*ups)
        )

    def forward(self, image: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        x, pose = self.model.stream1_down(image), self.model.stream2_down(poses)
        for each in self.model.att:
            pose = each.conv_block_stream2(pose)
            x = x + torch.sigmoid(pose) * each.conv_block_stream1(x)
            pose = torch.cat([pose, x], 1)
        return x, self.model.stream1_up(x)


class Texture(nn.Module):
    """``latest_net_G2.pth``."""

    def __init__(self) -> None:
        super().__init__()
        deepest = WIDTHS[-1]

        def residuals() -> nn.Module:
            both = [nested(model=nn.Sequential(*(block(3, 1, deepest, deepest) for _ in range(2)))) for _ in range(2)]
            return nested(model=nn.Sequential(*both))

        encoders = [[block(7, 1, 3, w[0]), *(block(4, 2, a, b) for a, b in pairwise(w))] for w in (STYLE, WIDTHS)]
        style = nn.Sequential(*encoders[0], nn.AdaptiveAvgPool2d(1), nn.Conv2d(STYLE[-1], CODE, 1))
        decoder: list[nn.Module] = [residuals()]
        for a, b in pairwise(WIDTHS[::-1]):
            decoder += [nn.Upsample(scale_factor=2), block(5, 1, a, b)]
        decoder += [block(7, 1, WIDTHS[0], 3)]
        sizes = [CODE, HIDDEN, HIDDEN, 4 * 2 * deepest]
        self.enc_class_model = nested(model=style)
        self.enc_content = nested(model=nn.Sequential(*encoders[1], residuals()))
        self.dec = nested(model=nn.Sequential(*decoder))
        self.mlp = nested(model=nn.Sequential(*(nested(fc=nn.Linear(a, b)) for a, b in pairwise(sizes))))
        for norm in (f"{n}.model.{m}" for n in range(2) for m in range(2)):  # AdaIN's buffers, which stay 0 and 1
            holder = self.dec.model[0].model.get_submodule(norm)
            holder.norm = nn.Module()
            holder.norm.register_buffer("running_mean", torch.zeros(deepest))
            holder.norm.register_buffer("running_var", torch.ones(deepest))

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        def convolved(module: Any, x: Tensor, pad: int) -> Tensor:
            return module.conv(F.pad(x, (pad,) * 4, mode="reflect"))

        code = image
        for n, module in enumerate(self.enc_class_model.model[:5]):
            code = convolved(module, code, 3 if n == 0 else 1).relu()
        code = self.enc_class_model.model[5:](code).flatten(1)
        for n, module in enumerate(self.mlp.model):
            code = module.fc(code) if n == 2 else module.fc(code).relu()
        said = code.split(WIDTHS[-1], dim=1)  # mean and deviation of each AdaIN in turn
        x, residuals, *ups = features, *self.dec.model
        for n, residual in enumerate(residuals.model):
            first, second = residual.model
            inside = F.instance_norm(convolved(first, x, 1)) * said[4 * n + 1][..., None, None]
            inside = (inside + said[4 * n][..., None, None]).relu()
            inside = F.instance_norm(convolved(second, inside, 1)) * said[4 * n + 3][..., None, None]
            x = x + inside + said[4 * n + 2][..., None, None]
        for module in ups[:-1]:
            x = module(x) if isinstance(module, nn.Upsample) else F.instance_norm(convolved(module, x, 2)).relu()
        return convolved(ups[-1], x, 3).tanh()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Shape:
    """The documented network with few channels; everything else as released."""
    model = train_config.read(generator.folder, "released")["model"]
    model |= {"size": [64, 48], "widths": WIDTHS, "style": STYLE, "code": CODE, "hidden": HIDDEN}
    monkeypatch.setattr(released, "read", lambda folder, name: {"model": model})
    return Shape.model_validate(model)


def test_imported_weights_make_what_the_documented_network_makes(narrow: Shape, tmp_path: Path) -> None:
    torch.manual_seed(0)
    transfer, texture = Transfer().eval(), Texture().eval()
    files = [tmp_path / f"latest_net_{name}.pth" for name in ("G1", "G2")]
    for network, file in zip((transfer, texture), files, strict=True):
        torch.save(network.state_dict(), file)
    report = import_weights("rate", files, out=tmp_path / "rate.safetensors")
    assert report.fits, report.as_json()
    assert report.model == "rate-net-released"
    assert [sum(f.match.dropped.values()) for f in report.files if f.match] == [0, 8]

    from safetensors.torch import load_file

    ours = RATENet(narrow).eval()
    ours.load_state_dict(load_file(tmp_path / "rate.safetensors"))
    image, points = torch.rand(2, 3, 64, 48) * 2 - 1, torch.rand(2, 36, 2) * 48
    with torch.no_grad():
        features, coarse = transfer(image, heatmaps(points, (64, 48), 6.0, "pixel"))
        made = ours(image, points[:, :18], points[:, 18:])
        for a, b in zip(made, (coarse, coarse + texture(image, features)), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_file_with_other_keys_is_refused_with_all_of_them(narrow: Shape, tmp_path: Path) -> None:
    state = {f"module.{k}": v for k, v in Texture().state_dict().items()}
    torch.save(state, tmp_path / "G2.pth")
    report = import_weights("rate", [tmp_path / "G2.pth"], out=tmp_path / "rate.safetensors")
    assert not report.fits
    assert not (tmp_path / "rate.safetensors").exists()
    (entry,) = report.files
    assert entry.match is not None
    differing = {*entry.match.unknown, *entry.match.missing}
    assert {k for k in state if "running" not in k} <= differing
    assert {k.removeprefix("module.") for k in state if "running" not in k} <= differing
