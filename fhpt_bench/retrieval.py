"""Nearest neighbours by cosine similarity: FAISS finds the candidates, exact arithmetic puts them in order.

FAISS adds in float32, in an order that depends on the number of queries, so equal vectors may differ in their last bit.
Here each component is rounded to a multiple of 2^-24: products and sums of unit vectors are then whole numbers below
2^53, which float64 adds without any rounding. Similarities are the same whatever the batch, the threads, the order of
the gallery or the kind of index, equal ones really are equal, and a tie goes to the lesser id.

FAISS and PyTorch each bring an OpenMP runtime. On Linux both are libgomp, which two may live side by side (measured:
either may be imported first; neither waits for the other). On macOS and Windows the second LLVM runtime ends the
process, and the switch that silences it may give wrong numbers (faiss-wheels issue 73): there the candidates come from
NumPy, which gives the same results, slower.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Rows

EXACT = 1_000_000
"""Up to so many vectors every one is compared; beyond, those in the nearest cells of an inverted file."""
PROBED = 16
"""One cell in so many is looked into, of 4 sqrt(n) cells."""
_GRID = 2.0**24
_MARGIN = 16
_QUERIES = 256
_VECTORS = 16_384
_GPU_K = 2048
"""FAISS on a GPU gives no more neighbours than these."""

Places = NDArray[np.intp]
Floats = NDArray[np.float64]


class Index:
    """A gallery that is searched: ``rows`` (n x d, L2-normalised float32), one a unique id of ``ids``.

    ``self.ids`` are the ids in sorted order; the places that searches give point into it. BenchError where an id occurs
    twice, or a row has not length 1. ``exact``: see ``EXACT``.
    """

    def __init__(self, ids: Sequence[str], rows: Rows) -> None:
        if len(ids) != len(rows) or not len(ids) or len(set(ids)) < len(ids):
            raise BenchError(
                f"a gallery of {len(rows)} vectors and {len(set(ids))} ids", fix="one vector for each of the unique ids"
            )
        order = np.argsort(np.asarray(ids))
        self.ids = [ids[i] for i in order]
        self._rows: Rows = np.ascontiguousarray(_unit(rows)[order])
        self.exact = len(ids) <= EXACT
        self._faiss, self._most = _build(self._rows, self.exact)
        # What a float32 sum of d products may differ by from the exact one; the grid adds less.
        self._slack = (rows.shape[1] + 8) * 2.0**-23

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, queries: Rows, k: int) -> tuple[Places, Floats]:
        """The min(k, n) nearest of each query (m x d, L2-normalised): m x k places and cosines, best first.

        Equal cosines stand in the order of ids. Beyond ``EXACT`` vectors a true neighbour may be missed, and a place is
        -1 (cosine -inf) where the cells looked into hold too few.
        """
        k = min(k, len(self))
        parts = [self._top(block, k) for block in _blocks(queries)]
        if not parts:
            return np.empty((0, k), np.intp), np.empty((0, k))
        return np.concatenate([places for places, _ in parts]), np.concatenate([found for _, found in parts])

    def ranks(self, queries: Rows, wanted: Sequence[Places]) -> list[Places]:
        """From 1, in the whole gallery: the ranks of the places ``wanted[i]`` for query i, in their order.

        Every vector is compared, also beyond ``EXACT``.
        """
        found: list[Places] = []
        for start, block in zip(range(0, len(queries), _QUERIES), _blocks(queries), strict=True):
            grid = _grid(block)
            places = wanted[start : start + len(block)]
            own = [_grid(self._rows[p]) @ q for p, q in zip(places, grid, strict=True)]
            ranks = [np.ones(len(p), np.intp) for p in places]
            for at in range(0, len(self), _VECTORS):
                part = grid @ _grid(self._rows[at : at + _VECTORS]).T
                here = np.arange(at, at + part.shape[1])
                for i, (scores, mine, place) in enumerate(zip(part, own, places, strict=True)):
                    ahead = (scores > mine[:, None]) | ((scores == mine[:, None]) & (here < place[:, None]))
                    ranks[i] += ahead.sum(axis=1)
            found += ranks
        return found

    def _top(self, queries: Rows, k: int) -> tuple[Places, Floats]:
        places, cosines = np.empty((len(queries), k), np.intp), np.empty((len(queries), k))
        todo, count = np.arange(len(queries)), min(k + _MARGIN, len(self))
        while len(todo):
            rough, found = self._candidates(queries[todo], count)
            exact = np.stack([self._cosines(q, p) for q, p in zip(queries[todo], found, strict=True)])
            order = np.lexsort((found, -exact))[:, :k]
            places[todo] = np.take_along_axis(found, order, 1)
            cosines[todo] = np.take_along_axis(exact, order, 1)
            # What was left out scores at most as the last candidate; a tie with it may still hide a lesser id.
            sure = (cosines[todo, -1] > rough[:, -1] + self._slack) | (found[:, -1] < 0) | (count == len(self))
            todo, count = todo[~sure], min(2 * count, len(self))
        return places, cosines

    def _candidates(self, queries: Rows, count: int) -> tuple[Rows, Places]:
        """``count`` rough neighbours of each query, best first."""
        if self._faiss is not None and count <= self._most:
            rough, places = self._faiss.search(queries, count)
            return rough, places.astype(np.intp)
        pairs = [self._nearest(query, count) for query in queries]
        return np.stack([rough for rough, _ in pairs]), np.stack([places for _, places in pairs])

    def _nearest(self, query: Rows, count: int) -> tuple[Rows, Places]:
        scores: Rows = self._rows @ query
        places = np.argpartition(-scores, count - 1)[:count]
        places = places[np.argsort(-scores[places])]
        return scores[places], places

    def _cosines(self, query: Rows, places: Places) -> Floats:
        exact: Floats = _grid(self._rows[places]) @ _grid(query) / _GRID**2
        return np.where(places < 0, -np.inf, exact)


def _build(rows: Rows, exact: bool) -> tuple[Any, int]:
    """A FAISS index (None where FAISS cannot share the process with PyTorch) and the most neighbours it gives."""
    if not sys.platform.startswith("linux"):
        return None, 0
    import faiss

    index: Any = faiss.IndexFlatIP(rows.shape[1])
    if not exact:
        cells = round(4 * len(rows) ** 0.5)
        index = faiss.IndexIVFFlat(index, rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(1, cells // PROBED)
    most = len(rows)
    if hasattr(faiss, "index_cpu_to_all_gpus") and faiss.get_num_gpus() > 0:
        index, most = faiss.index_cpu_to_all_gpus(index), _GPU_K
    if not exact:
        index.train(rows)
    index.add(rows)
    return index, most


def _blocks(queries: Rows) -> Iterator[Rows]:
    """Few queries at a time, read from the disk only now."""
    for start in range(0, len(queries), _QUERIES):
        yield _unit(queries[start : start + _QUERIES])


def _unit(rows: Rows) -> Rows:
    rows = np.ascontiguousarray(rows, np.float32)
    length = np.linalg.norm(rows, axis=1)
    if not (np.abs(length - 1) < 1e-3).all():  # NaN fails too
        raise BenchError("an embedding has not length 1", fix="the feature must give L2-normalised rows")
    return rows


def _grid(rows: Rows) -> Floats:
    whole: Floats = np.rint(rows.astype(np.float64) * _GRID)
    return whole
