"""DRN's face module: sketches, crops and masks against answers known otherwise; where it has a part and where not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))
from annotated_figures import AnnotatedSticks
from stick_figures import Sticks
from sweep import Optimisers, pairs_for, snapshot

from fhpt_bench import registry, train_config
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.sketch import STROKES, sketch
from fhpt_bench.baselines.drn import DRNCoarse, DRNGenerator, DRNNoFace, face, training
from fhpt_bench.baselines.drn.generator import FOLDER
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.datasets.skeletons import FACE_POINTS
from fhpt_bench.errors import BenchError
from fhpt_bench.train import train
from fhpt_bench.train_extras import FACE_FLIP
from fhpt_bench.types import Pose, Prompt

CROP = face.Crop(side=32, margin=1.25, blur=0.05)
DATA = f"{Path(__file__).parents[1] / 'annotated_figures.py'}:AnnotatedSticks"


def settings(name: str) -> dict[str, Any]:
    config = train_config.read(FOLDER, name)
    random = {"network": "random", "taps": ["relu1_1", "relu2_1"], "style_taps": ["relu2_1"]}
    return {**config, "losses": {**config["losses"], **random}}


def points(*known: tuple[str, float, float]) -> Tensor:
    result = torch.full((1, len(FACE_POINTS), 2), torch.nan)
    for name, x, y in known:
        result[0, FACE_POINTS.index(name)] = torch.tensor([x, y])
    return result


def test_a_stroke_by_hand() -> None:
    drawn = sketch(points(("r_nostril", 4, 6), ("nose_base", 9, 6), ("mouth_top", 2, 2)), (12, 16), 1.5)[0, 0]
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing="ij")
    distance = (x - x.clamp(4, 9)).square() + (y - 6).square()
    torch.testing.assert_close(drawn, torch.exp(-distance / (2 * 1.5**2)))
    assert sketch(points(("mouth_top", 2, 2)), (12, 16), 1.5).eq(0).all(), "one point makes no stroke"
    with pytest.raises(ValueError, match="18 points"):
        sketch(torch.zeros(1, 18, 2), (12, 16), 1.0)


def test_a_sketch_is_the_nearest_of_all_its_strokes() -> None:
    """Against strokes as many points each."""
    where = torch.rand(2, len(FACE_POINTS), 2, generator=torch.Generator().manual_seed(0)) * 20
    drawn = sketch(where, (20, 20), 1.0)
    steps = torch.linspace(0, 1, 400)[:, None]
    for n in range(2):
        dots = torch.cat([where[n, a] + steps * (where[n, b] - where[n, a]) for a, b in STROKES])
        y, x = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
        nearest = torch.cdist(torch.stack([x.flatten(), y.flatten()], 1), dots).amin(1).view(20, 20)
        torch.testing.assert_close(drawn[n, 0], torch.exp(-nearest.square() / 2), atol=2e-3, rtol=0)
    assert {name for stroke in STROKES for name in (FACE_POINTS[i] for i in stroke)} == set(FACE_POINTS)


def test_a_mirrored_face_has_the_mirrored_sketch() -> None:
    where = torch.rand(1, len(FACE_POINTS), 2) * 20
    mirrored = where[:, FACE_FLIP] * torch.tensor([-1.0, 1.0]) + torch.tensor([19.0, 0.0])
    torch.testing.assert_close(sketch(mirrored, (20, 20), 1.0), sketch(where, (20, 20), 1.0).flip(3))


def test_squares_lie_on_whole_pixels_about_the_box() -> None:
    boxes = torch.tensor([[10.5, 3.5, 28.5, 27.5], [-0.5, -0.5, 7.5, 3.5]])
    assert face.squares(boxes, CROP).tolist() == [[4.5, 0.5, 34.5, 30.5], [-1.5, -3.5, 8.5, 6.5]]


def test_crops_show_what_their_points_say() -> None:
    """On an image whose colour is the place; bicubic interpolation errs by 0.02 pixels on straight lines."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    image = torch.stack([x / 24 - 1, y / 32 - 1, 0 * x])[None]
    square = face.squares(torch.tensor([[12.5, 10.5, 28.5, 34.5]]), CROP)
    crop = face.cut(image, square, CROP.side)
    inside = face.in_crop(torch.tensor([[[20.0, 22.0], [14.0, 30.0]]]), square, CROP.side)
    for place, true in zip(inside[0], ((20, 22), (14, 30)), strict=True):
        grid = ((place + 0.5) * 2 / CROP.side - 1)[None, None, None]
        colour = F.grid_sample(crop, grid, mode="bilinear", align_corners=False).flatten()
        torch.testing.assert_close(colour[:2], torch.tensor([true[0] / 24 - 1, true[1] / 32 - 1]), atol=1e-3, rtol=0)


def test_cutting_is_bicubic_resizing() -> None:
    image = torch.rand(1, 3, 64, 48) - 0.5
    square = torch.tensor([[8.5, 11.5, 24.5, 27.5]])
    here = F.interpolate(image[:, :, 12:28, 9:25], (32, 32), mode="bicubic", align_corners=False)
    crop = face.cut(image, square, 32)
    torch.testing.assert_close(crop[..., 6:-6, 6:-6], here[..., 6:-6, 6:-6], atol=1e-5, rtol=1e-4)  # margins see beyond
    outside = face.cut(image, torch.tensor([[-20.5, -20.5, -10.5, -10.5]]), 8)
    torch.testing.assert_close(outside, image[:, :, :1, :1].expand(-1, -1, 8, 8))


def test_the_mask_is_the_blurred_box() -> None:
    box, fine = torch.tensor([[9.5, 12.5, 29.5, 40.5]]), 8
    mask = face.soft_box(box, (64, 48), torch.tensor([1.7]))[0, 0]
    indicator = np.zeros((64 * fine, 48 * fine))
    indicator[13 * fine : 41 * fine, 10 * fine : 30 * fine] = 1
    blurred = gaussian_filter(indicator, 1.7 * fine, mode="constant", truncate=8)
    middle = slice(fine // 2 - 1, None, fine)
    np.testing.assert_allclose(mask, (blurred[middle, middle] + np.roll(blurred, (-1, -1), (0, 1))[middle, middle]) / 2, atol=2e-3)  # fmt: skip  # noqa: E501
    assert mask.sum().item() == pytest.approx(20 * 28, rel=1e-4)


def test_blending_is_the_papers_formula_and_touches_the_square_alone() -> None:
    image, made = torch.rand(1, 3, 64, 48) * 2 - 1, torch.full((1, 3, 32, 32), 0.25)
    box = torch.tensor([[10.5, 14.5, 26.5, 38.5]])
    result, mask = face.blend(image, made, box, CROP)
    torch.testing.assert_close(result, (1 - mask) * image + mask * 0.25)
    left, top, right, bottom = (int(v) for v in (face.squares(box, CROP)[0] + 0.5).tolist())
    outside = torch.ones(64, 48, dtype=torch.bool)
    outside[top:bottom, left:right] = False
    assert torch.equal(result[..., outside], image[..., outside])
    assert mask[..., outside].eq(0).all()
    assert mask[0, 0, 26, 18] > 0.999
    assert mask[0, 0, 26, 11] == pytest.approx(0.66, abs=0.02), "half a pixel inside the edge, sigma 1.2"


@pytest.mark.parametrize("shift", [(-12, 0), (0, -20), (30, 0), (0, 45), (25, 40), (-200, 0)])
def test_faces_at_the_frames_edge_are_clipped(shift: tuple[int, int]) -> None:
    image = torch.zeros(1, 3, 64, 48)
    box = torch.tensor([[10.5, 14.5, 26.5, 38.5]]) + torch.tensor([*shift, *shift])
    result, mask = face.blend(image, torch.ones(1, 3, 32, 32), box, CROP)
    there = box + torch.tensor([200.0, 100, 200, 100])
    padded, _ = face.blend(torch.zeros(1, 3, 264, 448), torch.ones(1, 3, 32, 32), there, CROP)
    torch.testing.assert_close(result, padded[:, :, 100:164, 200:248])
    torch.testing.assert_close(result, mask.expand(-1, 3, -1, -1))


def test_a_true_crop_put_back_is_the_image() -> None:
    """Smooth enough that enlarging and reducing lose little."""
    noise = torch.rand(1, 3, 16, 12, generator=torch.Generator().manual_seed(1)) - 0.5
    image = F.interpolate(noise, (64, 48), mode="bicubic", align_corners=False)
    box = torch.tensor([[10.5, 14.5, 26.5, 38.5]])
    crop = face.cut(image, face.squares(box, CROP), CROP.side)
    back, mask = face.blend(image, crop, box, CROP)
    assert (back - image).abs().max() < 0.02
    assert (image - mask * image).abs().max() > 0.4, "as it would be with nothing put back"


def test_only_two_frontal_faces_train_and_use_it() -> None:
    data = AnnotatedSticks("train")
    model = training.build(settings("tiny-face"))
    pairs = pairs_for(model)
    assert (len(pairs), len(pairs.refused)) == (6, 12)  # of three photos a person the last is not frontal
    pair = next(data[i] for i in range(len(data)) if model.accepts(data[i]))
    pose = pair.target.pose
    assert pose.face is not None
    blind = np.full_like(pose.face.points, np.nan)
    for changed in (
        None,
        replace(pose.face, frontal=False),
        replace(pose.face, box=None),
        replace(pose.face, points=blind),
        replace(pose.face, visible=np.zeros_like(pose.face.visible)),
    ):
        other = replace(pair.target, pose=Pose(pose.keypoints, pose.visible, face=changed))
        assert not model.accepts(replace(pair, target=other))
        assert not model.accepts(replace(pair, source=other))


def test_crops_of_a_batch_are_where_the_heads_are() -> None:
    data = AnnotatedSticks("train")
    model = training.build(settings("tiny-face"))
    batch = pairs_for(model, data).batch(range(4))
    small = face.crops(batch, model.crop)
    assert small["source"].shape == small["target"].shape == (4, 3, 16, 16)
    for role in ("source", "target"):
        middle = small[role][:, :, 6:10, 6:10]
        assert (middle.amax((2, 3)) - middle.amin((2, 3))).max() < 0.5, "one colour: the head's"
        tip = small[f"{role}_points"][:, FACE_POINTS.index("nose_tip")]
        assert (tip - 7.5).abs().max() < 2


def test_it_trains_by_the_cycle_on_crops() -> None:
    model = training.build(settings("tiny-face"))
    pairs, shapes = pairs_for(model), []
    model.d_shape.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    update = Optimisers(model)
    losses = model.step(pairs.drawn(range(4)), update, "cycle")
    assert shapes == [(4, 4, 16, 16)] * 7, "a crop and a sketch; once to fool it, twice in each of its three steps"
    assert {"coarse_l1", "gan", "judges"} <= losses.keys()
    for name, parameter in model.network.named_parameters():
        assert update.reached.get(id(parameter), 0.0) > 0, name
    assert model.validate(pairs.batch(range(2))).shape == (2,)
    assert {image.shape for image in model.sample(pairs.batch(range(2))).values()} == {(2, 3, 64, 64)}


def test_it_learns_four_faces_by_heart() -> None:
    torch.manual_seed(0)
    model = training.build(settings("tiny-face"))
    batch, update = pairs_for(model).batch(range(4)), Optimisers(model)
    first = model.step(batch, update, "joint")["l1"]
    for _ in range(120):
        last = model.step(batch, update, "joint")["l1"]
    assert last < 0.3 * first


def test_phases_of_smaller_images_are_refused() -> None:
    config = settings("tiny-face")
    config["training"]["phases"] = [{"until": 1.0, "kind": "joint", "scale": 0.5}]
    with pytest.raises(BenchError, match="crops of the full image"):
        training.build(config)


def test_both_stages_train_in_turn(tmp_path: Path) -> None:
    best = train("drn", config="tiny-full", data=DATA, out=tmp_path, budget="2s", device="cpu")
    assert best.parent.parent == tmp_path / "tiny-face"
    assert (tmp_path / "tiny" / "snapshots").is_dir()
    assert train_config.stages(FOLDER, "full") == ["small", "small-face"]
    assert train_config.stages(FOLDER, "full+end2end") == ["small+end2end", "small-face+end2end"]


@pytest.mark.parametrize("ablation", ["pb-only", "pb-fixed", "texture64dim", "end2end", "coarse"])
def test_ablations_reach_the_face_module(ablation: str) -> None:
    model = training.build(settings(f"tiny-face+{ablation}"))
    pairs, update = pairs_for(model), Optimisers(model)
    model.step(pairs.drawn(range(4)), update, "cycle")
    plain = training.build(settings("tiny-face"))
    assert (model.network.detail is None) == (ablation == "pb-only")
    assert model.losses.alternate == (ablation != "end2end")
    assert model.network.shape.code == (64 if ablation == "texture64dim" else plain.network.shape.code)
    assert model.network.shape.output == ("coarse" if ablation == "coarse" else "final")
    assert model.losses.train_transfer, "PB fixed: whose weights would these be?"


def prompts(data: Sticks) -> list[Prompt]:
    return [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(len(data))]


@pytest.fixture
def generators(tmp_path: Path) -> tuple[DRNGenerator, DRNNoFace]:
    given: dict[str, Any] = {}
    for config, prefix in (("tiny", ""), ("tiny-face", "face_")):
        torch.manual_seed(0)
        path = tmp_path / f"{config}.safetensors"
        given[f"{prefix}sha256"] = shipped.export(snapshot(training.build(settings(config)), tmp_path / config), path)
        given |= {f"{prefix}config": config, f"{prefix}weights": path}
    return DRNGenerator(**given), DRNNoFace(**{k: v for k, v in given.items() if not k.startswith("face_")})


def test_it_changes_the_face_alone_and_only_of_frontal_pairs(generators: tuple[DRNGenerator, DRNNoFace]) -> None:
    with_face, without = generators
    data, used = AnnotatedSticks("test"), 0
    for prompt in prompts(data):
        (a,), (b,) = with_face.generate([prompt]), without.generate([prompt])
        if face.shown(prompt.source.pose) is None or face.shown(prompt.pose) is None:
            assert np.array_equal(a, b), "bit for bit"
            continue
        used += 1
        rows, columns = np.nonzero((a != b).any(2))
        box = torch.tensor([prompt.pose.face.box])  # type: ignore[union-attr]
        left, top, right, bottom = (int(v) for v in (face.squares(box, with_face.face.crop)[0] + 0.5).tolist())  # type: ignore[union-attr]
        assert len(rows) > 20
        assert (rows >= top).all() and (rows < bottom).all() and (columns >= left).all() and (columns < right).all()
    assert used == 4
    for figure in prompts(Sticks("test")):  # no faces known
        assert np.array_equal(with_face.generate([figure])[0], without.generate([figure])[0])


def test_an_image_depends_on_its_prompt_alone(generators: tuple[DRNGenerator, DRNNoFace]) -> None:
    model, given = generators[0], prompts(AnnotatedSticks("test"))
    together = model.generate(given)
    for prompt, image in reversed(list(zip(given, together, strict=True))):
        assert np.array_equal(model.generate([replace(prompt, seed=99)])[0], image)


def test_the_target_face_is_made_of_the_source_and_the_pose(generators: tuple[DRNGenerator, DRNNoFace]) -> None:
    """No pixel of the target is read: a prompt has none; moving its face moves what is made."""
    model = generators[0]
    prompt = next(p for p in prompts(AnnotatedSticks("test")) if face.shown(p.source.pose) and face.shown(p.pose))
    known = prompt.pose.face
    assert known is not None and known.box is not None
    x0, y0, x1, y1 = known.box
    moved = replace(known, points=known.points + np.float32([6, 4]), box=(x0 + 6, y0 + 4, x1 + 6, y1 + 4))
    plain, other = (model.inspect([replace(prompt, pose=replace(prompt.pose, face=f))]) for f in (known, moved))
    assert np.array_equal(plain["sketch"][0], other["sketch"][0]), "the same drawing in the same crop"
    assert np.array_equal(plain["made face"][0], other["made face"][0])
    rolled = np.roll(plain["mask"][0].astype(int), (4, 6), (0, 1))
    assert np.abs(rolled - other["mask"][0]).max() <= 1


def test_inspecting_shows_the_face_or_a_white_page(generators: tuple[DRNGenerator, DRNNoFace]) -> None:
    model, given = generators[0], prompts(AnnotatedSticks("test"))
    columns = model.inspect(given)
    names = ["without face", "source face", "sketch", "made face", "mask", "final"]
    assert list(columns)[-6:] == names
    assert all(image.shape == (64, 44, 3) and image.dtype == np.uint8 for name in names for image in columns[name])
    for i, prompt in enumerate(given):
        assert np.array_equal(columns["final"][i], model.generate([prompt])[0])
        unused = face.shown(prompt.source.pose) is None or face.shown(prompt.pose) is None
        assert (columns["made face"][i] == 255).all() == unused
    assert list(generators[1].inspect(given))[-1] == "final"


def test_own_weights_without_a_face_modules_have_none(
    generators: tuple[DRNGenerator, DRNNoFace], tmp_path: Path
) -> None:
    sha256 = generators[1].card["weights_sha256"]
    model = DRNGenerator(config="tiny", weights=tmp_path / "tiny.safetensors", sha256=sha256)
    assert model.face is None and "face" not in model.card
    given = prompts(AnnotatedSticks("test"))[:2]
    assert all(np.array_equal(a, b) for a, b in zip(model.generate(given), generators[1].generate(given), strict=True))
    assert list(model.inspect(given))[-1] == "final"
    with pytest.raises(BenchError, match="not the ones"):
        DRNGenerator(
            config="tiny", weights=tmp_path / "tiny.safetensors", sha256=sha256,
            face_config="tiny-face", face_weights=tmp_path / "tiny.safetensors", face_sha256="0" * 64,
        )  # fmt: skip


def test_what_ships() -> None:
    models = {name: registry.find("generators", name)() for name in ("drn", "drn-noface", "drn-coarse")}
    assert [type(model) for model in models.values()] == [DRNGenerator, DRNNoFace, DRNCoarse]
    assert {name: model.card["name"] for name, model in models.items()} == {name: name for name in models}
    assert len({model.card["weights_sha256"] for model in models.values()}) == 1
    module = models["drn"].face
    assert module is not None
    assert module.card["parameters"] == models["drn"].card["parameters"] - models["drn-noface"].card["parameters"]
    assert module.card["parameters"] <= 250_000
    assert (FOLDER / module.card["weights"]).stat().st_size <= 500_000
    assert models["drn"].card["face"]["weights_sha256"] == module.card["weights_sha256"]


def test_paper_sizes() -> None:
    with torch.device("meta"):
        _, shape = face.tables(train_config.read(FOLDER, "paper-face"))
        network = DRN(shape)
        body = DRN(train_config.parse(Shape, train_config.read(FOLDER, "paper"), "model"))
    assert network.maps(points(), 64, (64, 64)).shape == (1, 1, 64, 64)
    counts = [sum(p.numel() for p in net.parameters()) for net in (network, body)]
    assert counts[1] - counts[0] == 34 * 64 * 49, "DRN's but for 2 maps in the place of 36"


def test_images_without_the_face_module_are_those_of_before() -> None:
    """What DRN made before it had a face module: mean colours of six bands of three images."""
    from fhpt_bench.datasets.catwalk import Catwalk

    data = Catwalk()
    by_id = {data[i].id: data[i] for i in range(0, len(data), 60)}
    model = DRNNoFace()
    for pair_id, expected in BANDS.items():
        pair = by_id[pair_id]
        (image,) = model.generate([Prompt(pair.id, pair.source, pair.target.pose, 0)])
        bands = np.array([band.mean((0, 1)) for band in np.array_split(image.astype(np.float64), 6)])
        np.testing.assert_allclose(bands, expected, atol=0.05)


BANDS = {
    "te00-o1-v1_2_te00-o1-v5": [
        [241.01, 232.12, 226.82], [230.56, 219.74, 214.81], [167.91, 154.03, 151.36],
        [143.76, 131.47, 129.42], [133.7, 119.73, 117.33], [123.22, 116.49, 115.43],
    ],
    "te09-o1-v8_2_te09-o1-v3": [
        [235.51, 231.87, 229.87], [212.1, 210.04, 213.31], [154.3, 160.42, 176.12],
        [167.44, 170.68, 183.57], [192.76, 195.99, 208.35], [212.04, 210.35, 215.84],
    ],
    "te22-o1-v6_2_te22-o1-v4": [
        [240.75, 236.76, 234.95], [234.66, 227.62, 219.27], [208.3, 194.87, 177.68],
        [210.75, 204.68, 191.17], [187.41, 190.02, 181.77], [212.59, 208.18, 200.28],
    ],
}  # fmt: skip
