"""RATE-Net: the sizes of the paper part by part, AdaIN and style encoder against plain torch, the losses of a cycle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from fhpt_bench import registry, train_config
from fhpt_bench.baselines import rate_net
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.cycle import CycleTraining
from fhpt_bench.baselines._parts.discriminators import Discriminator, Judges
from fhpt_bench.baselines.rate_net.model import AdaINResidual, RATENet, Shape, StyleEncoder
from fhpt_bench.baselines.rate_net.released import released_keys
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Recipe
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks
from sweep import Optimisers

FOLDER = rate_net.generator.folder


def shape(name: str) -> Shape:
    return train_config.parse(Shape, train_config.read(FOLDER, name), "model")


def trainable(name: str, **more: Any) -> CycleTraining:
    torch.manual_seed(0)
    return rate_net.build({**train_config.read(FOLDER, name), **more})


def count(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


def macs(network: RATENet) -> float:
    image, points = torch.zeros(1, 3, *network.shape.size), torch.zeros(1, 18, 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image, points, points)
    return counter.get_total_flops() / 2


def test_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        network = RATENet(shape("paper"))
        texture = network.detail
        assert count(network.transfer) == 165_233_603
        assert count(texture.style) == 2_795_776
        assert count(texture.mlp) == 1_151_488
        assert count(texture.decoder) == 13_749_891
        assert count(texture) == 2_795_776 + 1_151_488 + 13_749_891 == 17_697_155
        # What the published total holds besides: the content encoder that F_t stands in for.
        released = RATENet(shape("released")).detail
        assert count(released.content) == 12_202_112
        assert count(released) == 29_899_267
        assert count(RATENet(shape("released+texture64dim")).detail) == 29_866_435
        judges = train_config.parse(Judges, train_config.read(FOLDER, "paper"), "judges")
        for inputs, size in ((6, 3_928_384), (21, 3_975_424)):
            made = Discriminator(inputs, judges.widths, judges.blocks, judges.dropout, judges.stem)
            assert count(made) == size
        image, points = torch.empty(1, 3, 256, 176), torch.empty(1, 18, 2)
        features, coarse = network.coarse(image, points, points)
        assert features.shape == (1, 512, 32, 22)
        assert texture.mlp(texture.style(image)).shape == (1, 4 * 2 * 512)  # four AdaIN layers
        assert network.finish(image, features, coarse).shape == (1, 3, 256, 176)


def test_schedule_of_the_paper() -> None:
    recipe = train_config.parse(Recipe, train_config.read(FOLDER, "paper"), "training")
    assert recipe.samples / recipe.batch == 40_000
    cycles = [0, 10_000, 25_000, 40_000]
    assert [recipe.rate(cycle / 40_000) for cycle in cycles] == pytest.approx([1e-4, 1e-4, 5e-5, 0])
    optimizer = recipe.optimizer_of(nn.Linear(1, 1))
    assert isinstance(optimizer, torch.optim.RAdam)
    assert optimizer.defaults["betas"] == (0.5, 0.999)
    assert optimizer.defaults["weight_decay"] == 1e-5


def test_small_stays_within_its_limits_and_the_card_says_the_true_sizes() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    assert count(RATENet(shape("small"))) <= 1_200_000
    with torch.device("meta"):
        for name in ("paper", "small"):
            network = RATENet(shape(name))
            texture = network.detail
            for part in (network.transfer, texture, texture.style, texture.mlp, texture.decoder):
                assert f"{count(part):,}" in card, name
            assert f"{macs(network) / 1e9:.1f} G" in card, name


def test_adain_is_batch_norm_over_each_image_alone() -> None:
    """The trick of other implementations: all images side by side as channels of one, normalised as a batch."""
    block, x, statistics = AdaINResidual(3), torch.randn(2, 3, 6, 5), torch.randn(2, 2, 2, 3)
    (w1, b1), (w2, b2) = (normalisation.unbind(1) for normalisation in statistics.unbind(1))

    def normalised(y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        flat = y.reshape(1, 6, 6, 5)
        return F.batch_norm(flat, None, None, weight.reshape(-1), bias.reshape(-1), True).reshape(y.shape)

    def convolved(conv: nn.Conv2d, y: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.pad(y, (1,) * 4, mode="reflect"), conv.weight, conv.bias)

    inside = normalised(convolved(block.first, x), w1, b1).relu()
    torch.testing.assert_close(block(x, statistics), x + normalised(convolved(block.second, inside), w2, b2))


def test_style_code_is_the_average_of_strided_convolutions() -> None:
    encoder, image = StyleEncoder(3, (4, 5), 7, 2), torch.randn(2, 3, 8, 10)
    first, second = (layer[1] for layer in encoder.convolutions)
    by_hand = F.conv2d(F.pad(image, (3,) * 4, mode="reflect"), first.weight, first.bias).relu()
    by_hand = F.conv2d(F.pad(by_hand, (1,) * 4, mode="reflect"), second.weight, second.bias, stride=2).relu()
    assert by_hand.shape[2:] == (4, 5)
    by_hand = by_hand.mean((2, 3)) @ encoder.code.weight[:, :, 0, 0].T + encoder.code.bias
    torch.testing.assert_close(encoder(image), by_hand)


def test_final_is_coarse_and_texture_of_the_source() -> None:
    """I_t = I_c + R_t; the style code comes from the source photograph alone, and moves R_t."""
    network, points = RATENet(shape("tiny")).eval(), torch.rand(2, 18, 2) * 40
    source, other = torch.rand(2, 2, 3, 64, 44) * 2 - 1
    with torch.no_grad():
        features, coarse = network.coarse(source, points, points.flip(0))
        final, foreign = (network.finish(image, features, coarse) for image in (source, other))
    assert not torch.allclose(final, foreign, atol=1e-3)
    assert (final - coarse).abs().max() <= 1 + 1e-5, "a tanh"
    assert torch.equal(network(source, points, points.flip(0))[1], final)


def test_folded_network_is_the_same_on_small_images() -> None:
    network = RATENet(shape("tiny")).eval()
    image, points = torch.rand(2, 3, 32, 22) * 2 - 1, torch.rand(2, 2, 18, 2) * 20
    with torch.no_grad():
        small = network(image, *points)
        large = network(F.interpolate(image, scale_factor=2.0), *((points + 0.5) * 2 - 0.5))
    for a, b in zip(small, large, strict=True):
        torch.testing.assert_close(F.interpolate(a, scale_factor=2.0), b)


def test_texture_does_not_start_dead() -> None:
    """With PATN's N(0, 0.02) the code of five layers without normalisation would vanish, alike for everybody."""
    for seed in range(3):
        torch.manual_seed(seed)
        texture = RATENet(shape("small")).detail
        people = torch.rand(8, 12, 1, 1).expand(8, 12, 64, 44) * 2 - 1
        with torch.no_grad():
            code = texture.style(people)
            assert code.std(0).mean() > 0.1
            assert texture.statistics(code).std(0).mean() > 0.01


def test_a_cycle_minimises_the_papers_losses() -> None:
    model, batch = trainable("tiny").train(), TrainingPairs(Sticks("train")).drawn(range(4))
    assert (model.losses.l1, model.losses.perceptual, model.losses.style, model.losses.gan) == (10, 5, 0, 5)
    update = Optimisers(model)
    log = model.step(batch, update, "cycle")
    assert update.log == [("transfer",), ("transfer", "detail"), ("judges",), ("judges",), ("judges",)]
    assert update.losses[0] == pytest.approx(float(10 * log["coarse_l1"] + 5 * log["coarse_perceptual"]), rel=1e-5)
    assert update.losses[1] == pytest.approx(float(10 * log["l1"] + 5 * log["perceptual"] + 5 * log["gan"]), rel=1e-5)
    assert "style" not in log


@pytest.mark.parametrize(
    ("ablation", "names"),
    [
        ("pb-only", [("transfer",)]),
        ("end2end", [("transfer", "detail"), ("judges",), ("judges",), ("judges",)]),
        ("texture64dim", [("transfer",), ("transfer", "detail"), ("judges",), ("judges",), ("judges",)]),
    ],
)
def test_ablations(ablation: str, names: list[tuple[str, ...]]) -> None:
    model = trainable(f"tiny+{ablation}").train()
    update = Optimisers(model)
    model.step(TrainingPairs(Sticks("train")).drawn(range(4)), update, "cycle")
    assert update.log == names
    assert (model.network.detail is None) == (ablation == "pb-only")
    if ablation == "texture64dim":
        assert model.network.detail.style.code.out_channels == 64


def tiny_released() -> CycleTraining:
    model = train_config.read(FOLDER, "tiny")["model"]
    return trainable("tiny", model={**model, "mode": "released"})


def test_released_is_paper_but_for_the_perceptrons_order() -> None:
    """Theirs: bias, then weight, for each normalisation in turn; so a permuted last layer gives the same images."""
    theirs, ours = tiny_released().network.eval(), trainable("tiny").network.eval()
    state = {k: v.clone() for k, v in theirs.state_dict().items() if not k.startswith("detail.content.")}
    last, channels = "detail.mlp.4.", 16
    for key in ("weight", "bias"):
        moved = state[last + key].reshape(2, 2, 2, channels, *state[last + key].shape[1:]).flip(2)
        if key == "bias":
            moved[:, :, 0] -= 1
        state[last + key] = moved.reshape(state[last + key].shape)
    ours.load_state_dict(state)
    batch = TrainingPairs(Sticks("train")).drawn(range(4))
    given = batch["source"], batch["source_points"], batch["target_points"]
    with torch.no_grad():
        for a, b in zip(theirs(*given), ours(*given), strict=True):
            torch.testing.assert_close(a, b)


def test_the_content_encoder_of_released_is_not_trained() -> None:
    model = tiny_released().train()
    content = model.network.detail.content
    before = [parameter.clone() for parameter in content.parameters()]
    model.step(TrainingPairs(Sticks("train")).drawn(range(4)), Optimisers(model), "cycle")
    assert all(torch.equal(a, b) for a, b in zip(before, content.parameters(), strict=True))


def test_released_keys_are_those_of_the_authors_modules() -> None:
    """Counted on the modules as the author's code nests them; the sweep over all importers does the rest."""
    (entry,) = released_keys()
    assert [part.name for part in entry.parts] == ["G1", "G2"]
    theirs = [set(part.keys.values()) for part in entry.parts]
    # Two encoders of four convolutions, nine blocks of four, four to decode; each with a bias.
    assert len(theirs[0]) == 2 * (2 * 4 + 9 * 4 + 4)
    # Style encoder 6, content encoder 4 + 4, perceptron 3, decoder 4 + 3 + 1.
    assert len(theirs[1]) == 2 * (6 + 8 + 3 + 8)
    for key in ("model.stream1_down.10.weight", "model.att.8.conv_block_stream2.6.bias", "model.stream1_up.12.weight"):
        assert key in theirs[0]
    for key in ("dec.model.0.model.1.model.0.conv.weight", "enc_content.model.4.model.1.model.1.conv.bias"):
        assert key in theirs[1]
    with torch.device("meta"):
        ours = entry.network().state_dict()
    assert sorted(key for part in entry.parts for key in part.keys) == sorted(ours)
    shapes = {their: tuple(ours[our].shape) for part in entry.parts for our, their in part.keys.items()}
    assert shapes["mlp.model.2.fc.weight"] == (4096, 256)
    assert shapes["dec.model.2.conv.weight"] == (256, 512, 5, 5)
    assert shapes["model.att.0.conv_block_stream2.1.weight"] == (512, 512, 3, 3)
    assert shapes["model.stream1_up.16.weight"] == (3, 64, 7, 7)


def test_pb_fixed_goes_on_from_pb_only(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="at which weights") as refusal:
        trainable("tiny+pb-fixed")
    assert "--earlier pb-only=" in refusal.value.fix
    first = trainable("tiny+pb-only")
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, path)
    torch.manual_seed(1)
    model = trainable("tiny+pb-fixed", earlier={"pb-only": str(path)}).train()
    for kind in ("joint", "cycle"):
        update = Optimisers(model)
        model.step(TrainingPairs(Sticks("train")).drawn(range(4)), update, kind)
        assert not any("transfer" in names for names in update.log)
    for name, value in model.network.transfer.state_dict().items():
        assert torch.equal(value, first.network.transfer.state_dict()[name])


@pytest.fixture
def generators(tmp_path: Path) -> list[Any]:
    path = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    sha256 = shipped.save(RATENet(shape("tiny")).state_dict(), path)
    return [make(config="tiny", weights=path, sha256=sha256) for make in (rate_net.generator, rate_net.Coarse)]


def test_coarse_is_its_own_row_and_inspect_shows_the_branches(generators: list[Any]) -> None:
    whole, coarse = generators
    data = Sticks("test")
    prompts = [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(2)]
    columns = whole.inspect(prompts)
    titles = list(columns)
    assert titles[:2] == ["features (PCA)", "coarse"]
    assert titles[2].startswith("texture, ±")
    assert titles[3:] == ["final"]
    assert all(
        image.shape == (64, 44, 3) and image.dtype == np.uint8 for images in columns.values() for image in images
    )
    for made, shown in ((whole, "final"), (coarse, "coarse")):
        images = made.generate(prompts)
        assert all(np.array_equal(a, b) for a, b in zip(images, columns[shown], strict=True)), shown
    assert not np.array_equal(columns["final"][0], columns["coarse"][0])
    assert (whole.card["name"], coarse.card["name"]) == ("rate-net", "rate-net-coarse")
    assert registry.find("generators", "rate-net") is rate_net.generator
    assert registry.find("generators", "rate-net-coarse") is rate_net.Coarse


@pytest.mark.parametrize(
    ("phase", "message"), [({"kind": "rest"}, "joint and cycle"), ({"kind": "joint", "scale": 0.3}, "scale 1 or 1 / 2")]
)
def test_phases_that_cannot_be(phase: dict[str, Any], message: str) -> None:
    config = train_config.read(FOLDER, "tiny")
    config["training"]["phases"] = [{"until": 1.0, **phase}]
    with pytest.raises(BenchError, match=message):
        rate_net.build(config)
