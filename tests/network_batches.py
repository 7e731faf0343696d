"""Batches with the features that a metric needs, as the harness makes them, for tests of single metrics."""

from __future__ import annotations

import numpy as np

from fhpt_bench import features
from fhpt_bench.types import Batch, Context, Metric, Need


def batch_for(needs: list[Need] | Metric, generated: np.ndarray, target: np.ndarray, **regions: np.ndarray) -> Batch:
    """N pairs of images, N x H x W x 3, and every feature the metric (or the list of needs) asks for."""
    wanted = needs if isinstance(needs, list) else list(needs.needs)
    images = {"generated": generated, "target": target}
    found = {}
    for need in wanted:
        feature = features.build(need.feature)
        found |= {(need.feature, role): feature.extract(images[role]) for role in need.of}
    return Batch([str(i) for i in range(len(target))], generated, target, target, regions, found)


def context_for(people: list[str], seed: int = 0) -> Context:
    """A context of one pair for each entry of ``people``."""
    ids = [f"pair{i:04d}" for i in range(len(people))]
    return Context(ids, people, ids, ids, seed)


def pictures(count: int, height: int = 64, width: int = 48, seed: int = 0) -> np.ndarray:
    """Smooth random colour fields with a little noise: closer to photographs than white noise is."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = rng.uniform(1, 12, (count, 3, 4, 2)), rng.uniform(0, 6.28, (count, 3, 4))
    fields = np.sin(
        waves[0][..., 0, None, None] * y + waves[0][..., 1, None, None] * x + waves[1][..., None, None]
    ).mean(2)
    noisy = 127 + 100 * fields + rng.normal(0, 6, fields.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
