"""PATN: sizes against the facts of the paper, both discriminators, the image pool, the two forms of its losses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks
from sweep import Optimisers

import fhpt_bench.baselines.patn as package
from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.content import Content
from fhpt_bench.baselines._parts.heatmaps import heatmaps
from fhpt_bench.baselines.patn import training
from fhpt_bench.baselines.patn.generator import PATNGenerator
from fhpt_bench.baselines.patn.model import PATN, Shape
from fhpt_bench.baselines.patn.pool import ImagePool
from fhpt_bench.errors import BenchError
from fhpt_bench.train import train
from fhpt_bench.types import Prompt

FOLDER = PATNGenerator.folder


def settings(name: str) -> dict[str, Any]:
    """Without networks that would have to be downloaded."""
    config = train_config.read(FOLDER, name)
    random = {"network": "random", "taps": ["relu1_1", "relu2_1"], "style_taps": []}
    return {**config, "losses": {**config["losses"], **random}}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def a_batch(size: tuple[int, int], n: int = 2) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(0)
    images = torch.rand(2, n, 3, *size, generator=made) * 2 - 1
    points = torch.rand(2, n, 18, 2, generator=made) * size[1]
    return {"source": images[0], "target": images[1], "source_points": points[0], "target_points": points[1]}


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks without numbers, and without the pretrained one, whose numbers are read or drawn."""
    monkeypatch.setattr(training, "ContentLoss", lambda table: None)
    with torch.device("meta"):
        yield


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize(
    ("config", "generator", "d_shape", "d_appearance"),
    [("paper", 41_358_019, 3_975_424, 3_928_384), ("paper-market", 41_365_763, 3_977_408, 3_930_368)],
)
def test_sizes_of_the_paper(config: str, generator: int, d_shape: int, d_appearance: int) -> None:
    model = training.build(settings(config))
    assert count(model.network) == generator
    assert (count(model.d_shape), count(model.d_appearance)) == (d_shape, d_appearance)
    height, width = model.network.shape.size
    poses = torch.empty(2, 36, height, width)
    features, image = model.network.transfer(torch.empty(2, 3, height, width), poses)
    assert features.shape == (2, 256, height // 4, width // 4)
    assert image.shape == (2, 3, height, width)
    assert model.d_shape(torch.empty(2, 21, height, width)).shape == features.shape
    assert len(model.network.transfer.blocks) == 9


def test_published_hyper_parameters() -> None:
    table = {name: train_config.read(FOLDER, name) for name in ("paper", "paper-market")}
    weights = {n: [t["losses"][k] for k in ("gan", "l1", "perceptual")] for n, t in table.items()}
    assert weights == {"paper": [5, 1, 1], "paper-market": [5, 10, 10]}
    assert [t["training"]["batch"] for t in table.values()] == [7, 32]
    assert [t["judges"].get("pool", 0) for t in table.values()] == [0, 50]
    assert all(t["losses"]["taps"] == ["relu1_2"] and t["losses"]["network"] == "vgg19" for t in table.values())
    recipe = train_config.parse(train_config.Recipe, table["paper"], "training")
    assert recipe.samples == 700 * 4000
    assert recipe.rate(500 / 700) == pytest.approx(2e-4) and recipe.rate(600 / 700) == pytest.approx(1e-4)


@pytest.mark.usefixtures("meta")
def test_small_stays_within_its_limits_and_the_card_says_so() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    model, image, points = training.build(settings("small")), torch.zeros(1, 3, 256, 176), torch.zeros(1, 18, 2)
    assert count(model.network) <= 1_200_000
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(image, points, points)
    macs = counter.get_total_flops() / 2e9
    assert macs <= 1.0
    for true in (
        f"{count(model.network):,}", f"{macs:.2f} G", f"{count(model.d_shape):,}", f"{count(model.d_appearance):,}",
        "41,358,019", "41,365,763", "3,975,424", "3,928,384", "3,977,408", "3,930,368",
    ):  # fmt: skip
        assert true in card, true


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("over", ["pixel", "disk", "5-blocks", "13-blocks", "pool", "batch-norm", "cross-entropy"])
@pytest.mark.parametrize("config", ["paper", "small"])
def test_ablations_build(config: str, over: str) -> None:
    model = training.build(settings(f"{config}+{over}"))
    changed = {
        "pixel": model.network.shape.heatmap == "pixel", "disk": model.network.shape.heatmap == "disk",
        "5-blocks": len(model.network.transfer.blocks) == 5, "13-blocks": len(model.network.transfer.blocks) == 13,
        "pool": len(model.pools[0].images) == 50, "cross-entropy": model.losses.form == "cross-entropy",
        "batch-norm": any(isinstance(m, nn.BatchNorm2d) for m in model.d_shape.modules()),
    }  # fmt: skip
    assert changed[over] and sum(changed.values()) == 1


def test_released_mode_has_the_maps_that_the_weights_were_trained_on() -> None:
    shape = train_config.parse(Shape, train_config.read(FOLDER, "released"), "model")
    assert (shape.mode, shape.heatmap) == ("released", "pixel")
    shape = train_config.parse(Shape, train_config.read(FOLDER, "released-market"), "model")
    assert (shape.mode, shape.heatmap, shape.size) == ("released", "gaussian", (128, 64))
    with pytest.raises(BenchError, match="need heatmap = 'pixel'"):
        train_config.parse(Shape, train_config.read(FOLDER, "released+disk"), "model")


def test_heatmaps_decide_the_image() -> None:
    batch, images = a_batch((64, 44)), []
    for over in ("", "+pixel", "+disk"):
        torch.manual_seed(0)
        network = PATN(train_config.parse(Shape, train_config.read(FOLDER, f"tiny{over}"), "model")).eval()
        with torch.no_grad():
            images.append(network(batch["source"], batch["source_points"], batch["target_points"]))
    assert all(not torch.equal(images[a], images[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_one_adversarial_step_by_hand() -> None:
    """The losses of the log are those of Eq. 7 for the network before the step."""
    config = settings("tiny")
    config["model"]["dropout"] = config["judges"]["dropout"] = 0.0
    model, batch = training.build(config), a_batch((64, 44))
    with torch.no_grad():
        made = model.network(batch["source"], batch["source_points"], batch["target_points"])
        pose = model._target_pose(batch)
        a, s = model.d_appearance(torch.cat([made, batch["source"]], 1)), model.d_shape(torch.cat([made, pose], 1))
        fooled = ((a - 1).square().mean() + (s - 1).square().mean()) / 2
        ta = model.d_appearance(torch.cat([batch["target"], batch["source"]], 1))
        ts = model.d_shape(torch.cat([batch["target"], pose], 1))
        judged = ((ta - 1).square().mean() + (ts - 1).square().mean() + a.square().mean() + s.square().mean()) / 4
    update = Optimisers(model)
    log = model.step(batch, update, "adversarial")
    assert update.log == [("generator",), ("judges",)]
    torch.testing.assert_close(log["gan"], fooled)
    torch.testing.assert_close(log["judges"], judged)
    torch.testing.assert_close(log["l1"], (made - batch["target"]).abs().mean())


def test_steps_move_what_they_name() -> None:
    model, batch = training.build(settings("tiny+pool")), a_batch((64, 44))
    update = Optimisers(model)
    for kind, moved in (("content", {"generator"}), ("adversarial", {"generator", "judges"})):
        before = {n: [p.clone() for g in o.param_groups for p in g["params"]] for n, o in update.optimizers.items()}
        model.step(batch, update, kind)
        for name, optimizer in update.optimizers.items():
            now = [p for group in optimizer.param_groups for p in group["params"]]
            changed = np.mean([not torch.equal(a, b) for a, b in zip(before[name], now, strict=True)])
            # Biases before an instance normalisation have no effect.
            assert changed > 0.9 if name in moved else changed == 0, (kind, name)


def test_cross_entropy_is_of_the_sigmoid() -> None:
    verdict = torch.randn(2, 3, 4, 4)
    for real in (True, False):
        expected = nn.functional.binary_cross_entropy(verdict.sigmoid(), torch.full_like(verdict, float(real)))
        torch.testing.assert_close(training.VERDICTS["cross-entropy"](verdict, real=real), expected)


def test_paper_losses_are_l1_and_features_alone() -> None:
    losses = train_config.parse(training.Losses, train_config.read(FOLDER, "paper"), "losses")
    assert isinstance(losses, Content) and losses.style == 0 and losses.taps == ("relu1_2",)


def test_pool_gives_back_older_images() -> None:
    pool = ImagePool(3, (1, 1, 1))
    torch.manual_seed(0)
    first = torch.arange(3.0).view(3, 1, 1, 1)
    assert torch.equal(pool.exchange(first), first), "until it is full, each image is judged at once"
    given = [float(pool.exchange(torch.full((1, 1, 1, 1), float(n)))) for n in range(3, 2003)]
    older = np.mean([value != n for n, value in enumerate(given, 3)])
    assert 0.45 < older < 0.55
    # Nothing is lost or made twice: what was given back and what is kept are all that came.
    assert sorted(given + pool.images.flatten().tolist()) == list(map(float, range(2003)))
    assert torch.equal(ImagePool(0, (1, 1, 1)).exchange(first), first)


def test_pool_survives_a_snapshot() -> None:
    model, batch = training.build(settings("tiny+pool")), a_batch((64, 44), 4)
    model.step(batch, Optimisers(model), "adversarial")
    again = training.build(settings("tiny+pool"))
    again.load_state_dict({k: v.clone() for k, v in model.state_dict().items()})
    assert [int(pool.filled) for pool in again.pools] == [4, 4]
    for a, b in zip(model.pools, again.pools, strict=True):
        b.filled.fill_(50), a.filled.fill_(50)
        results = []
        for pool in (a, b):
            torch.manual_seed(1)
            results.append(pool.exchange(torch.ones_like(pool.images[:8])))
        assert torch.equal(*results) and torch.equal(a.images, b.images)
    assert not [name for name in training.build(settings("tiny")).network.state_dict() if "pool" in name]


def test_pool_and_half_size_images_do_not_go_together() -> None:
    config = settings("tiny+pool")
    config["training"]["phases"] = [{"until": 1.0, "kind": "adversarial", "scale": 0.5}]
    with pytest.raises(BenchError, match="full size"):
        training.build(config)


def test_masks_are_the_pose_streams_sigmoid(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = train_config.parse(Shape, train_config.read(FOLDER, "tiny"), "model")
    sha256 = shipped.save(PATN(shape).state_dict(), tmp_path / "w.safetensors")
    generator = PATNGenerator(config="tiny", weights=tmp_path / "w.safetensors", sha256=sha256)
    data = Sticks("test")
    prompts = [Prompt(data[i].id, data[i].source, data[i].target.pose, 0) for i in range(2)]
    shown = generator.inspect(prompts)
    assert list(shown) == ["mask 1", "mask 2", "image"]
    assert all(np.array_equal(*pair) for pair in zip(shown["image"], generator.generate(prompts), strict=True))
    means = []
    for given in map(generator.inputs, prompts):  # by the layers of the figure, folded by hand
        transfer, points = generator.net.transfer, torch.cat([given.source_points, given.target_points], 1)
        poses = heatmaps((points + 0.5) / 2 - 0.5, (32, 22), shape.sigma / 2)
        with torch.no_grad():
            means.append(transfer.blocks[0].pose(transfer.pose_down(poses)).sigmoid().mean(1)[0])
    low, high = torch.stack(means).min(), torch.stack(means).max()
    for image, mean in zip(shown["mask 1"], means, strict=True):
        expected = ((mean - low) / (high - low) * 255).repeat_interleave(4, 0).repeat_interleave(4, 1)
        assert image.shape == (64, 44, 3)
        assert np.abs(image.astype(float) - expected[:, :, None].numpy()).max() <= 0.51


def test_training_with_a_pool_resumes_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_pool(config: dict[str, Any]) -> training.PATNTraining:
        return training.build({**config, "judges": {**config["judges"], "pool": 4}})

    monkeypatch.setattr(package, "build", with_pool)
    data = f"{Path(__file__).parents[1] / 'stick_figures.py'}:Sticks"
    options = {"config": "tiny", "data": data, "samples": 32, "device": "cpu", "snapshot_minutes": 0.0}
    whole = train("patn", out=tmp_path / "whole", **options)
    step, calls = training.PATNTraining.step, []

    def killed(self: Any, *given: Any) -> Any:
        calls.append(1)
        if len(calls) == 7:  # of 8; the discriminators take part from the 5th on
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(training.PATNTraining, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        train("patn", out=tmp_path / "parts", **options)
    train("patn", out=tmp_path / "parts", **options)
    ours, theirs = (
        load_file(tmp_path / run / "snapshots" / "000000032" / "model.safetensors") for run in ("whole", "parts")
    )
    assert whole.parent == tmp_path / "whole" / "snapshots" and len(calls) == 9
    assert ours["pools.0.filled"] == 4 and ours["pools.0.images"].abs().sum() > 0
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
