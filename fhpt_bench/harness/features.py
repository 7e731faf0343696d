"""Runs each network once per image, and keeps the small features of true images by content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic
from fhpt_bench.types import Feature, Image, Metric


class Networks:
    """The features that some metrics need, each built once; a network that cannot be had leaves its reason in
    ``missing``."""

    def __init__(self, metrics: Sequence[Metric], device: str) -> None:
        from fhpt_bench import features

        self.roles: dict[str, set[str]] = {}
        for metric in metrics:
            for need in metric.needs:
                self.roles.setdefault(need.feature, set()).update(need.of)
        self.features: dict[str, Feature] = {}
        self.missing: dict[str, str] = {}
        for name in self.roles:
            try:
                self.features[name] = features.build(name, device)
            except BenchError as error:
                self.missing[name] = " ".join(str(error).split())

    def why_not(self, metric: Metric) -> str:
        """Why this metric cannot be measured; empty where it can."""
        return "; ".join(self.missing[need.feature] for need in metric.needs if need.feature in self.missing)

    def keys(self) -> dict[str, str]:
        return {name: feature.key for name, feature in sorted(self.features.items())}

    def extract(
        self, images: Mapping[str, Sequence[Image]], hashes: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, str], Any]:
        """Features of one batch: ``images[role][i]`` with content hash ``hashes[role][i]`` -> {(feature, role):
        row i for image i}.

        Every distinct image of the batch goes through a network once, whatever its roles and however often it occurs.
        """
        found: dict[tuple[str, str], Any] = {}
        for name, feature in self.features.items():
            roles = sorted(self.roles[name])
            if feature.small:
                # Generated and true images apart: only the true ones are cached, and which of them are must not
                # change a batch.
                for group in ([r for r in roles if r == "generated"], [r for r in roles if r != "generated"]):
                    if group:
                        rows = self._small(feature, group, images, hashes, cached=group != ["generated"])
                        found |= {(name, role): rows[role] for role in group}
            else:
                found |= {(name, role): taps for role, taps in _taps(feature, roles, images, hashes).items()}
        return found

    def true_rows(self, feature: str, images: Sequence[Image], hashes: Sequence[str]) -> NDArray[np.float32]:
        """One small feature of true images, N x D, from the cache where it is there."""
        return self._small(self.features[feature], ["target"], {"target": images}, {"target": hashes}, cached=True)[
            "target"
        ]

    def _small(
        self,
        feature: Feature,
        roles: Sequence[str],
        images: Mapping[str, Sequence[Image]],
        hashes: Mapping[str, Sequence[str]],
        *,
        cached: bool,
    ) -> dict[str, NDArray[np.float32]]:
        unique = _unique(roles, images, hashes)
        rows = {h: row for h in unique if (row := _load(feature, h)) is not None} if cached else {}
        if len(rows) < len(
            unique
        ):  # all of them again: the batch a network sees must not depend on what happens to be cached
            fresh = np.asarray(feature.extract(np.stack(list(unique.values()))), dtype=np.float32)
            for row, h in zip(fresh, unique, strict=True):
                if h not in rows:
                    rows[h] = row
                    if cached:
                        _store(feature, h, row)
        return {role: np.stack([rows[h] for h in hashes[role]]) for role in roles}


def _unique(
    roles: Sequence[str], images: Mapping[str, Sequence[Image]], hashes: Mapping[str, Sequence[str]]
) -> dict[str, Image]:
    return {h: image for role in roles for h, image in zip(hashes[role], images[role], strict=True)}


def _taps(
    feature: Feature, roles: Sequence[str], images: Mapping[str, Sequence[Image]], hashes: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    unique = _unique(roles, images, hashes)
    taps = feature.extract(np.stack(list(unique.values())))
    place = {h: i for i, h in enumerate(unique)}
    return {role: [tap[[place[h] for h in hashes[role]]] for tap in taps] for role in roles}


def _path(feature: Feature, image_hash: str) -> Path:
    key = hashlib.sha256(feature.key.encode()).hexdigest()[:16]
    return paths.cache() / "features" / f"{feature.name.split('[')[0]}-{key}" / image_hash[:2] / f"{image_hash}.npy"


def _load(feature: Feature, image_hash: str) -> NDArray[np.float32] | None:
    try:
        row: NDArray[np.float32] = np.load(_path(feature, image_hash), allow_pickle=False)
        return row
    except (OSError, ValueError):  # absent, or cut short by a power loss: make it again
        return None


def _store(feature: Feature, image_hash: str, row: NDArray[np.float32]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, row, allow_pickle=False)
    with atomic(_path(feature, image_hash)) as file:
        file.write(buffer.getvalue())
