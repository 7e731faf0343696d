"""docs/baselines.md: its commands run, and every baseline, configuration, class and size that it names exists."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fhpt_bench import registry, train_config

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "baselines.md").read_text("utf-8")
FOLDERS = {registry.model_name(f): f for f in registry.baseline_folders() if f.parent.name == "baselines"}


def commands(kind: str) -> list[list[str]]:
    """Words of each command of the page, without the program's name."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.M | re.S)
    found = [line for name, block in blocks if name == kind for line in block.splitlines()]
    words = [shlex.split(line.removeprefix("$ ")) for line in found]
    assert words
    assert {each[0] for each in words} == {"fhpt-bench"}
    return [each[1:] for each in words]


def rows(heading: str) -> dict[str, list[str]]:
    """Cells of the first table below a heading whose first cell is a baseline's name."""
    text = PAGE.split(heading, 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    named = {re.sub(r"[\[`]|\]\(.*\)", "", first): rest for first, *rest in cells}
    return {name: rest for name, rest in named.items() if name in FOLDERS}


def code_of(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.slow
def test_the_commands_run(tmp_path: Path) -> None:
    for words in commands("console"):
        done = subprocess.run(
            [sys.executable, "-m", "fhpt_bench", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stderr}"
    assert len(list((tmp_path / "patn-few" / "images").glob("*.png"))) == 2
    assert (tmp_path / "rate-net.png").is_file()
    assert (tmp_path / "trained" / "log.jsonl").is_file()


@pytest.mark.parametrize("words", [w for w in commands("") if w[0] == "train"], ids=" ".join)
def test_what_is_to_be_trained_is_there(words: list[str]) -> None:
    folder, options = ROOT / words[1], dict(zip(words[2::2], words[3::2], strict=True))
    assert options.keys() == {"--config", "--out"}
    assert folder in FOLDERS.values()
    for stage in train_config.stages(folder, options["--config"]):
        assert "training" in train_config.read(folder, stage)


def test_no_baseline_and_no_row_is_left_out() -> None:
    assert set(rows("# The baselines")) == set(FOLDERS)
    ours = {n for n, t in registry.BUILT_IN["generators"].items() if t.startswith("fhpt_bench.baselines.")} | {*FOLDERS}
    assert [name for name in sorted(ours) if f"`{name}`" not in PAGE] == []
    trained = {words[1].removeprefix("baselines/") for words in commands("") if words[0] == "train"}
    assert trained == {folder.name for folder in FOLDERS.values()}


def test_configurations_and_ablations_are_those_of_the_folders() -> None:
    table = rows("## Configurations and ablations")
    assert set(table) == set(FOLDERS)
    for name, (configurations, ablations) in table.items():
        tables: dict[str, Any] = tomllib.loads((FOLDERS[name] / "config.toml").read_text("utf-8"))
        stages = tables.pop("stages", {})
        assert code_of(ablations) == set(tables.pop("ablations", {})), name
        parts = {stage for listed in stages.values() for stage in listed}
        whole = {key for key in tables if not key.startswith("shipped") and key not in parts}
        whole |= {name for name in stages if "+" not in name}
        assert code_of(configurations) == whole - {"paper", "small", "tiny"}, name


def test_sizes_are_those_of_the_cards() -> None:
    for name, (_, _, size) in rows("# The baselines").items():
        if size != "not published":
            assert re.fullmatch(r"\d{1,3}(,\d{3})+", size), name
            assert size in (FOLDERS[name] / "README.md").read_text("utf-8"), name


def test_classes_are_where_the_page_says() -> None:
    text = PAGE.split("## Where the paper's figure is", 1)[1]
    named = 0
    for line in text.splitlines():
        path: Path | None = None
        for word in re.findall(r"`([^`]+)`", line) if line.startswith("|") else []:
            if word.endswith(".py"):
                path = ROOT / "baselines" / word
                assert path.is_file(), word
            elif path is not None:
                assert word in {n.name for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ClassDef)}
                named += 1
    assert named > 10
