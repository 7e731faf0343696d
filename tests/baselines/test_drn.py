"""DRN.

Sizes against the facts of the paper, the losses, the 1-1-3 cycle, and images that depend on their prompt alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.discriminators import Discriminator
from fhpt_bench.baselines._parts.fold import fold, unfold
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines._parts.pat import TransferBranch
from fhpt_bench.baselines._parts.vgg import VGG, gram, perceptual_loss, style_loss, unit_distance
from fhpt_bench.baselines.drn import training
from fhpt_bench.baselines.drn.generator import FOLDER, DRNGenerator
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks
from sweep import Optimisers


def settings(name: str, **losses: Any) -> dict[str, Any]:
    config = train_config.read(FOLDER, name)
    # No test here needs pretrained weights.
    random = {"network": "random", "taps": ["relu1_1", "relu2_1"], "style_taps": ["relu2_1"]}
    return {**config, "losses": {**config["losses"], **random, **losses}}


def shape(name: str) -> Shape:
    return train_config.parse(Shape, train_config.read(FOLDER, name), "model")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs(module: nn.Module, *inputs: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return counter.get_total_flops() / 2


def test_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        assert count(TransferBranch((64, 128, 256, 512), 9, 0.5, 7, 7)) == 165_233_603
        assert count(TransferBranch((64, 128, 256), 9, 0.5, 7, 7)) == 41_358_019
        assert count(Discriminator(6, (64, 128, 256), 3, 0.5, 7)) == 3_928_384
        assert count(Discriminator(21, (64, 128, 256), 3, 0.5, 7)) == 3_975_424
        paper = DRN(shape("paper"))
        assert count(paper.transfer) == 165_233_603
        assert paper.transfer(torch.empty(1, 3, 256, 176), torch.empty(1, 36, 256, 176))[0].shape == (1, 512, 32, 22)
        assert count(DRN(shape("paper+texture64dim"))) < count(paper)


def test_small_and_tiny_stay_within_their_limits() -> None:
    small = training.build(settings("small"))
    image, points = torch.zeros(1, 3, 256, 176), torch.zeros(1, 18, 2)
    assert count(small.network) <= 2_000_000
    assert macs(small.network, image, points, points) <= 4e9
    judges = macs(small.d_appearance, torch.zeros(1, 6, 256, 176)) + macs(small.d_shape, torch.zeros(1, 21, 256, 176))
    assert 0 < judges <= 0.5e9
    assert count(DRN(shape("tiny"))) < 200_000


def test_the_card_says_the_true_sizes() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    with torch.device("meta"):
        for name in ("paper", "small"):
            network = DRN(shape(name))
            image, points = torch.zeros(1, 3, 256, 176), torch.zeros(1, 18, 2)
            for true in (
                f"{count(network.transfer):,}",
                f"{count(network.detail):,}" if network.detail else "",
                f"{macs(network, image, points, points) / 1e9:.1f} G",
            ):
                assert true in card, (name, true)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_shapes(name: str) -> None:
    network = DRN(shape(name)).eval()
    height, width = network.shape.size
    points = torch.rand(2, 18, 2) * width
    coarse, final = network(torch.zeros(2, 3, height, width), points, points)
    assert coarse.shape == final.shape == (2, 3, height, width)
    assert not torch.equal(coarse, final)


def test_folded_network_is_the_same_on_small_images() -> None:
    """A half-size image and the same image in squares of four equal pixels give the same, at their sizes."""
    network = DRN(shape("tiny")).eval()
    assert network.shape.fold == 2
    image, points = torch.rand(2, 3, 32, 22) * 2 - 1, torch.rand(2, 2, 18, 2) * 20
    with torch.no_grad():
        small = network(image, *points)
        large = network(nn.functional.interpolate(image, scale_factor=2.0), *((points + 0.5) * 2 - 0.5))
    for a, b in zip(small, large, strict=True):
        torch.testing.assert_close(nn.functional.interpolate(a, scale_factor=2.0), b)
    folded = fold(torch.rand(1, 3, 64, 44), 2, 64)
    assert folded.shape == (1, 12, 32, 22)
    assert torch.equal(fold(unfold(folded, 2, 64, 64), 2, 64), folded)


def test_heatmaps() -> None:
    points = torch.tensor([[[3.0, 5.0], [torch.nan, torch.nan], [-2.0, 4.0], [8.4, 2.0]]])
    maps = heatmaps(points, (12, 9), 2.0)
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(9.0), indexing="ij")
    torch.testing.assert_close(maps[0, 0], torch.exp(-((x - 3) ** 2 + (y - 5) ** 2) / 8))
    assert maps[0, 1].eq(0).all(), "unknown"
    assert maps[0, 2].eq(0).all(), "outside the frame"
    assert maps[0, 3].max() > 0.9
    pixel = heatmaps(points, (12, 9), 2.0, "pixel")
    assert pixel.sum((2, 3)).tolist() == [[1, 0, 0, 1]]
    assert pixel[0, 0, 5, 3] == 1
    disk = heatmaps(points, (12, 9), 2.0, "disk")
    torch.testing.assert_close(disk[0, 0], (((x - 3) ** 2 + (y - 5) ** 2) <= 4).float())


def test_losses_by_hand() -> None:
    a, b = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    by_hand = sum(a[0, :, i, j].outer(a[0, :, i, j]) for i in range(4) for j in range(5)) / 20
    torch.testing.assert_close(gram(a)[0], by_hand)
    torch.testing.assert_close(perceptual_loss([a, a], [b, a]), (a - b).abs().mean() / 2)
    assert style_loss([a], [a.flip(3)]) < 1e-6, "a style does not know where things are"
    assert unit_distance([a], [3 * a]).max() < 1e-6
    torch.testing.assert_close(unit_distance([a], [-a]), torch.full((2,), 4.0))


def test_gradient_of_the_perceptual_loss_is_autograds() -> None:
    a, b = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randn(2, 3, 4, 5)
    (ours,) = torch.autograd.grad(3 * perceptual_loss([a, 2 * a], [b, b]), a)
    (theirs,) = torch.autograd.grad(3 * ((a - b).abs().mean() + (2 * a - b).abs().mean()) / 2, a)
    torch.testing.assert_close(ours, theirs)


def test_vgg_taps_are_those_of_the_whole_network() -> None:
    from torchvision.models import vgg16

    reference = vgg16(weights=None).features.eval()
    weights = {f"features.{k}": v for k, v in reference.state_dict().items()}
    image = torch.rand(1, 3, 32, 24)
    mean, std = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        ours = VGG("vgg16", weights, ("relu1_2", "relu3_1"))(image * 2 - 1)
        for tap, end in zip(ours, (4, 12), strict=True):
            torch.testing.assert_close(tap, reference[:end]((image - mean) / std), rtol=1e-4, atol=1e-5)
    with pytest.raises(BenchError, match="relu9_1"):
        VGG("vgg16", weights, ("relu9_1",))


def test_cycle_is_1_1_3_and_does_not_use_stale_weights() -> None:
    model, pairs = training.build(settings("tiny")), TrainingPairs(Sticks("train"))
    update, calls = Optimisers(model), []
    model.network.transfer.register_forward_hook(lambda *_: calls.append(len(update.log)))
    losses = model.step(pairs.drawn(range(4)), update, "cycle")
    assert update.log == [("transfer",), ("transfer", "detail"), ("judges",), ("judges",), ("judges",)]
    assert calls == [0, 1], "the transfer branch runs again after its own step"
    assert all(torch.isfinite(value) for value in losses.values())
    assert {"coarse_l1", "l1", "perceptual", "style", "gan", "judges"} <= losses.keys()


@pytest.mark.parametrize("kind", ["joint", "cycle"])
@pytest.mark.parametrize("ablation", ["", "+pb-only", "+texture64dim", "+end2end", "+coarse"])
def test_every_parameter_that_should_train_does(kind: str, ablation: str) -> None:
    model, pairs = training.build(settings("tiny" + ablation)), TrainingPairs(Sticks("train"))
    update = Optimisers(model)
    trained = {name for names in ([] if kind == "joint" else [("judges",)]) for name in names} | {"transfer", "detail"}
    if ablation == "+pb-only":
        trained = {"transfer"}
        assert model.network.detail is None
    before = {name: [p.clone() for g in o.param_groups for p in g["params"]] for name, o in update.optimizers.items()}
    model.step(pairs.drawn(range(4)), update, kind)
    for name, optimizer in update.optimizers.items():
        now = [p for group in optimizer.param_groups for p in group["params"]]
        changed = [not torch.equal(a, b) for a, b in zip(before[name], now, strict=True)]
        # Biases before an instance normalisation have no effect, so only most of the parameters need to move.
        assert (np.mean(changed) > 0.9) if name in trained else not any(changed), name


def test_pb_fixed_keeps_the_transfer_branch(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    first = training.build(settings("tiny"))
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, tmp_path / "model.safetensors")
    with pytest.raises(BenchError, match="stay fixed"):
        training.build(settings("tiny+pb-fixed"))
    model = training.build(
        settings("tiny+pb-fixed", transfer_weights=str(tmp_path / "model.safetensors"), train_transfer=False)
    )
    for kind in ("joint", "cycle"):
        update = Optimisers(model)
        model.step(TrainingPairs(Sticks("train")).drawn(range(4)), update, kind)
        assert not any("transfer" in names for names in update.log)
    for name, value in model.network.transfer.state_dict().items():
        assert torch.equal(value, first.network.transfer.state_dict()[name])


def test_learns_four_pairs_by_heart() -> None:
    torch.manual_seed(0)
    model, pairs = training.build(settings("tiny")), TrainingPairs(Sticks("train"))
    update, batch = Optimisers(model), pairs.batch(range(4))
    first = model.step(batch, update, "joint")["l1"]
    for _ in range(120):
        last = model.step(batch, update, "joint")["l1"]
    assert last < 0.2 * first


def prompts(n: int = 4) -> list[Prompt]:
    data = Sticks("test")
    return [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(n)]


@pytest.fixture
def tiny_weights(tmp_path: Path) -> tuple[Path, str]:
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    return path, shipped.save(DRN(shape("tiny")).state_dict(), path)


def test_an_image_depends_on_its_prompt_alone(tiny_weights: tuple[Path, str]) -> None:
    path, sha256 = tiny_weights
    generator = DRNGenerator(config="tiny", weights=path, sha256=sha256)
    together = generator.generate(prompts())
    assert all(image.shape == (64, 44, 3) and image.dtype == np.uint8 for image in together)
    for image, prompt in reversed(list(zip(together, prompts(), strict=True))):
        assert np.array_equal(image, generator.generate([prompt])[0])
    assert not np.array_equal(together[0], together[1])
    other = DRNGenerator(config="tiny", weights=path, sha256=sha256)
    assert np.array_equal(
        other.generate([Prompt("x", prompts()[0].source, prompts()[0].pose, seed=99)])[0], together[0]
    )


def test_weights_come_back_as_written(tiny_weights: tuple[Path, str], tmp_path: Path) -> None:
    path, sha256 = tiny_weights
    network = DRN(shape("tiny"))
    shipped.load(network, path, sha256)
    assert all(value.dtype == torch.float32 for value in network.state_dict().values())
    assert shipped.save(network.state_dict(), tmp_path / "again.safetensors") == sha256, (
        "fp16 values survive the round trip"
    )
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_export_of_a_snapshot(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = training.build(settings("tiny"))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "model.safetensors")
    sha256 = shipped.export(tmp_path, tmp_path / "shipped.safetensors")
    network = DRN(shape("tiny"))
    shipped.load(network, tmp_path / "shipped.safetensors", sha256)
    for name, value in network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name].half().float())
    with pytest.raises(BenchError, match="no snapshot"):
        shipped.export(tmp_path / "none", tmp_path / "x")


def test_bad_weights(tiny_weights: tuple[Path, str], tmp_path: Path) -> None:
    path, sha256 = tiny_weights
    with pytest.raises(BenchError, match="missing"):
        DRNGenerator(config="tiny", weights=tmp_path / "none", sha256=sha256)
    with pytest.raises(BenchError, match="not the ones"):
        DRNGenerator(config="tiny", weights=path, sha256="0" * 64)
    with pytest.raises(BenchError, match="another network"):
        DRNGenerator(config="small", weights=path, sha256=sha256)
    junk = tmp_path / "junk"
    junk.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BenchError, match="not a safetensors file"):
        shipped.fill(DRN(shape("tiny")), junk.read_bytes(), junk)
    data = Sticks("test")
    large = DRNGenerator(config="tiny", weights=path, sha256=sha256)
    large.settings["model"]["size"] = [256, 176]
    with pytest.raises(BenchError, match="256x176"):
        large.generate([Prompt("x", data[0].source, data[0].target.pose, seed=0)])


def test_configs() -> None:
    with pytest.raises(BenchError, match="did you mean small"):
        train_config.read(FOLDER, "smal")
    with pytest.raises(BenchError, match="ablation"):
        train_config.read(FOLDER, "small+end")
    with pytest.raises(BenchError, match="widths"):
        train_config.parse(Shape, {"model": {**train_config.read(FOLDER, "tiny")["model"], "widths": "wide"}}, "model")


@pytest.mark.parametrize(
    ("fold", "phase", "message"),
    [
        (2, {"kind": "joint", "scale": 0.3}, "scale 1 or 1 / 2"),
        (1, {"kind": "joint", "scale": 0.3}, "halved 1 times"),
        (1, {"kind": "rest"}, "joint and cycle"),
    ],
)
def test_phases_that_cannot_be(fold: int, phase: dict[str, Any], message: str) -> None:
    config = settings("tiny")
    config["model"]["fold"] = fold
    config["training"]["phases"] = [{"until": 1.0, **phase}]
    with pytest.raises(BenchError, match=message):
        training.build(config)
