"""The benchmark of training must not rot: the loop and its bare steps run, and the page says what was measured."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DATA = f"{Path(__file__).parent / 'stick_figures.py'}:Sticks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.training")


def test_the_loop_and_bare_steps(bench: ModuleType) -> None:
    found = bench.measure("patn", "tiny", (("32-true", True), ("bf16-mixed", False)), steps=2, repeats=1, data=DATA)
    assert (found["baseline"], found["kind"], found["scale"], found["batch"]) == ("patn", "content", 0.5, 4)
    times = [found["loop"], found["data"], *(bare["time"] for bare in found["bare"])]
    assert all(seconds > 0 for time in times for seconds in time)
    assert found["data"][1] < found["loop"][1]
    assert [bare["precision"] for bare in found["bare"]] == ["32-true", "bf16-mixed"]
    page = bench.write([found | {"load": 1.0}], 2, 1)
    assert "| patn | tiny: content, scale 0.5 |" in page
    assert page.count("channels") == 3


def test_stages_are_those_of_the_small_network(bench: ModuleType) -> None:
    assert bench.stages("patn") == ["small"]
    assert bench.stages("drn") == ["small", "small-face"]
    assert bench.stages("intr_flow")[0] == "small-flow"


def test_a_ratio_below_the_aim_is_named(bench: ModuleType) -> None:
    bare = [{"precision": "bf16-mixed", "channels last": True, "time": [1.0, 0.8]}]
    one = {"baseline": "a", "stage": "s", "kind": "k", "scale": 1.0, "batch": 8, "reads": [], "data": [0.1, 0.1]}
    fast, slow = one | {"loop": [1.0, 0.85], "bare": bare, "load": 1.0}, one | {"loop": [1.0, 1.0], "bare": bare}
    assert "time: met." in bench.write([fast], 1, 1)
    assert "**not met** by b (s)." in bench.write([fast, slow | {"baseline": "b", "load": 2.0}], 1, 1)


def test_the_page_has_three_parts_that_are_written_apart(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    for part, text in ((0, "# one"), (2, "## three"), (1, "## two"), (2, "## other")):
        bench.page.put(path, part, text)
    assert [line for line in path.read_text().splitlines() if line.startswith("#")] == ["# one", "## two", "## other"]
    bench.page.put(path, 0, "# first")
    assert [line for line in path.read_text().splitlines() if line.startswith("#")] == ["# first", "## two", "## other"]
