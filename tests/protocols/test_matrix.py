"""docs/protocols.md says what the files say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from fhpt_bench import protocol

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protocol_matrix", DOCS / "protocol_matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_matrix_is_that_of_the_files(script: ModuleType) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    assert page == script.written(page), "run: python docs/protocol_matrix.py"


def test_every_frozen_protocol_says_what_it_compares_with(script: ModuleType) -> None:
    page = script.PAGE.read_text(encoding="utf-8")
    told = page.split("## Which numbers")[1].split("## The matrix")[0]
    names = set(re.findall(r"`([a-z]+[\w-]*\d[\w-]*)`", told)) | {"incarnation2021-market"}
    assert "`incarnation2021`, `-market`" in told
    frozen = {
        name for name in protocol.names() if protocol.load(name).frozen and name not in ("catwalk-v1", "fhpt2021")
    }
    assert frozen <= names


def test_cells_tell_protocols_apart(script: ModuleType) -> None:
    """A few read by hand from the papers' table."""
    rows = {found.name: dict(zip(["name", "images", *script.COLUMNS, "other"], script.parameters(found), strict=True))
            for found in script.frozen()}  # fmt: skip
    assert rows["patn2019"]["SSIM"] == "gauss1.5, range prediction, n, truth cut; both stored75,pad256x256"
    assert rows["gfla2020"]["SSIM"] == "uniform51, range 255, n-1; gauss1.5, range prediction, n"
    assert rows["pidm2023"]["LPIPS"] == "alex, linear256x176, drop_last 64"
    assert rows["spgnet2021"]["FID"] == "legacy, train, generated jpeg75; both crop40:216, drop_last 64"
    assert rows["spgnet2021-market"]["masked"].endswith("mask-lpips: alex, pose mask, grey outside, drop_last 64")
    assert rows["dsc2018"]["images"] == "deepfashion@dsc 256x256"
    having = {found.name: {k for k, v in script.defects(found).items() if v} for found in script.frozen()}
    assert having["clean-v1"] == set()
    assert having["cfld2024"] == {"legacy", "range"}
    assert having["patn2019"] == {"range", "pad", "stored", "cut"}
    assert having["spgnet2021"] == {"legacy", "drop", "again", "cut"}
