"""The weights that ship: the picture is of the source's person, in the target's pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fhpt_bench import compare, score
from fhpt_bench.baselines.drn import generator
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.types import Pair, Prompt

PROTOCOL = """
name = "lpips-only"
title = "LPIPS alone"
frozen = false
data = "catwalk"
size = [256, 176]
headline = ["lpips[alex]"]
[[metrics]]
use = "lpips"
name = "lpips[alex]"
regions = false
"""
STEP = 12
"""Every so manieth test pair: 50 of 600, of all 32 people."""


def made(pairs: list[Pair], sources: list[Pair]) -> list[np.ndarray]:
    model = generator()
    return list(model.generate([Prompt(p.id, s.source, p.target.pose, 0) for p, s in zip(pairs, sources, strict=True)]))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    data = Catwalk()
    return [data[i] for i in range(0, len(data), STEP)]


@pytest.fixture(scope="module")
def right(pairs) -> list[np.ndarray]:
    return made(pairs, pairs)


def test_it_is_closer_with_the_right_source_than_with_another_persons(pairs, right, tmp_path: Path):
    (tmp_path / "p.toml").write_text(PROTOCOL)
    others = [*pairs[len(pairs) // 2 :], *pairs[: len(pairs) // 2]]
    assert all(a.source.person != b.source.person for a, b in zip(pairs, others, strict=True))
    target, people = [p.target.image for p in pairs], [p.target.person for p in pairs]
    rows = [
        score(images, target=target, people=people, protocol=tmp_path / "p.toml")
        for images in (right, made(pairs, others))
    ]
    table = compare(*rows).set_index("score")
    assert table.loc["lpips[alex]", "verdict"] == "a"
    assert table.loc["lpips[alex]", "high"] < 0
    print(table)


def test_its_silhouette_is_the_truths(pairs, right):
    data = Catwalk()
    overlaps = []
    for pair, image in zip(pairs, right, strict=True):
        truth = data.parsing(pair.target) > 0
        drawn = (image < 235).any(axis=2)
        overlaps.append((truth & drawn).sum() / (truth | drawn).sum())
    assert np.mean(overlaps) >= 0.85
    print(np.mean(overlaps), min(overlaps))
