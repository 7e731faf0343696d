"""Runs each network once per image, and keeps the small features of true images by content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic
from fhpt_bench.types import Feature, Image, Metric

_WRITERS = 16
"""Files written at a time."""


class Networks:
    """The features that some metrics need, each built once; a network that cannot be had leaves its reason in
    ``missing``."""

    def __init__(self, metrics: Sequence[Metric], device: str, data: str = "") -> None:
        from fhpt_bench import features

        self.roles: dict[str, set[str]] = {}
        for metric in metrics:
            for need in metric.needs:
                self.roles.setdefault(need.feature, set()).update(need.of)
        self.features: dict[str, Feature] = {}
        self.missing: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
        """Metric's name -> why it cannot take these images."""
        self._bases: dict[str, Feature] = {}
        for name in self.roles:
            try:
                feature = features.build(name, device, data)
                base = getattr(feature, "base", None)
                if base is not None and base not in self._bases:
                    self._bases[base] = self.features.get(base) or features.build(base, device, data)
            except BenchError as error:
                self.missing[name] = " ".join(str(error).split())
            else:
                self.features[name] = feature

    def why_not(self, metric: Metric) -> str:
        """Why this metric cannot be measured; empty where it can."""
        absent = "; ".join(self.missing[need.feature] for need in metric.needs if need.feature in self.missing)
        return absent or self.unfit.get(metric.name, "")

    def keys(self) -> dict[str, str]:
        return {name: feature.key for name, feature in sorted(self.features.items())}

    def close(self) -> None:
        """Let go of what features hold beside memory: MediaPipe's graphs must be closed before the interpreter ends."""
        for feature in self.features.values():
            getattr(feature, "close", lambda: None)()

    def extract(
        self, images: Mapping[str, Sequence[Image]], hashes: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, str], Any]:
        """Features of one batch: ``images[role][i]`` with content hash ``hashes[role][i]`` -> {(feature, role):
        row i for image i}.

        Every distinct image of the batch goes through a network once, whatever its roles and however often it occurs.
        """
        found: dict[tuple[str, str], Any] = {}
        taps: dict[str, _Taps] = {}
        for name, feature in self.features.items():
            if not feature.small:
                roles = sorted(self.roles[name])
                taps[name] = _Taps(feature, _unique(roles, images, hashes))
                found |= {(name, role): taps[name].of(hashes[role]) for role in roles}
        for name, feature in self.features.items():
            if feature.small:
                roles = sorted(self.roles[name])
                # Generated and true images apart: only the true ones are cached, and which of them are must not
                # change a batch.
                for group in ([r for r in roles if r == "generated"], [r for r in roles if r != "generated"]):
                    if group:
                        rows = self._small(feature, group, images, hashes, taps, cached=group != ["generated"])
                        found |= {(name, role): rows[role] for role in group}
        return found

    def true_rows(self, feature: str, images: Sequence[Image], hashes: Sequence[str]) -> NDArray[np.float32]:
        """One small feature of true images, N x D, from the cache where it is there."""
        return self._small(self.features[feature], ["target"], {"target": images}, {"target": hashes}, {}, cached=True)[
            "target"
        ]

    def _small(
        self,
        feature: Feature,
        roles: Sequence[str],
        images: Mapping[str, Sequence[Image]],
        hashes: Mapping[str, Sequence[str]],
        taps: dict[str, _Taps],
        *,
        cached: bool,
    ) -> dict[str, NDArray[np.float32]]:
        unique = _unique(roles, images, hashes)
        rows = {h: row for h in unique if (row := _load(feature, h)) is not None} if cached else {}
        # All of them again: the batch a network sees must not depend on what happens to be cached. Not so where images
        # are looked at one by one.
        again = {h: i for h, i in unique.items() if h not in rows} if getattr(feature, "alone", False) else unique
        if len(rows) < len(unique):
            fresh = np.asarray(self._fresh(feature, again, taps), dtype=np.float32)
            new = {h: row for h, row in zip(again, fresh, strict=True) if h not in rows}
            rows |= new
            if cached:
                _store(feature, new)
        return {role: np.stack([rows[h] for h in hashes[role]]) for role in roles}

    def _fresh(self, feature: Feature, unique: Mapping[str, Image], taps: dict[str, _Taps]) -> Any:
        """``feature.extract`` of these images, or the same from the taps of its base, which all that share it run
        once."""
        base = getattr(feature, "base", None)
        if base is None:
            return feature.extract(np.stack(list(unique.values())))
        shared = taps.setdefault(base, _Taps(self._bases[base], {}))
        shared.add(unique)
        # An image at a time, which copies nothing: an image's taps are 22 MB of VGG16.
        return np.concatenate([feature.reduce(shared.of([h])) for h in unique])  # type: ignore[attr-defined]


class _Taps:
    """A large feature of the distinct images of one batch."""

    def __init__(self, feature: Feature, unique: Mapping[str, Image]) -> None:
        self._feature = feature
        self._rows: dict[str, tuple[Any, int]] = {}
        self.add(unique)

    def add(self, unique: Mapping[str, Image]) -> None:
        """Run the network on those images that it has not seen."""
        fresh = {h: image for h, image in unique.items() if h not in self._rows}
        if fresh:
            taps = self._feature.extract(np.stack(list(fresh.values())))
            self._rows |= {h: (taps, i) for i, h in enumerate(fresh)}

    def of(self, hashes: Sequence[str]) -> list[Any]:
        """One tensor a layer, row i for ``hashes[i]``; images that went through the network together."""
        places = [self._rows[h] for h in hashes]
        (taps,) = {id(taps): taps for taps, _ in places}.values()
        rows = [i for _, i in places]
        first, end = rows[0], rows[0] + len(rows)
        # Neighbours are a view; one by one they would be a copy.
        chosen = slice(first, end) if rows == list(range(first, end)) else rows
        return [tap[chosen] for tap in taps]


def _unique(
    roles: Sequence[str], images: Mapping[str, Sequence[Image]], hashes: Mapping[str, Sequence[str]]
) -> dict[str, Image]:
    return {h: image for role in roles for h, image in zip(hashes[role], images[role], strict=True)}


def _path(feature: Feature, image_hash: str) -> Path:
    key = hashlib.sha256(feature.key.encode()).hexdigest()[:16]
    return paths.cache() / "features" / f"{feature.name.split('[')[0]}-{key}" / image_hash[:2] / f"{image_hash}.npy"


def _load(feature: Feature, image_hash: str) -> NDArray[np.float32] | None:
    try:
        row: NDArray[np.float32] = np.load(_path(feature, image_hash), allow_pickle=False)
        return row
    except (OSError, ValueError):  # absent, or cut short by a power loss: make it again
        return None


def _store(feature: Feature, rows: Mapping[str, NDArray[np.float32]]) -> None:
    """Side by side: a disk takes about 10 ms to promise that it has a file, and a run writes thousands."""

    def store(image_hash: str) -> None:
        buffer = io.BytesIO()
        np.save(buffer, rows[image_hash], allow_pickle=False)
        with atomic(_path(feature, image_hash)) as file:
            file.write(buffer.getvalue())

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(store, rows))
