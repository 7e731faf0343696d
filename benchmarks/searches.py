"""Retrieval's search: FAISS alone, ours with its exact order, scikit-learn's brute force."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import today
from benchmarks.contenders import clock, since

SIZES = {"Catwalk's test pairs": (600, 475), "DeepFashion's test pairs": (8570, 5000)}
"""Queries and a gallery of about the size of the distinct sources."""
DIMENSIONS, K = 128, 12


def measure(repeats: int) -> list[dict[str, Any]]:
    """Times of each way at each size; and for how many queries scikit-learn names the same neighbours as ours."""
    import faiss

    from fhpt_bench.retrieval import Index

    found: list[dict[str, Any]] = []
    for name, sizes in SIZES.items():
        queries, gallery = (_unit(size) for size in sizes)
        ids, places = [f"{i:06d}" for i in range(len(gallery))], {}

        def ours(ids: list[str] = ids, gallery: Any = gallery, queries: Any = queries) -> Any:
            return Index(ids, gallery).search(queries, K)[0]

        def bare(gallery: Any = gallery, queries: Any = queries) -> Any:
            index = faiss.IndexFlatIP(DIMENSIONS)
            index.add(gallery)
            return index.search(queries, K)[1]

        ways = {"ours": ours, "bare": bare, "today": lambda g=gallery, q=queries: today.neighbours(g, q, K)}
        times: dict[str, list[Any]] = {way: [] for way in ways}
        for _ in range(repeats + 1):
            for way, run in ways.items():
                start = clock()
                places[way] = run()
                times[way].append(since(start))
        same = float(np.mean((places["ours"] == places["today"]).all(axis=1)))
        middle = {way: [median(part) for part in zip(*all_[1:], strict=True)] for way, all_ in times.items()}
        found.append({"size": name, "queries": sizes[0], "gallery": sizes[1], "times": middle, "same": same})
    return found


def _unit(count: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(count).normal(size=(count, DIMENSIONS))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
