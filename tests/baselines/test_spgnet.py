"""SPGNet: distance maps, parsings, region-adaptive normalisation, schemes of training, the variants of its tables."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.distance_maps import LIMBS, distance_maps
from fhpt_bench.baselines.intr_flow.training import IntrFlowTraining
from fhpt_bench.baselines.spgnet import training
from fhpt_bench.baselines.spgnet.generator import SPGNetGenerator, limb_colours
from fhpt_bench.baselines.spgnet.measure import mean_iou, parsing_scores
from fhpt_bench.baselines.spgnet.model import Shape, SPGNet, Stage1
from fhpt_bench.baselines.spgnet.painter import PainterShape
from fhpt_bench.baselines.spgnet.parsing import CLASSES, PALETTE, coloured, hard, overlap, shares
from fhpt_bench.baselines.spgnet.released import released_keys
from fhpt_bench.baselines.spgnet.sean import RegionNorm, Style, StyleEncoder, spread
from fhpt_bench.datasets.skeletons import BODY18, CIHP20
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from annotated_figures import AnnotatedSticks
from sweep import Optimisers

FOLDER = SPGNetGenerator.folder


def settings(name: str, **losses: Any) -> dict[str, Any]:
    config = train_config.read(FOLDER, name)
    return {**config, "losses": {**config["losses"], **losses}}


def network(name: str, **model: Any) -> SPGNet:
    config = train_config.read(FOLDER, name)
    shape = train_config.parse(Shape, {"model": {**config["model"], **model}}, "model")
    return SPGNet(shape, train_config.parse(PainterShape, config, "painter"))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def still(height: int, width: int, n: int = 2) -> tuple[Tensor, Tensor]:
    """A flow that moves nothing, all visible."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([x, y]).expand(n, -1, -1, -1), torch.zeros(n, height, width, dtype=torch.long)


def parsing(height: int, width: int, n: int = 2, *, seed: int = 0) -> Tensor:
    labels = torch.randint(CLASSES, (n, height, width), generator=torch.Generator().manual_seed(seed))
    return shares(labels, (height, width))


def batch() -> dict[str, Tensor]:
    return TrainingPairs(AnnotatedSticks("train"), reads=("parsing",)).batch(range(4))


def test_sizes() -> None:
    """Ours, since the facts give the published generator's size and not all of its layers: see the card."""
    with torch.device("meta"):
        paper, market, small = (network(name) for name in ("paper", "paper-market", "small"))
        assert count(paper.painter) == 66_289_531
        assert count(market.painter) == 26_202_987
        assert count(paper.parsings.spatn) == 41_539_924
        assert count(small) <= 1_200_000
        assert count(network("tiny")) < 100_000


def test_the_card_says_the_true_sizes() -> None:
    card = (FOLDER / "README.md").read_text("utf-8")
    with torch.device("meta"):
        for name in ("paper", "paper-market", "small"):
            made = network(name)
            for part in (made.parsings.parser, made.parsings.spatn, made.painter):
                assert f"{count(part):,}" in card, name
    assert "87,795,177" in card
    assert "30,914,805" in card


def test_the_limbs_are_those_of_the_facts() -> None:
    names = [f"{BODY18[a]} {BODY18[b]}" for a, b in LIMBS]
    assert len(names) == len(set(names)) == 12
    assert names[:2] == ["neck r_shoulder", "neck l_shoulder"]
    assert names[6:] == [
        "neck r_hip", "r_hip r_knee", "r_knee r_ankle", "neck l_hip", "l_hip l_knee", "l_knee l_ankle",
    ]  # fmt: skip


def test_distance_maps() -> None:
    points = torch.rand(2, 18, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([20.0, 30.0])
    points[1, 9] = torch.nan  # right knee
    points[0, 5] = points[0, 1]  # a limb without length
    maps = distance_maps(points, (30, 20), pixel=2.0)
    assert maps.shape == (2, 12, 30, 20)
    # Independent: the least distance to a thousand points along the limb.
    steps = np.linspace(0, 1, 1001)[:, None]
    for body in range(2):
        for limb, (a, b) in enumerate(LIMBS):
            start, end = points[body, a].numpy(), points[body, b].numpy()
            if 9 in (a, b) and body == 1:
                assert maps[body, limb].eq(0).all()
                continue
            along = start + steps * (end - start)
            for y, x in ((0, 0), (7, 3), (29, 19), (15, 10)):
                distance = 2 * np.hypot(along[:, 0] - x, along[:, 1] - y).min()
                assert maps[body, limb, y, x] == pytest.approx(np.exp(-0.1 * distance), abs=2e-4)
    assert maps[0].amax((1, 2)).min() > 0.8


def test_shares_of_classes() -> None:
    labels = torch.tensor([[[0, 0, 5, 5], [0, 9, 5, 5]]])
    found = shares(labels, (1, 2))
    assert found[0, 0, 0].tolist() == [0.75, 0]
    assert found[0, 9, 0].tolist() == [0.25, 0]
    assert found[0, 5, 0].tolist() == [0, 1]
    assert torch.equal(shares(labels, (2, 4)).argmax(1), labels)
    assert torch.equal(hard(found * 3 - 7), shares(torch.tensor([[[0, 5]]]), (1, 2)))


def test_intersection_over_union_by_hand() -> None:
    truth = shares(torch.tensor([[[0, 0, 1, 1]], [[0, 0, 0, 2]]]), (1, 4))
    made = shares(torch.tensor([[[0, 1, 1, 1]], [[0, 0, 0, 0]]]), (1, 4))
    both, either = (counts.numpy() for counts in overlap(made, truth))
    assert both[:, :3].tolist() == [[1, 2, 0], [3, 0, 0]]
    assert either[:, :3].tolist() == [[2, 3, 0], [4, 0, 1]]
    assert mean_iou(both, either) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert mean_iou(both[:1], either[:1]) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_parsing_scores_of_a_network_that_knows_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    data = AnnotatedSticks("test")
    made = network("tiny").parsings
    known = iter(TrainingPairs(data, reads=("parsing",)).batch([number]) for number in range(len(data)))

    def perfect_source(*_: Tensor) -> tuple[Tensor, Tensor]:
        given = next(known)
        source = shares(given["source_parsing"], (64, 44))
        return source, torch.zeros_like(source)  # all background

    monkeypatch.setattr(made, "forward", perfect_source)
    source, target = parsing_scores(made, data, batch=1)
    assert (source.name, source.value, source.low, source.high) == ("miou[source]", 1, 1, 1)
    assert source.pairs == len(data)
    classes = {int(c) for n in range(len(data)) for c in np.unique(data.parsing(data[n].target))}
    background = np.mean([(data.parsing(data[n].target) == 0).mean() for n in range(len(data))])
    assert target.value == pytest.approx(background / len(classes))


def test_colours() -> None:
    assert len(set(PALETTE)) == CLASSES == len(CIHP20)
    picture = coloured(shares(torch.tensor([[[0, 5]]]), (1, 2)), (2, 4))
    expected = torch.tensor([PALETTE[0], PALETTE[5]]) / 127.5 - 1
    assert torch.equal(picture[0, :, 1, 0], expected[0])
    assert torch.equal(picture[0, :, 0, 3], expected[1])
    near = limb_colours(torch.eye(12)[None, :, None, :])
    assert near.shape == (1, 3, 1, 12)
    assert len({tuple(c) for c in near[0, :, 0].T.tolist()}) == 12


def test_a_style_code_is_the_mean_over_its_region() -> None:
    encoder = StyleEncoder(3, (6, 8), 5).eval()
    image, labels = torch.rand(1, 3, 16, 16) * 2 - 1, torch.zeros(1, 16, 16, dtype=torch.long)
    labels[:, 4:12, :6], labels[:, :8, 10:] = 5, 13
    with torch.no_grad():
        styles = encoder(image, shares(labels, (16, 16)))
        features = encoder.up(F.leaky_relu(encoder.blocks(image), 0.2)).tanh()
    assert styles.shape == (1, CLASSES, 5)
    cells = labels[0].unfold(0, 2, 2).unfold(1, 2, 2)  # 8 x 8 cells of 2 x 2 pixels
    for kind in (0, 5, 13):
        weight = (cells == kind).float().mean((2, 3))
        by_hand = sum(features[0, :, y, x] * weight[y, x] for y in range(8) for x in range(8)) / weight.sum()
        torch.testing.assert_close(styles[0, kind], by_hand)
    assert styles[0, [k for k in range(CLASSES) if k not in (0, 5, 13)]].eq(0).all(), "classes the source does not show"


def test_a_code_reaches_its_region_and_no_other() -> None:
    codes, regions = torch.rand(2, CLASSES, 6), parsing(8, 6)
    spreaded = spread(codes, regions)
    labels = regions.argmax(1)
    assert torch.equal(spreaded[1, :, 3, 2], codes[1, labels[1, 3, 2]])
    style = Style(4, 6, kernel=1)
    with torch.no_grad():
        before = style(codes, regions)
        codes[:, 7] += 1
        changed = (style(codes, regions) != before).any(1)
    assert torch.equal(changed, labels == 7)


def test_region_norm_mixes_what_styles_and_regions_give() -> None:
    x, codes, regions = torch.randn(2, 4, 8, 6), torch.rand(2, CLASSES, 6), parsing(8, 6)
    layer = RegionNorm(4, 6, 5, (3, 1), "sean").eval()
    assert layer.region is not None and layer.style is not None and layer.mix is not None
    with torch.no_grad():
        normed = layer.norm(x)
        ends = [branch.chunk(2, 1) for branch in (layer.region(regions), layer.style(codes, regions))]
        for mix, (gamma, beta) in zip((-50.0, 50.0), ends, strict=True):
            layer.mix.fill_(mix)
            torch.testing.assert_close(layer(x, codes, regions), normed * (1 + gamma) + beta)
        layer.mix.zero_()
        gamma, beta = ((a + b) / 2 for a, b in zip(*ends, strict=True))
        torch.testing.assert_close(layer(x, codes, regions), normed * (1 + gamma) + beta)
    assert torch.equal(RegionNorm(4, 6, 5, (3, 1), "none").eval()(x, codes, regions), normed)


def test_folded_networks_are_the_same_on_small_images() -> None:
    """A half-size image and the same image in squares of four equal pixels give the same, at their sizes."""
    made = network("tiny", size=(64, 48), fold=2).eval()
    image, points = torch.rand(2, 3, 32, 24) * 2 - 1, torch.rand(2, 2, 18, 2) * 20
    with torch.no_grad():
        small = made(image, *points, still(32, 24))
        large = made(F.interpolate(image, scale_factor=2.0), *((points + 0.5) * 2 - 0.5), still(32, 24))
    torch.testing.assert_close(F.interpolate(small[0], scale_factor=2.0), large[0], rtol=1e-4, atol=1e-4)
    for a, b in zip(small[1:], large[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_what_stage_1_reads() -> None:
    image, points = torch.rand(2, 3, 64, 44), (torch.rand(2, 18, 2) * 40, torch.rand(2, 18, 2) * 40)
    for name, reads in (("tiny", True), ("tiny+image", False)):
        stage = network(name).parsings.eval()
        with torch.no_grad():
            a, b = (stage.target(image, parsing(64, 44, seed=seed), points, 64) for seed in (0, 1))
            c = stage.target(image.flip(3), parsing(64, 44), points, 64)
        assert torch.equal(a, b) != reads, "SPATN reads the source's parsing"
        assert torch.equal(a, c) == reads, "SPATN* its image"
    with torch.device("meta"):
        widest = network("tiny").parsings.spatn.pose_down[0][1].weight.shape[1]
        assert (widest, network("tiny+no-distance").parsings.spatn.pose_down[0][1].weight.shape[1]) == (60, 36)


@pytest.mark.parametrize(
    ("ablation", "target_parsing", "source_parsing", "flow"),
    [
        ("", True, True, True), ("+baseline", False, False, True), ("+baseline-s", True, False, True),
        ("+spade", True, False, True), ("+cc", True, True, True), ("+patn-s", True, True, False),
    ],
)  # fmt: skip
def test_what_the_variants_of_table_3_read(
    ablation: str, target_parsing: bool, source_parsing: bool, flow: bool
) -> None:
    torch.manual_seed(0)
    painter = network("tiny" + ablation).painter.eval()
    image, poses = torch.rand(2, 3, 16, 12) * 2 - 1, torch.rand(2, 36, 16, 12)
    one, other, places = parsing(16, 12), parsing(16, 12, seed=1), still(16, 12)
    with torch.no_grad():
        first = painter(image, poses, (one, one), places)
        assert first.shape == image.shape
        assert torch.equal(first, painter(image, poses, (one, other), places)) != target_parsing
        assert torch.equal(first, painter(image, poses, (other, one), places)) != source_parsing
        assert torch.equal(first, painter(image, poses, (one, one), (places[0] + 2, places[1]))) != flow


@pytest.mark.parametrize(
    ("scheme", "truth", "taught"),
    [("", True, False), ("+s1-s2", False, False), ("+end-to-end", False, True)],
)
def test_schemes(scheme: str, truth: bool, taught: bool) -> None:
    """Whether stage 2 reads the true parsings, and whether its losses teach stage 1."""
    torch.manual_seed(0)
    model = training.build(settings("tiny" + scheme)).eval()
    given = batch()
    made = model._painted(given)
    made.square().mean().backward()
    reached = {name for name, p in model.network.parsings.named_parameters() if p.grad is not None}
    assert bool(reached) == taught
    other = {**given, "target_parsing": given["target_parsing"].flip(1)}
    assert torch.equal(model._painted(other), made) != truth


def test_which_optimisers_step() -> None:
    model = training.build(settings("tiny"))
    update, given = Optimisers(model), batch()
    names: list[tuple[str, ...]] = []

    def noted(loss: Tensor, *updated: str) -> None:
        names.append(updated)
        update(loss, *updated)

    for kind, expected in (
        ("parsing", [("parsings",)]),
        ("content", [("painter",)]),
        ("adversarial", [("painter",), ("judge",)]),
        ("both", [("parsings",), ("painter",), ("judge",)]),
    ):
        names.clear()
        model.step(given, noted, kind)
        assert names == expected, kind
    together = training.build(settings("tiny+end-to-end"))
    update, names = Optimisers(together), []
    together.step(given, noted, "both")
    assert names == [("painter", "parsings"), ("judge",)]


def test_stages_hand_on_their_weights(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    config = settings("tiny")
    only = [{"until": 1.0, "kind": "parsing"}]
    first = training.build({**config, "training": {**config["training"], "phases": only}})
    assert isinstance(first.parsings, Stage1)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in first.state_dict().items()}, path)
    later = {**config, "training": {**config["training"], "phases": [{"until": 1.0, "kind": "content"}]}}
    with pytest.raises(BenchError, match="neither learns"):
        training.build(later)
    later["starts"] = {"parsings": "tiny-parsing"}
    with pytest.raises(BenchError, match="tiny-parsing"):
        training.build(later)
    second = training.build({**later, "earlier": {"tiny-parsing": str(path)}})
    for name, value in second.network.parsings.state_dict().items():
        assert torch.equal(value, first.parsings.state_dict()[name])
    assert not any(p.requires_grad for p in second.network.parsings.parameters())
    assert "parsings" not in second.optimizers()
    flow = training.build({**config, "training": {**config["training"], "phases": [{"until": 1.0, "kind": "flow"}]}})
    assert isinstance(flow, IntrFlowTraining), "the flow stage is Intr-Flow's"


def test_a_wrong_phase_is_told() -> None:
    config = settings("tiny")
    config["training"] = {**config["training"], "phases": [{"until": 1.0, "kind": "rest"}]}
    with pytest.raises(BenchError, match="rest"):
        training.build(config)


def test_inspection(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    generator = SPGNetGenerator(config="tiny", weights=path, sha256=shipped.save(network("tiny").state_dict(), path))
    data = AnnotatedSticks("test")
    prompts = [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(2)]
    shown = generator.inspect(prompts)
    assert list(shown) == ["source parsing", "target parsing", "distance maps", "image"]
    for images in shown.values():
        assert [(image.shape, image.dtype) for image in images] == [((64, 44, 3), np.uint8)] * 2
    assert all(np.array_equal(a, b) for a, b in zip(shown["image"], generator.generate(prompts), strict=True))
    colours = {tuple(c) for c in shown["target parsing"][0].reshape(-1, 3).tolist()}
    assert colours <= set(PALETTE)


def test_no_published_weights_can_be_mapped() -> None:
    assert released_keys() == ()
    assert re.search(r"no key|not documented|names of its tensors", (FOLDER / "released.py").read_text("utf-8"))
