"""Prepare, check, poses, train one step, run: the way a user goes, on both minis."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mini_deepfashion
import mini_market
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fhpt_bench import api, baselines, train_data
from fhpt_bench.cli import app
from fhpt_bench.datasets import load
from fhpt_bench.train import train
from fhpt_bench.train_data import TrainingPairs

CONFIG = """
[wee.model]
size = {size}
widths = [4, 8]
blocks = 1
dropout = 0.0
stem = 3
head = 3
code = 8
style = [4, 4, 4, 4, 4, 4]
hidden = 8
kernel = 3
sigma = 2.0
[wee.judges]
widths = [4, 8]
blocks = 0
dropout = 0.0
stem = 3
[wee.losses]
network = "random"
taps = ["relu1_1"]
style_taps = ["relu1_1"]
[wee.training]
optimizer = "adam"
lr = 1e-3
betas = [0.5, 0.999]
weight_decay = 0.0
constant = 1.0
samples = 2
batch = 2
phases = [{{ until = 1.0, kind = "joint" }}]
"""
PROTOCOL = """
name = "mini-v1"
title = "Pixels"
frozen = false
data = "{data}"
size = {size}
headline = ["ssim", "psnr"]
[[metrics]]
use = "ssim"
name = "ssim"
regions = ["foreground", "face"]
[[metrics]]
use = "psnr"
name = "psnr"
"""


def command(*arguments: object) -> dict:
    told = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert told.exit_code in (0, 3), told.output
    return json.loads(told.stdout)


@pytest.mark.parametrize(("kind", "size", "pairs"), [("deepfashion", (256, 256), 18), ("market1501", (128, 64), 14)])
def test_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, size: tuple[int, int], pairs: int
) -> None:
    if kind == "deepfashion":
        source = mini_deepfashion.write_parsing(
            mini_deepfashion.write_lists(mini_deepfashion.write_inshop(tmp_path / "src", zipped=True))
        )
    else:
        source = mini_market.write_lists(mini_market.write_archive(tmp_path / "src"))
    # Keypoints of one half only: a detector finds the rest, and pairs are derived.
    for file in (*source.glob("*annotation-train*"), *source.glob("*pairs*")):
        file.unlink()
    if kind == "market1501":
        mini_market.write_lists(tmp_path / "lists", with_pairs=False)
        names = "".join(f"{photo.stem}.jpg\n" for photo in mini_market.of("train"))
        (source / "train.lst").write_text(names)
    folder = tmp_path / "data" / kind
    summary = command("data", "prepare", kind, source, folder, "--json")
    assert summary["counts"]["patn-test pairs"] == pairs
    found = command("data", "poses", folder, "--json")
    assert found["photographs"] == len((folder / "lists" / "patn-train.lst").read_text().split())
    assert found["derived"]["patn-train"] > 6
    states = {finding["state"] for finding in command("data", "check", folder, "--json")}
    assert "damaged" not in states

    wee = tmp_path / "baselines" / f"wee_{kind}"
    wee.mkdir(parents=True)
    (wee / "config.toml").write_text(CONFIG.format(size=list(size)))
    (wee / "model.py").write_text("")
    (wee / "__init__.py").write_text("from fhpt_bench.baselines.drn.training import build\n")
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__, str(wee.parent)])
    best = train(wee.name, config="wee", data=str(folder), out=tmp_path / "trained", device="cpu", log_every=1)
    assert best.name == "000000002"
    log = [json.loads(line) for line in (tmp_path / "trained" / "log.jsonl").read_text().splitlines()]
    assert np.isfinite(log[0]["l1"])

    protocol = tmp_path / "mini.toml"
    protocol.write_text(PROTOCOL.format(data=kind, size=list(size)))
    monkeypatch.setenv("FHPT_BENCH_DATA", str(folder.parent))
    record = api.run("copy-source", protocol=protocol, out=tmp_path / "run", device="cpu")
    assert (record.data.name, record.data.pairs) == (kind, pairs)
    assert 0 < record.score("ssim").value < 1
    assert (record.score("ssim/foreground").value is not None) == (kind == "deepfashion")
    truth = api.run("truth", protocol=protocol, data=str(folder), out=tmp_path / "truth", device="cpu")
    assert truth.score("ssim").value == pytest.approx(1)
    assert truth.data.sha256 == record.data.sha256


def test_training_does_not_need_the_photographs_in_memory(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(str(fashion), "train")
    whole = TrainingPairs(data, seed=3, hue=0.5)
    monkeypatch.setattr(train_data, "IN_MEMORY", 0)
    lazy = TrainingPairs(data, seed=3, hue=0.5)
    assert whole.images is not None and lazy.images is None
    for scale in (1.0, 0.5):
        one, other = whole.drawn(range(5), scale), lazy.drawn(range(5), scale)
        for key in one:
            torch.testing.assert_close(one[key], other[key], rtol=0, atol=0, equal_nan=True)


def test_a_run_at_another_size_than_the_archive_can_give(tmp_path: Path, fashion: Path) -> None:
    folder = Path(shutil.copytree(fashion, tmp_path / "deepfashion"))
    protocol = tmp_path / "mini.toml"
    protocol.write_text(PROTOCOL.format(data="deepfashion", size=[512, 352]))
    record = api.run("copy-source", protocol=protocol, data=str(folder), out=tmp_path / "run", limit=2, device="cpu")
    assert record.data.limit == 2
