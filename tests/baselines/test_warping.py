"""Flow and warping, as Intr-Flow and SPGNet use them, against answers known beforehand; and their networks' sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fhpt_bench.baselines._parts import warping
from fhpt_bench.baselines._parts.discriminators import cross_entropy
from fhpt_bench.baselines._parts.dual_unet import DualUNet, UNet, WarpedSkips, level_widths
from fhpt_bench.baselines._parts.flow_net import UNIT, FlowNet, FlowShape
from fhpt_bench.baselines._parts.patch_discriminator import PatchDiscriminator


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def places(height: int, width: int, dx: float = 0.0, dy: float = 0.0) -> Tensor:
    return warping.own_places(height, width) + torch.tensor([dx, dy])[None, :, None, None]


def test_sizes_of_the_published_networks() -> None:
    with torch.device("meta"):
        fashion, market = level_widths(32, 128, 7), level_widths(32, 128, 5)
        assert fashion == (32, 64, 96, 128, 128, 128, 128, 128)
        assert count(DualUNet(18, 3, fashion, 5, shared=True)) == 11_881_539
        assert count(DualUNet(18, 3, fashion, 5)) == 12_657_283, "each encoder with its own down-sampling"
        assert count(DualUNet(18, 3, market, 4, shared=True)) == 7_255_107
        assert count(UNet(9, 1, fashion)) == 8_358_017
        assert count(FlowNet(FlowShape(kind="unet", width=32, widest=512, scales=5))) == 29_338_189
        assert count(FlowNet(FlowShape(kind="unet_v2", width=32, widest=128, scales=5))) == 6_588_685
        assert count(PatchDiscriminator(24)) == 2_787_137


def test_a_patch_is_70_pixels() -> None:
    judge = PatchDiscriminator(1, (2, 2, 2, 2)).eval()
    for layer in judge.body:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)  # a gradient that is 0 nowhere within the patch
    image = torch.ones(1, 1, 128, 128, requires_grad=True)
    verdicts = judge(image)
    verdicts[0, 0, verdicts.shape[2] // 2, verdicts.shape[3] // 2].backward()
    assert image.grad is not None
    reached = image.grad[0, 0] != 0
    assert reached.any(0).sum() == reached.any(1).sum() == 70


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([0.0, 2.0])
    chances = logits.sigmoid()
    torch.testing.assert_close(cross_entropy(logits, real=True), -chances.log().mean())
    torch.testing.assert_close(cross_entropy(logits, real=False), -(1 - chances).log().mean())


def test_warp_moves_by_whole_and_half_pixels() -> None:
    image = torch.rand(2, 3, 6, 7)
    torch.testing.assert_close(warping.warp(image, places(6, 7).expand(2, -1, -1, -1)), image)
    moved = warping.warp(image, places(6, 7, dx=2, dy=-1).expand(2, -1, -1, -1))
    torch.testing.assert_close(moved[:, :, 1:, :5], image[:, :, :-1, 2:])
    assert moved[:, :, 0].abs().max() < 1e-6, "above the image there is nothing"
    assert moved[:, :, :, 5:].abs().max() < 1e-6
    half = warping.warp(image, places(6, 7, dx=0.5).expand(2, -1, -1, -1))
    torch.testing.assert_close(half[..., :-1], (image[..., :-1] + image[..., 1:]) / 2)


def test_warp_is_exact_where_bfloat16_is_not() -> None:
    image = torch.arange(300.0).repeat(1, 1, 4, 1)
    with torch.autocast("cpu", torch.bfloat16):
        moved = warping.warp(image, places(4, 300, dx=1))
    torch.testing.assert_close(moved[..., :-1], image[..., 1:], rtol=1e-4, atol=1e-2)


def test_a_smaller_flow_moves_the_smaller_image() -> None:
    """A displacement of 4 pixels is one of 2 squares, on a pooled flow; and enlarged again it is what it was."""
    flow, seen = places(8, 12, dx=4, dy=-2), torch.zeros(1, 8, 12, dtype=torch.long)
    small, small_seen = warping.pooled(flow, seen, 2)
    torch.testing.assert_close(small, places(4, 6, dx=2, dy=-1))
    assert small_seen.shape == (1, 4, 6)
    torch.testing.assert_close(warping.enlarged(small, small_seen == 0, 2), flow)


def test_pooled_means_moves_and_prefers_the_visible() -> None:
    flow = places(2, 4)
    flow[0, 0, 0, 0] += 8  # one of the four pixels of the first square moves by 8: the square by 8 / 4 / 2
    seen = torch.tensor([[[2, 1, 2, 2], [2, 0, 1, 2]]])
    small, small_seen = warping.pooled(flow, seen, 2)
    torch.testing.assert_close(small - warping.own_places(1, 2), torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]]))
    assert small_seen.tolist() == [[[0, 1]]]


def test_known_mean_leaves_out_the_unknown() -> None:
    flow = places(2, 4, dx=6)
    known = torch.tensor([[[True, False, False, False], [True, True, False, False]]])
    flow[~known[:, None].expand_as(flow)] = -1
    small, there = warping.known_mean(flow, known, 2)
    assert there.tolist() == [[[True, False]]]
    torch.testing.assert_close(small[..., 0] - warping.own_places(1, 2)[..., 0], torch.tensor([[[3.0], [0.0]]]))


def test_enlarged_does_not_mix_the_background_in() -> None:
    """Beside a pixel of the background, whose displacement is 0, a person's keeps its own."""
    known = torch.tensor([[[True, True, False]]])
    flow = torch.where(known[:, None], places(1, 3, dx=5), places(1, 3))
    larger = warping.enlarged(flow, known, 2) - warping.own_places(2, 6)
    torch.testing.assert_close(larger[:, 0, :, :4], torch.full((1, 2, 4), 10.0))


def test_split() -> None:
    features = torch.rand(1, 2, 1, 3)
    halves = warping.split(features, torch.tensor([[[0, 1, 2]]]))
    torch.testing.assert_close(halves[:, :2], features * torch.tensor([1.0, 0, 0]))
    torch.testing.assert_close(halves[:, 2:], features * torch.tensor([0, 1.0, 0]))


def test_warped_skips_move_the_first_levels_only() -> None:
    """Shifted features and the flow that undoes the shift give the unshifted ones, at both warped scales."""
    widths = (2, 3, 4, 4)
    skips = [[torch.rand(1, c, 16 >> level, 16 >> level)] for level, c in enumerate(widths[:-1])]
    shifted = [[x.roll(4 >> level, 3) for x in each] for level, each in enumerate(skips)]
    still = WarpedSkips(widths, 2, blocks=1, gate="none")
    moved = still(shifted, places(16, 16, dx=4), torch.zeros(1, 16, 16, dtype=torch.long))
    for level in range(2):
        inside = (16 - 4) >> level
        torch.testing.assert_close(moved[level][0][..., :inside], skips[level][0][..., :inside])
    assert moved[2][0] is shifted[2][0]
    assert count(still) == 0
    assert count(WarpedSkips(widths, 2, blocks=1)) > 0


def test_the_gate_sees_visible_and_invisible_features_apart() -> None:
    """Background features reach the gate through neither half: only the features themselves, unmerged, differ."""
    torch.manual_seed(0)
    gated = WarpedSkips((4, 4), 1, blocks=1).eval()
    skips = [[torch.rand(1, 4, 8, 8)]]
    made = [
        gated(skips, places(8, 8), torch.full((1, 8, 8), state))[0][0].detach()
        for state in (warping.VISIBLE, warping.INVISIBLE, warping.BACKGROUND)
    ]
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert not torch.allclose(made[a], made[b])


@pytest.mark.parametrize("kind", ["unet", "unet_v2"])
def test_flow_networks(kind: str) -> None:
    net = FlowNet(FlowShape(kind=kind, width=4, widest=16, scales=2)).eval()
    flows = net(torch.rand(2, 36, 32, 24))
    assert [tuple(f.shape) for f in flows.pyramid] == [(2, 2, 16, 12), (2, 2, 8, 6)]
    assert flows.visibility.shape == (2, 3, 16, 12)
    flow = net.predict(torch.rand(2, 36, 32, 24))
    assert flow.places.shape == (2, 2, 32, 24)
    assert flow.visibility.shape == (2, 32, 24)


def test_a_predicted_flow_is_in_pixels_and_still_in_the_background() -> None:
    """The heads' biases alone: every displacement is (0.5, -0.25) units, every pixel's state the same."""
    net = FlowNet(FlowShape(kind="unet_v2", width=4, widest=8, scales=1)).eval()
    for head, bias in ((net.net.flows[0][1], [0.5, -0.25]), (net.net.visibility[1], [0.0, 1.0, 0.0])):
        nn.init.zeros_(head.weight)
        head.bias.data = torch.tensor(bias)
    moved = net.predict(torch.rand(1, 36, 16, 12))
    assert moved.visibility.eq(warping.INVISIBLE).all()
    torch.testing.assert_close(moved.places, places(16, 12, dx=0.5 * UNIT, dy=-0.25 * UNIT))
    net.net.visibility[1].bias.data = torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(net.predict(torch.rand(1, 36, 16, 12)).places, places(16, 12))
