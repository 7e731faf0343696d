"""``data check``: counts against the known ones, every image, keypoints, who is in both splits; and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from fhpt_bench.cli import app
from fhpt_bench.datasets import load
from fhpt_bench.errors import BenchError
from fhpt_bench.prepare import kinds
from fhpt_bench.prepare.check import Finding, check, exit_code

MINI = {
    "patn-train photographs": 15, "patn-test photographs": 8, "patn-train pairs": 30, "patn-test pairs": 18,
    "test items": 2, "items in train and test": 1,
}  # fmt: skip


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


def test_the_published_counts() -> None:
    """As the facts of the field have them: a check that knows other numbers would be worthless."""
    fashion, market = kinds.DEEPFASHION.known, kinds.MARKET1501.known
    assert (fashion["patn-train pairs"], fashion["patn-test pairs"]) == (101_966, 8_570)
    assert (fashion["patn-train photographs"], fashion["patn-test photographs"]) == (48_674, 4_038)
    assert (fashion["items in train and test"], fashion["test items"]) == (503, 930)
    assert (market["patn-train pairs"], market["patn-test pairs"]) == (263_632, 12_000)
    assert (market["patn-train photographs"], market["patn-test photographs"]) == (12_936, 19_732)


def test_a_whole_folder(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_name(check(fashion))
    assert exit_code(list(found.values())) == 3, "whole, but not the published lists"
    for what, count in MINI.items():
        assert (found[what].found, found[what].state) == (str(count), "differs")
    assert found["patn-test pairs"].expected == "8570"
    assert found["keypoints outside the frame of 256x256"].found == "0"
    assert found["keypoints outside the frame of 256x176"].found == "1"
    assert found["photographs on which no keypoint was found"].found == "1"
    assert found["256x176 images"].found == "23"
    assert found["patn-test pairs by the field's rule"].found == "18 of the rule's 18; 0 against it"
    assert found["sha256 of patn test at 256x176"].found == load(str(fashion), "test").sha256
    assert (found["dsc-test pairs"].found, found["dsc-test pairs"].state) == ("missing", "note")
    monkeypatch.setitem(kinds.KINDS, "deepfashion", replace(kinds.DEEPFASHION, known=MINI))
    assert exit_code(check(fashion)) == 0


@pytest.mark.parametrize("harm", ["pixel", "cut", "gone", "size", "parsing"])
def test_harm_to_one_image_is_named(fashion: Path, copied: Callable[[Path], Path], harm: str) -> None:
    root = copied(fashion)
    folder = root / ("parsing" if harm == "parsing" else "images/256x176")
    file = sorted(folder.iterdir())[3]
    with PIL.Image.open(file) as image:
        pixels = np.array(image)
    if harm == "gone":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-12])
    else:
        pixels[5, 5] += 1
        PIL.Image.fromarray(pixels[1:] if harm == "size" else pixels).save(file)
    findings = check(root)
    damaged = [finding for finding in findings if finding.state == "damaged"]
    assert [finding.what for finding in damaged] == [str(file)]
    assert exit_code(findings) == 1


def test_many_damaged_images_are_counted(fashion: Path, copied: Callable[[Path], Path]) -> None:
    root = copied(fashion)
    for file in (root / "images" / "256x176").iterdir():
        file.write_bytes(b"")
    damaged = [finding for finding in check(root) if finding.state == "damaged"]
    assert len(damaged) == 6
    assert damaged[-1].found == "18"


def test_an_edited_table_is_damage(fashion: Path, copied: Callable[[Path], Path]) -> None:
    root = copied(fashion)
    table = root / "lists" / "pairs-patn-test.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    (finding,) = check(root)
    assert (finding.what, finding.state) == ("lists/pairs-patn-test.csv", "damaged")
    with pytest.raises(BenchError, match="not the one in the manifest"):
        load(str(root), "test")


def test_the_command(fashion: Path, market: Path, copied: Callable[[Path], Path]) -> None:
    told = CliRunner().invoke(app, ["data", "check", str(fashion), "--json"])
    assert told.exit_code == 3
    assert {"what": "patn-test pairs", "found": "18", "expected": "8570", "state": "differs"} in json.loads(told.stdout)
    told = CliRunner().invoke(app, ["data", "check", str(market)])
    assert told.exit_code == 3
    assert "263632" in told.stdout
    root = copied(market)
    sorted((root / "images" / "128x64").iterdir())[0].unlink()
    assert CliRunner().invoke(app, ["data", "check", str(root)]).exit_code == 1
    assert CliRunner().invoke(app, ["data", "check", "catwalk"]).exit_code == 0
    with pytest.raises(BenchError, match="FHPT_BENCH_DATA"):
        CliRunner().invoke(app, ["data", "check", "deepfashion"], catch_exceptions=False)
