"""``fhpt-bench inspect``: pictures of features and residuals whose answer is known, and the figure of a whole model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stick_figures import Sticks

from fhpt_bench.errors import BenchError
from fhpt_bench.images import read
from fhpt_bench.inspection import around_grey, inspect, principal_colours
from fhpt_bench.types import Prompt


def test_red_green_and_blue_are_what_varies_most_second_and_third() -> None:
    rng = np.random.default_rng(0)
    deep = np.zeros((3, 8, 16, 11))
    for channel, spread in ((5, 9.0), (2, 4.0), (7, 1.0)):
        deep[:, channel] = rng.normal(0, spread, (3, 16, 11))
    deep[:, 4] = 100  # a constant is no component, however large
    images = np.stack(principal_colours(deep, (16, 11))).astype(float)
    for colour, channel in enumerate((5, 2, 7)):
        straight = np.corrcoef(images[..., colour].ravel(), deep[:, channel].ravel())[0, 1]
        assert straight > 0.97, "and not turned round: its largest weight is positive"
        assert (images[..., colour].min(), images[..., colour].max()) == (0, 255)


def test_cells_are_enlarged_without_smoothing_and_colours_hold_for_all_images() -> None:
    deep = np.random.default_rng(1).normal(size=(2, 5, 4, 3))
    large, small = principal_colours(deep, (32, 24)), principal_colours(deep, (4, 3))
    for a, b in zip(large, small, strict=True):
        np.testing.assert_array_equal(a, b.repeat(8, 0).repeat(8, 1))
    same = principal_colours(np.concatenate([deep, deep]), (4, 3))
    np.testing.assert_array_equal(same[0], same[2])
    with pytest.raises(BenchError, match="2 channels"):
        principal_colours(deep[:, :2], (4, 3))


def test_residuals_lie_around_grey() -> None:
    residual = np.zeros((2, 4, 4, 3))
    residual[0, 0, 0], residual[1, 1, 1, 2] = -40, 20
    shown, scale = around_grey(residual)
    assert scale == 40
    assert shown[0][0, 0].tolist() == [0, 0, 0]
    assert shown[1][1, 1].tolist() == [128, 128, 191]
    assert around_grey(np.zeros((1, 2, 2, 3)))[0][0].tolist() == np.full((2, 2, 3), 128).tolist()


class Half:
    """Gives half of the source, and the image it would make."""

    def generate(self, prompts):
        return [p.source.image for p in prompts]

    def inspect(self, prompts):
        return {"half": [p.source.image // 2 for p in prompts], "seed": [self.flat(p.seed) for p in prompts]}

    @staticmethod
    def flat(seed: int):
        return np.full((64, 44, 3), seed % 256, np.uint8)


class Short(Half):
    def inspect(self, prompts):
        return {"half": [p.source.image for p in prompts][1:]}


class Floats(Half):
    def inspect(self, prompts):
        return {"half": [p.source.image / 255 for p in prompts]}


class Closed:
    def generate(self, prompts):
        return [p.source.image for p in prompts]


def test_figure_of_any_model_that_has_inspect(tmp_path: Path) -> None:
    data, out = Sticks("test"), tmp_path / "new" / "inside.png"
    ids = [data[7].id, data[2].id]
    said = inspect(f"{__file__}:Half", out, data=data, pairs=ids, device="cpu")
    assert said["pairs"] == ids
    assert said["columns"] == ["source", "pose", "half", "seed", "truth"]
    sheet = read(out)[0]
    assert sheet.shape == (24 + 2 * 64 + 4, 5 * 44 + 4 * 4, 3)
    first, second = sheet[24:88], sheet[92:156]
    for row, pair in ((first, data[7]), (second, data[2])):
        np.testing.assert_array_equal(row[:, :44], pair.source.image)
        np.testing.assert_array_equal(row[:, 96:140], pair.source.image // 2)
        np.testing.assert_array_equal(row[:, 192:], pair.target.image)
        assert (row[:, 48:92] != 255).any()
    assert said["file"] == str(out)


def test_pairs_are_spread_over_the_split(tmp_path: Path) -> None:
    data = Sticks("test")
    said = inspect(f"{__file__}:Half", tmp_path / "a.png", data=data, count=3, device="cpu")
    assert said["pairs"] == [data[i].id for i in (0, 4, 8)]


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    data, out = Sticks("test"), tmp_path / "a.png"
    near = data[0].id[:-1] + "9"
    cases = [
        (f"{__file__}:Closed", {}, "these have: drn"),
        ("truth", {}, "these have: drn"),
        (f"{__file__}:Half", {"pairs": [near]}, f"did you mean .*{data[0].id}"),
        (f"{__file__}:Half", {"count": 0}, "--count 0"),
        (f"{__file__}:Half", {"count": 99}, "the split has 12 pairs"),
        (f"{__file__}:Short", {"count": 2}, "1 images of .* for 2 prompts"),
        (f"{__file__}:Floats", {"count": 2}, "float64"),
    ]
    for model, options, message in cases:
        with pytest.raises(BenchError, match=message):
            inspect(model, out, data=data, device="cpu", **options)
    with pytest.raises(BenchError, match="PNG"):
        inspect(f"{__file__}:Half", tmp_path / "a.jpg", data=data, device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_drn_shows_what_it_makes(tmp_path: Path) -> None:
    """The final column is the image it generates; coarse + residual is final where nothing was clipped."""
    import torch

    from fhpt_bench.baselines._parts import shipped
    from fhpt_bench.baselines.drn.generator import FOLDER, DRNGenerator
    from fhpt_bench.baselines.drn.model import DRN, Shape
    from fhpt_bench.train_config import parse
    from fhpt_bench.train_config import read as settings

    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    sha256 = shipped.save(DRN(parse(Shape, settings(FOLDER, "tiny"), "model")).state_dict(), path)
    model = DRNGenerator(config="tiny", weights=path, sha256=sha256)
    data = Sticks("test")
    prompts = [Prompt(data[i].id, data[i].source, data[i].target.pose, i) for i in range(3)]
    shown = model.inspect(prompts)
    features, coarse, residual, final = (np.stack(images).astype(float) for images in shown.values())
    np.testing.assert_array_equal(final, np.stack(model.generate(prompts)))
    title = next(t for t in shown if t.startswith("residual"))
    scale = float(title.partition("±")[2])
    back = coarse + (residual - 127.5) / 127.5 * scale
    inside = (final > 0) & (final < 255) & (coarse > 0) & (coarse < 255)
    assert inside.mean() > 0.5
    assert np.abs(back - final)[inside].max() < 2 + 0.01 * scale
    assert features.shape == final.shape
    assert features.std() > 10


def test_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fhpt_bench", "inspect"]
    options = ["drn", "--count", "2", "--out", "x/inside.png", "--device", "cpu", "--json"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["file"], said["model"], len(said["pairs"])) == ("x/inside.png", "drn", 2)
    assert said["columns"][:4] == ["source", "pose", "features (PCA)", "coarse"]
    assert read(tmp_path / "x" / "inside.png")[0].shape[1] == 12 * 176 + 11 * 4
    wrong = subprocess.run([*command, "blank"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "these have: drn" in wrong.stderr
