"""DSC: sizes, the deformation against a slow one written from the facts, missing joints, losses, refused pairs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fhpt_bench import train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines.dsc import training
from fhpt_bench.baselines.dsc.generator import DSCGenerator
from fhpt_bench.baselines.dsc.model import DSC, JointNorm, Judge, Shape
from fhpt_bench.baselines.dsc.nearest import nearest_neighbour
from fhpt_bench.baselines.dsc.warp import REGIONS, find, fit, lacking, warp
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import OUTSIDE, Pair, Prompt

sys.path.insert(0, str(Path(__file__).parents[1]))
from stick_figures import Sticks

FOLDER = DSCGenerator.folder
SIZE = (64, 48)
R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST, R_HIP, R_KNEE, R_ANKLE, L_HIP, L_KNEE, L_ANKLE = range(
    2, 14
)
NOSE, EYES_AND_EARS = 0, (14, 15, 16, 17)


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


# A figure of about 64 x 48 that no rule treats specially, and the same in another pose.


def person(seed: int = 0, spread: float = 2.0) -> NDArray[np.float64]:
    """18 x 2."""
    x = [24, 24, 16, 12, 9, 32, 36, 39, 18, 17, 16, 30, 31, 32, 22, 26, 20, 28]
    y = [8, 14, 15, 24, 33, 15, 24, 33, 34, 46, 57, 34, 46, 57, 6, 6, 7, 7]
    return np.stack([x, y], 1) + np.random.default_rng(seed).normal(0, spread, (18, 2))


# The slow deformation: one image, one region, one pixel at a time, from the sheet of facts.


def slow_size(points: NDArray[np.float64]) -> float:
    right, left = points[R_SHOULDER] - points[R_HIP], points[L_SHOULDER] - points[L_HIP]
    return float(np.sqrt((right @ right + left @ left) / 2))


LIMBS = {
    "r_thigh": (R_HIP, R_KNEE), "l_thigh": (L_HIP, L_KNEE), "r_shin": (R_KNEE, R_ANKLE), "l_shin": (L_KNEE, L_ANKLE),
    "r_upper_arm": (R_SHOULDER, R_ELBOW), "l_upper_arm": (L_SHOULDER, L_ELBOW),
    "r_forearm": (R_ELBOW, R_WRIST), "l_forearm": (L_ELBOW, L_WRIST),
}  # fmt: skip


def slow_corners(points: NDArray[np.float64], limb: str, more: float) -> NDArray[np.float64] | None:
    start, end = (points[joint] for joint in LIMBS[limb])
    if np.isnan(start).any() or np.isnan(end).any():
        return None
    length = np.hypot(*(end - start))
    ahead = (end - start) / length
    aside = np.array([-ahead[1], ahead[0]]) * 0.2 * slow_size(points)
    first, last = start - 0.1 * length * ahead, end + more * length * ahead
    return np.array([first - aside, first + aside, last + aside, last - aside])


def inside(corners: NDArray[np.float64], place: NDArray[np.float64]) -> bool:
    """Whether a place is on the same side of all four edges of a convex quadrilateral."""
    sides = []
    for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
        sides.append((b - a)[0] * (place - a)[1] - (b - a)[1] * (place - a)[0])
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def slow_mask(points: NDArray[np.float64], region: str, size: tuple[int, int], mode: str) -> NDArray[np.bool_]:
    mask = np.zeros(size, bool)
    if region == "torso":
        return ~mask
    if region == "head":
        seen = [points[j] for j in (NOSE, *EYES_AND_EARS) if not np.isnan(points[j]).any()]
        if not seen:
            return mask
        middle, st = np.mean(seen, 0), slow_size(points)
        half = int(0.40 * st**2) if mode == "released" else 0.40 * st
        for y in range(size[0]):
            for x in range(size[1]):
                mask[y, x] = abs(x - middle[0]) <= half and abs(y - middle[1]) <= half
        return mask
    lower = region.endswith(("shin", "forearm"))
    corners = slow_corners(points, region, 0.5 if lower else 0.1)
    if corners is not None:
        for y in range(size[0]):
            for x in range(size[1]):
                mask[y, x] = inside(corners, np.array([x, y], float))
    return mask


def slow_fit(source: NDArray[np.float64], target: NDArray[np.float64], region: str) -> NDArray[np.float64] | None:
    """3 x 2: (x, y, 1) of the target @ it = (x, y) of the source."""
    if region in ("torso", "head"):
        joints = [R_SHOULDER, L_SHOULDER] + ([R_HIP, L_HIP] if region == "torso" else [NOSE, *EYES_AND_EARS])
        there = [j for j in joints if not (np.isnan(source[j]).any() or np.isnan(target[j]).any())]
        before, after = target[there], source[there]
    else:
        other = ("l" if region[0] == "r" else "r") + region[1:]
        more = 0.3 if region.endswith(("shin", "forearm")) else 0.1
        found = [slow_corners(target, region, more), slow_corners(source, region, more)]
        if found[1] is None:
            found[1] = slow_corners(source, other, more)
        if found[0] is None or found[1] is None:
            return None
        # The same corner of both: at the same end and on the same side of the limb.
        before, after = found
    design = np.column_stack([before, np.ones(len(before))])
    if np.linalg.matrix_rank(design, tol=1e-6) < 3:
        return None
    return np.linalg.lstsq(design, after, rcond=None)[0]


def slow_warp(
    features: NDArray[np.float32],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    masks: list[NDArray[np.bool_]],
    level: int,
) -> NDArray[np.float32]:
    """features C x h x w at 1 / 2^level of SIZE; masks of the target."""
    _, height, width = features.shape
    scale = 2**level
    warps = np.zeros((len(REGIONS), *features.shape), np.float32)
    for number, region in enumerate(REGIONS):
        mask, affine = masks[number], slow_fit(source, target, region)
        if affine is None:
            continue
        for y in range(height):
            for x in range(width):
                place = np.array([x, y]) @ affine[:2] + affine[2] / scale
                column, row = np.floor(place + 0.5).astype(int)
                if mask[y * scale, x * scale] and 0 <= column < width and 0 <= row < height:
                    warps[number, :, y, x] = features[:, row, column]
    return warps.max(0)


def regions_of(source: NDArray[np.float64], target: NDArray[np.float64], **options: Any) -> Any:
    return find(torch.from_numpy(source)[None], torch.from_numpy(target)[None], SIZE, **options)


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_the_warp_is_the_slow_one(mode: Any) -> None:
    people = [(person(1), person(2)), (person(3, 4.0), person(4, 4.0)), (person(5), person(6))]
    # Legs out of the frame, an arm that only the source lacks, and a head seen from behind.
    people[2][1][[R_KNEE, R_ANKLE, NOSE, 14, 15]] = np.nan
    people[2][0][[L_WRIST, R_ELBOW]] = np.nan
    source, target = (torch.from_numpy(np.stack(poses)) for poses in zip(*people, strict=True))
    regions = find(source, target, SIZE, mode=mode)
    masks = [[slow_mask(after, region, SIZE, mode) for region in REGIONS] for _, after in people]
    torch.manual_seed(0)
    for level in range(3):
        features = torch.randn(3, 4, SIZE[0] >> level, SIZE[1] >> level)
        fast = warp(features, regions.places(level)).numpy()
        for found, given, poses, about in zip(fast, features.numpy(), people, masks, strict=True):
            slow = slow_warp(given, *poses, about, level)
            # A place on the border between two cells, or on the edge of a mask, may fall to either side.
            assert (found != slow).any(0).mean() < 0.003
            assert (slow != 0).any(0).mean() > 0.5


def test_the_same_pose_leaves_everything_where_it_is() -> None:
    regions = regions_of(person(), person())
    image = torch.rand(1, 3, *SIZE) + 0.1
    assert torch.equal(warp(image, regions.places(0)), image)
    torch.testing.assert_close(regions.linear, torch.eye(2, dtype=torch.float64).expand(1, 10, 2, 2))
    torch.testing.assert_close(regions.shift, torch.zeros(1, 10, 2, dtype=torch.float64), atol=1e-9, rtol=0)
    cells = torch.arange(SIZE[0] * SIZE[1])
    for number, places in enumerate(regions.places(0)[0]):
        mask = regions.mask[0, number].flatten()
        assert mask.any()
        assert torch.equal(places[mask], cells[mask]), REGIONS[number]
        assert (places[~mask] == len(cells)).all()


def test_translation_divides_by_the_scale() -> None:
    regions = regions_of(person() + np.array([4.0, -8.0]), person())
    for level in range(3):
        height, width = SIZE[0] >> level, SIZE[1] >> level
        image = torch.rand(1, 3, height, width) + 0.1
        right, up = 4 >> level, 8 >> level
        expected = torch.zeros_like(image)
        expected[:, :, up:, : width - right] = image[:, :, : height - up, right:]
        assert torch.equal(warp(image, regions.places(level)), expected)


@pytest.mark.parametrize(("limb", "joint"), [("l_forearm", L_WRIST), ("r_thigh", R_KNEE), ("r_shin", R_ANKLE)])
def test_a_limb_missing_in_the_target_brings_nothing(limb: str, joint: int) -> None:
    source, target = person(1), person(2)
    target[joint] = np.nan
    regions, number = regions_of(source, target), REGIONS.index(limb)
    assert not regions.mask[0, number].any()
    assert not regions.linear[0, number].any()
    assert (regions.places(0)[0, number] == SIZE[0] * SIZE[1]).all()


def test_a_limb_missing_in_the_source_is_borrowed_from_the_other_side() -> None:
    source, target = person(1), person(2)
    whole = regions_of(source, target)
    right, left = REGIONS.index("r_forearm"), REGIONS.index("l_forearm")
    source[R_WRIST] = np.nan
    borrowed = regions_of(source, target)
    assert torch.equal(borrowed.mask, whole.mask)
    # The right elbow of the target is brought from the left elbow of the source.
    elbow = borrowed.linear[0, right] @ torch.from_numpy(target[R_ELBOW]) + borrowed.shift[0, right]
    np.testing.assert_allclose(elbow, source[L_ELBOW], atol=1.0)
    assert torch.equal(borrowed.linear[0, left], whole.linear[0, left])
    source[L_WRIST] = np.nan
    neither = regions_of(source, target)
    assert not neither.mask[0, [right, left]].any()
    assert neither.mask[0, REGIONS.index("r_upper_arm")].any()


def test_the_head() -> None:
    source, target, head = person(1), person(2), REGIONS.index("head")
    assert regions_of(source, target).mask[0, head].any()
    target[[NOSE, *EYES_AND_EARS]] = np.nan
    assert not regions_of(source, target).mask[0, head].any(), "nothing to see in the target"
    target = person(2)
    source[[NOSE, 14, 15]], target[[16, 17]] = np.nan, np.nan
    assert not regions_of(source, target).mask[0, head].any(), "no joint in common: two shoulders fix no affine map"
    # Half its side: 0.40 st, or as coded int(0.40 st^2) pixels of the full image.
    small = person() * 0.25 + [20, 20]
    st = slow_size(small)
    middle = small[[NOSE, *EYES_AND_EARS]].mean(0)
    for mode, unit, half in (
        ("paper", 1.0, 0.4 * st),
        ("released", 1.0, int(0.4 * st**2)),
        ("released", 2.0, int(0.4 * (2 * st) ** 2) / 2),
    ):
        columns = regions_of(small, small, mode=mode, unit=unit).mask[0, head].any(0).nonzero()[:, 0]
        assert columns.min() == max(0, np.ceil(middle[0] - half))
        assert columns.max() == min(SIZE[1] - 1, np.floor(middle[0] + half))


def test_singular_fits_and_unknown_torsos_bring_nothing() -> None:
    line = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [5.0, 5.0]], dtype=torch.float64)
    linear, shift, regular = fit(line, torch.rand(4, 2, dtype=torch.float64))
    assert not regular
    assert not linear.any()
    assert not shift.any()
    square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [torch.nan, 3.0]], dtype=torch.float64)
    assert fit(square, square)[2]
    assert not fit(square[[0, 1, 3]], square[[0, 1, 3]])[2], "two points are too few"
    target = person(2)
    target[R_KNEE] = target[R_HIP]  # no length, so no direction
    regions = regions_of(person(1), target)
    assert not regions.mask[0, REGIONS.index("r_thigh")].any()
    assert regions.linear.isfinite().all()
    target[L_HIP] = np.nan
    assert not regions_of(person(1), target).mask.any()


def test_gradients_reach_the_winner_only() -> None:
    regions = regions_of(person(1), person(2))
    features = torch.randn(1, 2, *SIZE, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(1, 2, *SIZE, dtype=torch.float64)
    places = regions.places(0)
    (found,) = torch.autograd.grad((warp(features, places) * weight).sum(), features)
    rows = torch.cat([features.flatten(2), torch.zeros(1, 2, 1, dtype=torch.float64)], 2)
    warps = rows[0][:, places[0]]  # C x R x cells
    (expected,) = torch.autograd.grad((warps.amax(1) * weight.flatten(2)[0]).sum(), features)
    torch.testing.assert_close(found, expected)


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
