"""The picture of all baselines: docs/baselines_sheet.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fhpt_bench import registry
from fhpt_bench.datasets.catwalk import Catwalk

SCRIPT = Path(__file__).parents[2] / "docs" / "baselines_sheet.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = runpy.run_path(str(SCRIPT))["columns"].__globals__
    assert set(found["MODELS"]) == {registry.model_name(folder) for folder in registry.baseline_folders()}
    monkeypatch.setitem(found, "MODELS", ("copy-source", "no-such-model", "blank"))
    return found


def test_every_column_holds_the_four_pairs(script: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    data = Catwalk("test")
    pairs = script["chosen"](data)
    assert len({pair.source.person for pair in pairs}) == 4
    columns = script["columns"](data, pairs)
    assert list(columns) == ["source", "pose", "copy-source", "blank", "truth"]
    assert "no-such-model is left out" in capsys.readouterr().err
    assert {len(images) for images in columns.values()} == {4}
    for copied, pair in zip(columns["copy-source"], pairs, strict=True):
        assert np.array_equal(copied, pair.source.image)


def test_the_picture(script: dict[str, Any], tmp_path: Path) -> None:
    script["draw_sheet"](tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (5 * 180 - 4, 4 * 260 - 4 + script["TOP"])
    assert (tmp_path / "sheet.png").stat().st_size < 400_000
