"""Several baselines in turn: one budget, one folder each, and one that fails does not stop the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fhpt_bench.cli import app
from fhpt_bench.errors import BenchError
from fhpt_bench.train_turn import train_in_turn

DATA = f"{Path(__file__).parent / 'stick_figures.py'}:Sticks"
Given = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """What would be trained."""
    calls: Given = []

    def train(baseline: str, **options: Any) -> Path:
        calls.append((baseline, options))
        if baseline == "baselines/patn":
            raise BenchError("training has diverged", fix="lower the learning rate")
        return Path(options["out"]) / "snapshots" / "1"

    monkeypatch.setattr("fhpt_bench.train_turn.train", train)
    return calls


def test_the_budget_is_parted_equally_and_each_has_its_folder(given: Given, tmp_path: Path) -> None:
    best = train_in_turn(["drn", "rate-net", "baselines/incarnation"], out=tmp_path, budget="90m", seed=3)
    assert [name for name, _ in given] == ["drn", "rate-net", "baselines/incarnation"]
    assert {options["budget"] for _, options in given} == {"1800.0s"}
    assert all(options["seed"] == 3 for _, options in given)
    assert [options["out"] for _, options in given] == [tmp_path / n for n in ("drn", "rate-net", "incarnation")]
    assert best == {n: tmp_path / n / "snapshots" / "1" for n in ("drn", "rate-net", "incarnation")}


def test_one_that_fails_does_not_stop_the_others(given: Given, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"patn failed; trained: drn in .*, rate-net in .*\n  fix: lower"):
        train_in_turn(["drn", "baselines/patn", "rate_net"], out=tmp_path)
    assert [options["budget"] for _, options in given] == [None] * 3


@pytest.mark.parametrize(
    ("baselines", "options", "message"),
    [
        (["drn", "dnr"], {}, "no baseline"),
        (["drn", "rate-net", "baselines/drn"], {}, "drn is named twice"),
        (["drn", "rate-net"], {"config": "smal"}, "did you mean small"),
        (["drn", "rate-net"], {"budget": "90"}, "not a budget"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(
    given: Given, tmp_path: Path, baselines: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        train_in_turn(baselines, out=tmp_path, **options)
    assert given == []


def test_the_command(tmp_path: Path) -> None:
    common = ["--config", "tiny", "--data", DATA, "--samples", "4", "--device", "cpu", "--workers", "0"]
    done = CliRunner().invoke(app, ["train", "drn", "rate-net", "--out", str(tmp_path), *common])
    assert done.exit_code == 0, done.output
    best = [tmp_path / name / "snapshots" / "000000004" for name in ("drn", "rate-net")]
    assert done.stdout.splitlines()[-2:] == [str(path) for path in best]
    assert all((path / "model.safetensors").is_file() for path in best)


def test_what_cannot_be_trained_in_turn(tmp_path: Path) -> None:
    for more, message in ((["--earlier", "a=b"], "one baseline"), (["protocols/evaluators/gender"], "alone")):
        done = CliRunner().invoke(app, ["train", "drn", "patn", *more, "--out", str(tmp_path)])
        assert isinstance(done.exception, BenchError)
        assert message in str(done.exception)
