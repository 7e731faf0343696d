"""DSC: sizes, losses, the norm, refused pairs, images."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines.dsc import training
from fhpt_bench.baselines.dsc.generator import DSCGenerator
from fhpt_bench.baselines.dsc.model import DSC, JointNorm, Judge, Shape
from fhpt_bench.baselines.dsc.nearest import nearest_neighbour
from fhpt_bench.baselines.dsc.warp import lacking
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import OUTSIDE, Pair, Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks

FOLDER = DSCGenerator.folder
L_SHOULDER, R_HIP = 5, 8


def shape(name: str) -> Shape:
    return train_config.parse(Shape, train_config.read(FOLDER, name), "model")


def sizes(module: nn.Module) -> tuple[int, int]:
    """Weights and biases; scalars of the normalisations."""
    parameters = list(module.parameters())
    return sum(p.numel() for p in parameters if p.ndim), sum(1 for p in parameters if not p.ndim)


def test_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        assert sizes(DSC(shape("paper"))) == (82_080_579, 32)
        assert sizes(DSC(shape("paper-market"))) == (61_109_059, 26)
        assert sizes(DSC(shape("paper+unwarped"))) == (48_655_427, 22)
        assert sizes(Judge(train_config.read(FOLDER, "paper")["judge"]["widths"])) == (2_803_776, 6)
        assert sum(sizes(DSC(shape("small")))) <= 1_200_000


def test_the_card_says_the_true_sizes() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    with torch.device("meta"):
        for name in ("paper", "paper-market", "paper+unwarped", "small"):
            assert f"{sizes(DSC(shape(name)))[0]:,}" in card, name
        for name in ("paper", "small"):
            assert f"{sizes(Judge(train_config.read(FOLDER, name)['judge']['widths']))[0]:,}" in card, name


def test_nearest_neighbour_loss_by_hand() -> None:
    torch.manual_seed(0)
    made, true = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True), torch.randn(2, 3, 5, 4).double()
    for side in (1, 3, 5):
        reach, least = side // 2, []
        for n in range(2):
            for y in range(5):
                for x in range(4):
                    near = [
                        (made[n, :, y, x] - true[n, :, v, u]).abs().sum()
                        for v in range(max(0, y - reach), min(5, y + reach + 1))
                        for u in range(max(0, x - reach), min(4, x + reach + 1))
                    ]
                    least.append(torch.stack(near).min())
        by_hand = torch.stack(least).mean()
        ours = nearest_neighbour(made, true, side)
        torch.testing.assert_close(ours.double(), by_hand, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(*(torch.autograd.grad(3 * loss, made)[0] for loss in (ours, by_hand)))
    shifted = torch.randn(1, 3, 8, 8)
    inner = nearest_neighbour(shifted[:, :, 2:6, 2:6], shifted[:, :, 1:5, 2:6], 3)
    assert inner < nearest_neighbour(shifted[:, :, 2:6, 2:6], shifted[:, :, 1:5, 2:6], 1) / 2


def test_the_norm() -> None:
    norm, x = JointNorm(), torch.randn(2, 3, 4, 5) * 7 + 3
    nn.init.constant_(norm.gamma, 2.0)
    nn.init.constant_(norm.beta, 0.5)
    with torch.no_grad():
        expected = [2 * (one - one.mean()) / (one.std(correction=0) + 1e-3) + 0.5 for one in x]
        torch.testing.assert_close(norm(x), torch.stack(expected))


def test_the_network_is_the_same_on_small_images_and_sees_the_source_through_the_warp() -> None:
    network = DSC(shape("tiny")).eval()
    assert network.shape.fold == 2
    image, points = torch.rand(2, 3, 32, 22) * 2 - 1, torch.rand(2, 2, 18, 2) * 20
    with torch.no_grad():
        small = network(image, *points)
        large = network(nn.functional.interpolate(image, scale_factor=2.0), *((points + 0.5) * 2 - 0.5))
        torch.testing.assert_close(nn.functional.interpolate(small, scale_factor=2.0), large)
        skips: list[torch.Tensor] = []
        network.decoder.register_forward_pre_hook(lambda _, given: skips.extend(given[0]))
        network(image, points[0] * torch.nan, points[1])
    # Without hips and shoulders nothing is brought over at the deformed scales.
    for level, features in enumerate(skips):
        appearance = features[:, : features.shape[1] // 2]
        assert (not appearance.any()) == (level < network.shape.warped), level


def settings(name: str) -> dict[str, Any]:
    """Without pretrained weights."""
    config = train_config.read(FOLDER, name)
    return {
        **config,
        "losses": {**config["losses"], "network": "random", "taps": ["relu1_2", "relu2_1"], "style_taps": []},
    }


@pytest.mark.parametrize("name", ["small", "tiny", "tiny+unwarped", "tiny+l1", "tiny+percloss", "tiny+released"])
def test_configurations_build(name: str) -> None:
    model = training.build(settings(name))
    assert (model.network.pose is None) == ("unwarped" in name)
    assert set(model.optimizers()) == {"network", "judge"}


def test_a_configuration_of_wrong_losses() -> None:
    config = settings("tiny")
    for wrong in ({"neighbourhood": 4}, {"nearest_tap": "relu5_1"}):
        with pytest.raises(BenchError, match=r"neighbourhood|nearest_tap"):
            training.build({**config, "losses": {**config["losses"], **wrong}})


@pytest.mark.parametrize("name", ["tiny", "tiny+unwarped"])
def test_one_step_each(name: str) -> None:
    torch.manual_seed(0)
    model = training.build(settings(name))
    optimizers, log = model.optimizers(), []

    def update(loss: torch.Tensor, *names: str) -> None:
        for chosen in names:
            optimizers[chosen].zero_grad()
        loss.backward()
        for chosen in names:
            unmoved = [p for group in optimizers[chosen].param_groups for p in group["params"] if not p.grad.any()]
            assert not unmoved
            optimizers[chosen].step()
        log.append(names)

    batch = TrainingPairs(Sticks("train"), accepts=model.accepts).drawn(range(4))
    said = model.step(batch, update, "adversarial")
    assert log == [("network",), ("judge",)]
    assert {"l1", "gan", "judge"} <= said.keys()
    assert ("nearest" in said) == (name == "tiny")
    model.step(batch, update, "content")
    assert log[2:] == [("network",)]


class Hipless(Sticks):
    """One photo of the third person lacks a hip, another a shoulder."""

    def _photo(self, number: int, view: int) -> Any:
        photo = super()._photo(number, view)
        if (number % 1000, view) not in ((1, 0), (1, 2)):
            return photo
        visible = photo.pose.visible.copy()
        visible[R_HIP if view else L_SHOULDER] = OUTSIDE
        return replace(photo, pose=replace(photo.pose, visible=visible))


@pytest.fixture
def generator(tmp_path: Path) -> DSCGenerator:
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    return DSCGenerator(config="tiny", weights=path, sha256=shipped.save(DSC(shape("tiny")).state_dict(), path))


def prompt(pair: Pair) -> Prompt:
    return Prompt(pair.id, pair.source, pair.target.pose, seed=0)


def test_pairs_without_hips_and_shoulders_are_refused_by_name(generator: DSCGenerator) -> None:
    data = Hipless("train")
    model = training.build(settings("tiny"))
    pairs = [data[i] for i in range(len(data))]
    odd = [pair.id for pair in pairs if pair.id.startswith("p1")]  # every pair of this person has one of the two photos
    trained = TrainingPairs(data, accepts=model.accepts)
    assert trained.refused == odd
    assert len(trained) == len(data) - len(odd) == 12
    assert training.build(settings("tiny+unwarped")).accepts(pairs[6])
    assert [pair.id for pair in pairs if generator.refuses(prompt(pair))] == odd
    assert generator.refuses(prompt(pairs[6])) == "the source pose lacks l_shoulder"
    assert lacking(data._photos[5].pose) == ["r_hip"]
    with pytest.raises(BenchError, match="lacks l_shoulder") as error:
        generator.generate([prompt(pairs[6])])
    assert pairs[6].id in str(error.value)


def test_images_and_the_inside(generator: DSCGenerator) -> None:
    data = Sticks("test")
    prompts = [prompt(data[i]) for i in range(3)]
    images = generator.generate(prompts)
    for one, image in zip(prompts, images, strict=True):
        assert image.shape == (64, 44, 3)
        assert np.array_equal(generator.generate([one])[0], image)
    columns = generator.inspect(prompts)
    assert list(columns) == ["masks", "by region", "maximum", "output"]
    assert all(
        image.dtype == np.uint8 and image.shape == (64, 44, 3) for column in columns.values() for image in column
    )
    assert all(np.array_equal(a, b) for a, b in zip(columns["output"], images, strict=True))
    same = Prompt("same", data[0].source, data[0].source.pose, seed=0)
    standing = generator.inspect([same])
    for column in ("by region", "maximum"):
        assert np.array_equal(standing[column][0], data[0].source.image), "the same pose moves nothing"
