"""Region masks of true images, kept by content.

They do not depend on the model, and flow costs tens of milliseconds a pair.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping

import numpy as np

from fhpt_bench import paths
from fhpt_bench.paths import atomic
from fhpt_bench.types import Dataset, Mask, Pair


def masks(data: Dataset, pair: Pair) -> Mapping[str, Mask]:
    """``data.regions(pair)``.

    From the cache where the data set has a ``regions_key`` (which changes whenever the masks would).
    """
    key = getattr(data, "regions_key", None)
    if key is None:
        return data.regions(pair)
    name = hashlib.sha256(f"{key} {data.sha256} {data.split} {pair.id}".encode()).hexdigest()
    path = paths.cache() / "regions" / name[:2] / f"{name}.bin"
    try:
        return _unpack(path.read_bytes())
    except (OSError, ValueError, zlib.error):  # absent, or cut short by a power loss: make it again
        found = data.regions(pair)
        with atomic(path) as file:
            file.write(_pack(found))
        return found


def _pack(found: Mapping[str, Mask]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(sorted(found)), allow_pickle=False)
    np.save(buffer, np.stack([found[name] for name in sorted(found)]), allow_pickle=False)
    return zlib.compress(buffer.getvalue(), 1)


def _unpack(content: bytes) -> dict[str, Mask]:
    buffer = io.BytesIO(zlib.decompress(content))
    names = np.load(buffer, allow_pickle=False)
    return dict(zip(names.tolist(), np.load(buffer, allow_pickle=False), strict=True))
