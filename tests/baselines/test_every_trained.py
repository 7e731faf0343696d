"""The weights that ship: every baseline's picture is of the source's person, in the target's pose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fhpt_bench import compare, registry, score
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.types import Pair, Prompt

NAMES = sorted(registry.model_name(folder) for folder in registry.baseline_folders())
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
STEP = 20
"""Every so manieth test pair: 30 of 600."""


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    data = Catwalk()
    return [data[i] for i in range(0, len(data), STEP)]


@pytest.mark.parametrize("name", NAMES)
def test_it_shows_the_sources_person_in_the_targets_pose(name: str, pairs: list[Pair], tmp_path: Path) -> None:
    model = registry.find("generators", name)()
    others = [*pairs[len(pairs) // 2 :], *pairs[: len(pairs) // 2]]
    assert all(a.source.person != b.source.person for a, b in zip(pairs, others, strict=True))
    right, wrong = (
        list(model.generate([Prompt(p.id, s.source, p.target.pose, 0) for p, s in zip(pairs, sources, strict=True)]))
        for sources in (pairs, others)
    )
    (tmp_path / "p.toml").write_text(PROTOCOL)
    target, people = [p.target.image for p in pairs], [p.target.person for p in pairs]
    rows = [score(images, target=target, people=people, protocol=tmp_path / "p.toml") for images in (right, wrong)]
    closer = compare(*rows).set_index("score").loc["lpips[alex]"]
    overlap = silhouettes(pairs, right)
    print(name, f"LPIPS {closer['difference']:.4f} [{closer['low']:.4f}, {closer['high']:.4f}]", *overlap)
    assert closer["verdict"] == "a" and closer["high"] < 0, "the right source must be closer than another person's"
    assert overlap[0] >= 0.85


def silhouettes(pairs: list[Pair], images: list[np.ndarray]) -> tuple[float, float]:
    """Mean and least overlap (IoU) of what is drawn, pixels that are not white, with the person's true pixels."""
    data, overlaps = Catwalk(), []
    for pair, image in zip(pairs, images, strict=True):
        truth, drawn = data.parsing(pair.target) > 0, (image < 235).any(axis=2)
        overlaps.append(float((truth & drawn).sum() / (truth | drawn).sum()))
    return float(np.mean(overlaps)), min(overlaps)
