"""The Incarnation network: its sizes, its blocks against the paper's formulas, its flow, its losses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.discriminators import Discriminator
from fhpt_bench.baselines.incarnation import training
from fhpt_bench.baselines.incarnation.generator import IncarnationGenerator
from fhpt_bench.baselines.incarnation.model import Incarnation, IncarnationNet, Shape, moved
from fhpt_bench.datasets.skeletons import CIHP20
from fhpt_bench.errors import BenchError
from fhpt_bench.types import Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks
from sweep import Optimisers

FOLDER = IncarnationGenerator.folder


def shape(name: str) -> Shape:
    return train_config.parse(Shape, train_config.read(FOLDER, name), "model")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multiplications(network: IncarnationNet) -> float:
    points = torch.zeros(1, 18, 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, *network.shape.size), points, points)
    return counter.get_total_flops() / 2


def tiny(seed: int = 0) -> IncarnationNet:
    """In evaluation, with statistics that are not those of an untrained network."""
    torch.manual_seed(seed)
    network = IncarnationNet(shape("tiny"))
    points = torch.rand(4, 18, 2) * 40
    for _ in range(3):
        network(torch.rand(4, 3, 64, 44) * 2 - 1, points, points.flip(0))
    return network.eval()


def batch(size: tuple[int, int] = (64, 44), n: int = 4) -> dict[str, torch.Tensor]:
    return {
        "source": torch.rand(n, 3, *size) * 2 - 1, "target": torch.rand(n, 3, *size) * 2 - 1,
        "source_points": torch.rand(n, 18, 2) * 40, "target_points": torch.rand(n, 18, 2) * 40,
        "target_parsing": torch.randint(0, 20, (n, *size)),
    }  # fmt: skip


def test_sizes() -> None:
    """Ours: the paper gives no number."""
    with torch.device("meta"):
        assert count(IncarnationNet(shape("paper"))) == 21_491_461
        assert count(IncarnationNet(shape("paper-market"))) == 21_491_461
        assert count(Discriminator(6, (64, 128, 256), 3, 0.5, 7)) == 3_928_384
    small = IncarnationNet(shape("small"))
    assert count(small) == 776_510
    assert multiplications(small) < 1e9
    assert count(tiny()) < 15_000


def test_the_card_says_the_true_sizes() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    for name in ("paper", "small"):
        with torch.device("meta"):
            network = IncarnationNet(shape(name))
            giga = multiplications(network) / 1e9
        parts = [count(part) for part in (network.e1, network.e2, network.blocks, network.fme, network.merging)]
        for true in (count(network), *parts, count(network.decoder)):
            assert f"{true:,}" in card, (name, true)
        assert f"{giga:.2f} G" in card, (name, giga)


def test_block_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    block = Incarnation(5).double().eval()
    s, t = torch.randn(2, 5, 6, 7, dtype=torch.float64), torch.randn(2, 5, 6, 7, dtype=torch.float64)

    def conv(x: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)

    convs = [layer for layer in block.f if isinstance(layer, nn.Conv2d)]
    still = (1 + 1e-5) ** -0.5  # an untrained BN in evaluation
    f = conv((conv(s, convs[0]) * still).clamp(min=0), convs[1]) * still
    alpha, beta = conv(t, block.alpha), conv(t, block.beta)
    wanted = alpha * f + beta
    new_s, new_t = block(s, t)
    torch.testing.assert_close(new_s, wanted)
    torch.testing.assert_close(new_t, wanted / (1 + torch.exp(-beta)))


def test_moved() -> None:
    image, still = torch.rand(2, 3, 8, 6), torch.zeros(2, 2, 8, 6)
    torch.testing.assert_close(moved(image, still), image)
    right_and_up = still.clone()
    right_and_up[:, 0], right_and_up[:, 1] = 2, -1
    found = moved(image, right_and_up)
    torch.testing.assert_close(found[:, :, 1:, :4], image[:, :, :7, 2:])
    torch.testing.assert_close(found[:, :, 0, :4], image[:, :, 0, 2:])  # the frame's edge goes on
    torch.testing.assert_close(found[:, :, 1:, 5], image[:, :, :7, 5])
    # One cell of a flow at half size is two pixels.
    half = torch.tensor([1.0, 0.0])[None, :, None, None].expand(2, 2, 4, 3)
    torch.testing.assert_close(moved(image, half)[:, :, :, :4], image[:, :, :, 2:])
    between = still + 0.5
    torch.testing.assert_close(moved(image, between)[:, :, 2, 2], image[:, :, 2:4, 2:4].mean((2, 3)))


def test_flow_starts_near_the_identity_and_can_leave_it() -> None:
    network, pairs = tiny(), batch()
    patches = network.patches(pairs["source"], pairs["source_points"], pairs["target_points"])
    assert patches.flow.shape == (4, 2, 16, 11)
    assert 0 < patches.flow.abs().max() < 0.1, "cells"
    network(pairs["source"], pairs["source_points"], pairs["target_points"]).sum().backward()
    assert network.fme[1].weight.grad.abs().max() > 0


def test_spectral_norm_where_the_paper_has_it() -> None:
    network = tiny()
    convs = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    with_it = {name for name, layer in convs.items() if parametrize.is_parametrized(layer)}
    assert with_it == {name for name in convs if name.split(".")[0] in ("e1", "e2", "decoder")} - {"decoder.head"}
    assert len(with_it) == 8
    points = torch.rand(2, 18, 2) * 40
    network.train()
    for _ in range(60):
        network(torch.rand(2, 3, 64, 44), points, points)
    for name in with_it:
        weight = convs[name].weight.detach().flatten(1)
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, rel=0.01), name
    assert [type(layer).__name__ for layer in network.merging] == ["ReflectPad", "Conv2d", "BatchNorm2d"]


def test_skips_and_both_branches_matter() -> None:
    network, pairs = tiny(), batch()
    with torch.no_grad():
        patches = network.patches(pairs["source"], pairs["source_points"], pairs["target_points"])
        image = network.merge(patches, 64)
        assert [tuple(x.shape[1:]) for x in patches.transferred] == [(4, 64, 44), (6, 32, 22), (8, 16, 11)]
        for place in range(3):
            less = [x * (i != place) for i, x in enumerate(patches.transferred)]
            assert not torch.allclose(network.merge(patches._replace(transferred=tuple(less)), 64), image)
        assert not torch.allclose(network.merge(patches._replace(generated=patches.generated * 0), 64), image)


def test_folded_network_is_the_same_on_small_images() -> None:
    torch.manual_seed(0)
    network = IncarnationNet(shape("tiny").model_copy(update={"fold": 2, "size": (64, 48)})).eval()
    image, points = torch.rand(2, 3, 32, 24) * 2 - 1, torch.rand(2, 2, 18, 2) * 20
    with torch.no_grad():
        small = network(image, *points)
        large = network(F.interpolate(image, scale_factor=2.0), *((points + 0.5) * 2 - 0.5))
    torch.testing.assert_close(F.interpolate(small, scale_factor=2.0), large)


@pytest.mark.parametrize("real", [True, False])
def test_log_of_the_product(real: bool) -> None:
    torch.manual_seed(0)
    a, b = (torch.randn(3, 4, 5, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    parts = [value.sigmoid() if real else 1 - value.sigmoid() for value in (a, b)]
    naive = torch.log(parts[0] * parts[1]).mean()
    ours = training.log_product((a, b), real=real)
    torch.testing.assert_close(ours.double(), naive, rtol=1e-6, atol=0)
    for one, other in zip(torch.autograd.grad(ours, (a, b)), torch.autograd.grad(naive, (a, b)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-9)
    # Where both judges are sure and wrong, the product itself is zero even in float64.
    sure = torch.full((1, 1, 2, 2), -400.0 if real else 400.0)
    assert training.log_product((sure, sure), real=real).item() == pytest.approx(-800)


def test_garments() -> None:
    worn = [CIHP20[i] for i in training.garments(torch.arange(20)[None, None]).flatten().nonzero().flatten().tolist()]
    assert worn == ["hat", "glove", "upper_clothes", "dress", "coat", "socks", "pants", "scarf", "skirt"]
    assert set(worn) == set(training.GARMENTS)


def test_garment_terms_are_of_garments_alone() -> None:
    torch.manual_seed(0)
    model, pairs = training.build(train_config.read(FOLDER, "tiny")), batch()
    pairs["target_parsing"] = torch.zeros(4, 64, 44, dtype=torch.long)
    pairs["target_parsing"][:, 16:32, 8:24] = CIHP20.index("skirt")
    inside, outside = pairs["target"].clone(), pairs["target"].clone()
    inside[:, :, 20:28, 12:20] += 0.5
    outside[:, :, 40:60] += 0.5  # farther than the features' convolutions reach
    logs = {name: model._content(made, pairs)[1] for name, made in (("in", inside), ("out", outside))}
    for term in ("l1", "perceptual", "style"):
        assert logs["in"][f"garment_{term}"] > 0
        assert logs["out"][f"garment_{term}"] == 0 < logs["out"][term]
    assert logs["in"]["garment_l1"].item() == pytest.approx(0.5 * 64 / (64 * 44), rel=1e-5)
    half = training.build(train_config.read(FOLDER, "tiny+no-garments"))
    assert (model.reads, half.reads) == (("parsing",), ())
    del pairs["target_parsing"]
    assert {"l1", "perceptual", "style"} == half._content(inside, pairs)[1].keys()


def test_one_step_each() -> None:
    torch.manual_seed(0)
    model, pairs = training.build(train_config.read(FOLDER, "tiny")), batch()
    for kind, wanted in (("content", [("network",)]), ("adversarial", [("network",), ("judges",)])):
        update = Optimisers(model)
        log = model.step(pairs, update, kind)
        assert update.log == wanted
        assert all(torch.isfinite(value) and not value.requires_grad for value in log.values())
    assert {"gan", "judges"} <= log.keys()


def test_evaluation_makes_what_training_made_once_the_statistics_stand() -> None:
    torch.manual_seed(0)
    model, pairs = training.build(train_config.read(FOLDER, "tiny")), batch()
    update = Optimisers(model)
    for _ in range(10):
        model.step(pairs, update, "content")
    with torch.no_grad():
        for _ in range(150):  # as at the end of training, where the learning rate is 0
            trained = model._made(pairs)
        evaluated = model.eval()._made(pairs)
        alone = model._made({name: value[:1] for name, value in pairs.items()})
    torch.testing.assert_close(alone, evaluated[:1])
    assert (trained - evaluated).abs().mean() < 0.02 * trained.std()


@pytest.mark.parametrize("name", ["tiny", "small", "paper", "paper-market"])
def test_configurations_build(name: str) -> None:
    for over in ("", "+no-garments"):
        config: dict[str, Any] = train_config.read(FOLDER, name + over)
        config["losses"] |= {"network": "random", "taps": ["relu1_1", "relu2_1"], "style_taps": ["relu2_1"]}
        with torch.device("meta") if name.startswith("paper") else torch.device("cpu"):
            model = training.build(config)
        assert model.recipe.betas == (0.9, 0.99)
        assert set(model.optimizers()) == {"network", "judges"}


def test_phases_that_cannot_be() -> None:
    config = train_config.read(FOLDER, "tiny")
    with pytest.raises(BenchError, match="content and adversarial"):
        training.build({**config, "training": {**config["training"], "phases": [{"until": 1.0, "kind": "rest"}]}})


def test_inspect(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    sha256 = shipped.save(tiny().state_dict(), weights)
    generator = IncarnationGenerator(config="tiny", weights=weights, sha256=sha256)
    data = Sticks("test")
    prompts = [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(2)]
    columns = generator.inspect(prompts)
    assert list(columns) == ["source, moved", "generation alone", "transfer alone", "merged"]
    for made, image in zip(generator.generate(prompts), columns["merged"], strict=True):
        assert (made == image).all()
    for images in columns.values():
        assert [(image.shape, str(image.dtype)) for image in images] == [((64, 44, 3), "uint8")] * 2
