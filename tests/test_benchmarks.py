"""The benchmark must not rot: its parts run, its page says what was measured, its protocol can be built."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fhpt_bench import protocol
from fhpt_bench.images import write_png
from fhpt_bench.metrics.psnr import PSNR
from fhpt_bench.metrics.ssim import SSIM
from fhpt_bench.types import Batch

ROOT = Path(__file__).parents[1]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.page")


def test_a_contender_measures_the_files_it_is_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (2, 64, 44, 3), dtype=np.uint8) for name in ("generated", "target")}
    for name, stack in images.items():
        for i, image in enumerate(stack):
            write_png(tmp_path / name / f"pair{i}.png", image)
    (tmp_path / "pairs.json").write_text('["pair0", "pair1"]')
    command = [sys.executable, "-m", "benchmarks.perceptual", "--only", "scikit-image", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    batch = Batch(["0", "1"], images["generated"], images["target"], images["target"], {})
    for score, metric in (("ssim", SSIM("ssim", regions=False)), ("psnr", PSNR("psnr", regions=False))):
        assert result["scores"][score] == pytest.approx(metric.measure(batch).mean(), abs=1e-6)
    assert all(clock > 0 and processor > 0 for clock, processor in result["times"].values())


def test_its_protocol_has_a_metric_for_every_tool() -> None:
    names = {metric.name for metric in protocol.load(ROOT / "benchmarks" / "perceptual.toml").build()}
    assert names == {"ssim", "psnr", "ms-ssim", "lpips[alex]", "lpips[vgg]", "fid", "kid"}


def measured(page: ModuleType, bare: float, load: float) -> dict[str, Any]:
    def parts(seconds: float, **scores: float) -> dict[str, Any]:
        return {"times": {"part": [seconds, 2 * seconds]}, "scores": scores}

    found = {name: parts(1, ssim=0.5) for name in page.TOOLS}
    found["bare"] = parts(bare, **{"distinct images": 15.0})
    found["own networks"] = parts(1)
    found["ours"] = {"times": {"measure": [5.0, 6.0], "summarise": [1.0, 0.0]}, "scores": {"ssim": 0.5}}
    ways = [("ours", 1.0), ("eigvals", 3.0), ("sqrtm", 7.0)]
    distance = [{"given": "samples", "way": way, "time": [s, s], "value": 1.0} for way, s in ways]
    memory = {"600": {"measuring": 100.0, "summarising": 20.0}, "6000": {"measuring": 110.0, "summarising": 150.0}}
    return {"pairs": 10, "load": [load], "contenders": found, "distance": distance, "memory": memory}


def test_the_page_says_whether_each_aim_was_met(page: ModuleType) -> None:
    text = page.write(measured(page, bare=5.0, load=0.0))
    assert "**1.20 x** the bare forward passes" in text
    assert "3.0 x as fast as `eigvals` (aim 2 x: met)" in text
    assert "7.0 x as fast as `sqrtm` (aim 8 x: **not met**)" in text
    assert "grows by **50 MB** (aim: at most 100 MB: met)" in text
    assert "**2.00 x** the bare" in page.write(measured(page, bare=3.0, load=0.0))


def test_on_a_busy_machine_it_compares_processor_time_and_says_so(page: ModuleType) -> None:
    text = page.write(measured(page, bare=5.0, load=99.0))
    assert "Compared in processor time, as the machine was busy" in text
    assert "**0.60 x** the bare forward passes" in text
