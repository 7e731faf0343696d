"""The headline: a list, or groups of it; in protocols and in records, old and new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fhpt_bench import show
from fhpt_bench.errors import BenchError
from fhpt_bench.protocol import load
from fhpt_bench.record import ProtocolRef, Record, read_record, write_record

TEXT = """
name = "mine-v1"
title = "Mine"
frozen = false
data = "catwalk"
size = [256, 176]
{headline}

[[metrics]]
use = "psnr"
name = "psnr"
"""
LIST = 'headline = ["psnr", "psnr/foreground"]'
GROUPS = '[headline]\nsemantic = ["recall@5[vgg,paper]"]\nperceptual = ["psnr", "psnr/foreground"]'


def written(folder: Path, headline: str) -> Path:
    path = folder / "mine-v1.toml"
    path.write_text(TEXT.format(headline=headline), encoding="utf-8")
    return path


def test_a_list_is_one_group_without_a_name(tmp_path: Path) -> None:
    assert load(written(tmp_path, LIST)).headline == {"": ("psnr", "psnr/foreground")}


def test_groups_keep_their_order(tmp_path: Path) -> None:
    found = load(written(tmp_path, GROUPS)).headline
    assert list(found.items()) == [
        ("semantic", ("recall@5[vgg,paper]",)),
        ("perceptual", ("psnr", "psnr/foreground")),
    ]


@pytest.mark.parametrize(
    ("headline", "said"),
    [
        ('headline = ["psnr", "psnr"]', "'psnr' is named twice"),
        ('[headline]\na = ["psnr"]\nb = ["psnr"]', "'psnr' is named twice"),
        ('headline = "psnr"', "dictionary"),
        ('[headline]\na = "psnr"', "headline.a"),
        ("[headline]\na = [1]", "headline.a.0"),
        ("", "headline"),
    ],
)
def test_what_is_no_headline_says_where(tmp_path: Path, headline: str, said: str) -> None:
    with pytest.raises(BenchError, match=r"mine-v1\.toml") as caught:
        load(written(tmp_path, headline))
    assert said in str(caught.value)


def shipped() -> Record:
    return show.shipped_records("catwalk-v1")[0]


def test_a_record_of_the_old_form_reads_and_comes_back(tmp_path: Path) -> None:
    raw = shipped().model_dump(mode="json")
    raw["protocol"]["headline"] = ["psnr", "ms-ssim"]
    path = tmp_path / "record.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    old = read_record(path)
    assert old.protocol.headline == {"": ("psnr", "ms-ssim")}
    write_record(old, path)
    assert read_record(path) == old


def test_a_record_keeps_groups_and_their_order(tmp_path: Path) -> None:
    groups = {"structural": ("kec[all]/body",), "perceptual": ("psnr", "ms-ssim")}
    ref = ProtocolRef(name="mine-v1", sha256="a" * 64, frozen=False, headline=groups)
    path = tmp_path / "record.json"
    write_record(shipped().model_copy(update={"protocol": ref}), path)
    assert list(read_record(path).protocol.headline.items()) == list(groups.items())


def test_a_record_without_a_headline_is_none() -> None:
    assert ProtocolRef(name="mine-v1", sha256="a" * 64, frozen=False).headline == {}
