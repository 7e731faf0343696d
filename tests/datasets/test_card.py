"""The data card says what the data are."""

from __future__ import annotations

import runpy
from pathlib import Path

from PIL import Image

from fhpt_bench.datasets.catwalk import Catwalk

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_card_names_the_data_sets_hash() -> None:
    assert Catwalk("val").sha256 in (DOCS / "catwalk.md").read_text(encoding="utf-8")


def test_every_label_is_on_the_card() -> None:
    text = (DOCS / "catwalk.md").read_text(encoding="utf-8")
    listed = text[text.index("Labels, all strings:") :].split("`")[1].split()
    assert sorted(listed) == sorted(Catwalk("val").photos()[0].labels)


def test_the_contact_sheet_is_drawn_from_the_data(tmp_path: Path) -> None:
    draw = runpy.run_path(str(DOCS / "catwalk_sheet.py"))["draw_sheet"]
    draw(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as drawn, Image.open(DOCS / "catwalk.png") as shipped:
        assert drawn.size == shipped.size
