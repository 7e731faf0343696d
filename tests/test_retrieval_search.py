"""The search against scikit-learn's brute force; ties, batches, order, the inverted file; FAISS beside PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from fhpt_bench import retrieval
from fhpt_bench.errors import BenchError
from fhpt_bench.retrieval import Index


def unit(count: int, size: int = 32, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"photo{i:06d}" for i in range(count)]


def brute(gallery: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    near = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(gallery.astype(np.float64))
    distances, places = near.kneighbors(queries.astype(np.float64))
    return places, 1 - distances


@pytest.mark.parametrize(("count", "k"), [(700, 10), (5, 12), (1, 3)])
def test_equals_scikit_learn(count: int, k: int) -> None:
    gallery, queries = unit(count), unit(300, seed=1)
    places, cosines = Index(names(count), gallery).search(queries, k)
    expected, similar = brute(gallery, queries, min(k, count))
    assert np.array_equal(places, expected)
    np.testing.assert_allclose(cosines, similar, atol=5e-7)


def test_the_whole_ranking_is_scikit_learns() -> None:
    """But for neighbours that float32 vectors of length 1 do not tell apart: it normalises them once more."""
    gallery, queries = unit(700), unit(300, seed=1)
    places, cosines = Index(names(700), gallery).search(queries, 700)
    expected, similar = brute(gallery, queries, 700)
    assert (places != expected).mean() < 1e-3
    np.testing.assert_allclose(cosines, similar, atol=5e-7)
    assert all(np.array_equal(np.sort(row), np.arange(700)) for row in places)


def test_equal_vectors_stand_in_the_order_of_ids_and_agree_with_scikit_learn() -> None:
    distinct, queries = unit(60), unit(40, seed=1)
    which = np.random.default_rng(2).integers(
        0, 60, 900
    )  # about 15 copies of each: more than the first candidates hold
    places, cosines = Index(names(900), distinct[which]).search(queries, 35)
    assert np.array_equal(which[places], which[brute(distinct[which], queries, 35)[0]])
    assert (np.diff(cosines, axis=1) <= 0).all()
    tied = np.diff(cosines, axis=1) == 0
    assert tied.mean() > 0.8
    assert (np.diff(places, axis=1)[tied] > 0).all()
    for row, vectors in zip(places, which[places], strict=True):  # of the last vector, the first copies by id
        last = np.flatnonzero(which == vectors[-1])
        assert np.array_equal(row[vectors == vectors[-1]], last[: (vectors == vectors[-1]).sum()])


def test_all_alike() -> None:
    gallery = np.repeat(unit(1), 3000, axis=0)
    places, _ = Index(names(3000), gallery).search(unit(3, seed=4), 7)
    assert np.array_equal(places, np.tile(np.arange(7), (3, 1)))


def test_neither_batch_nor_order_changes_anything() -> None:
    gallery, queries, ids = unit(400), unit(70, seed=1), names(400)
    gallery[100:200] = gallery[:100]  # ties
    index = Index(ids, gallery)
    places, cosines = index.search(queries, 9)
    wanted = [np.arange(0, 400, 7)] * 70
    ranks = index.ranks(queries, wanted)
    for start, stop in ((0, 1), (3, 5), (10, 40)):
        some = index.search(queries[start:stop], 9)
        assert np.array_equal(some[0], places[start:stop])
        assert np.array_equal(some[1], cosines[start:stop])
        assert np.array_equal(index.ranks(queries[start:stop], wanted[start:stop]), ranks[start:stop])
    order = np.random.default_rng(3).permutation(400)
    other = Index([ids[i] for i in order], gallery[order])
    assert other.ids == index.ids
    assert np.array_equal(other.search(queries, 9)[0], places)
    assert np.array_equal(other.search(queries, 9)[1], cosines)


def test_a_cosine_does_not_depend_on_what_else_is_searched() -> None:
    vector, query = unit(2, 1000, seed=8)
    filler = unit(500, 1000, seed=9)
    found = set()
    for count in (0, 1, 7, 30, 499):
        places, cosines = Index(names(count + 1), np.concatenate([filler[:count], vector[None]])).search(
            np.stack([query] * (1 + count % 30)), count + 1
        )
        found |= set(cosines[places == count].tolist())
    assert len(found) == 1


def test_ranks_are_the_places_in_the_whole_ranking() -> None:
    gallery, queries = unit(500), unit(20, seed=1)
    gallery[::5] = gallery[0]
    index = Index(names(500), gallery)
    order, _ = index.search(queries, 500)
    wanted = [np.random.default_rng(i).permutation(500)[: i % 4] for i in range(20)]
    for row, places, ranks in zip(order, wanted, index.ranks(queries, wanted), strict=True):
        assert np.array_equal(row[ranks - 1], places)


def test_ranks_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    index, queries = Index(names(300), unit(300)), unit(33, seed=1)
    wanted = [np.arange(i, 300, 11) for i in range(33)]
    whole = index.ranks(queries, wanted)
    monkeypatch.setattr(retrieval, "_VECTORS", 37)
    monkeypatch.setattr(retrieval, "_QUERIES", 5)
    for one, other in zip(index.ranks(queries, wanted), whole, strict=True):
        assert np.array_equal(one, other)


def test_inverted_file_beyond_the_threshold(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """As galleries are: items of eight photographs, queries near one of them."""
    rng = np.random.default_rng(0)
    centres = np.repeat(unit(4000, 64), 8, axis=0)
    gallery = centres + 0.5 / 8 * rng.normal(size=centres.shape)
    queries = gallery[::64] + 0.5 / 8 * rng.normal(size=gallery[::64].shape)
    gallery, queries = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (gallery, queries))
    ids = names(len(gallery))
    exact, cosines = Index(ids, gallery).search(queries, 8)
    monkeypatch.setattr(retrieval, "EXACT", 20_000)
    index = Index(ids, gallery)
    assert not index.exact
    places, found = index.search(queries, 8)
    recalled = np.mean([np.isin(a, b).mean() for a, b in zip(exact, places, strict=True)])
    assert recalled > 0.97
    both = places[:, 0] == exact[:, 0]
    assert np.array_equal(found[both, 0], cosines[both, 0])  # what it finds has the exact cosine
    assert "WARNING" not in capfd.readouterr().err


def test_inverted_file_that_finds_too_few_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "EXACT", 10)
    monkeypatch.setattr(retrieval, "PROBED", 10_000)
    places, cosines = Index(names(8000), unit(8000)).search(unit(4, seed=1), 200)
    assert (places[:, 0] >= 0).all()
    assert (places[:, -1] == -1).all()
    assert np.isneginf(cosines[:, -1]).all()


def test_without_faiss_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, queries = unit(400), unit(50, seed=1)
    gallery[::3] = gallery[0]
    ours = Index(names(400), gallery).search(queries, 20)
    monkeypatch.setattr(sys, "platform", "darwin")
    index = Index(names(400), gallery)
    assert index._faiss is None
    for one, other in zip(ours, index.search(queries, 20), strict=True):
        assert np.array_equal(one, other)


def test_gpu_index_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU here: what FAISS would be asked for, and that more neighbours than a GPU gives come another way."""
    import faiss

    asked: list[int] = []

    class OnGpu:
        def __init__(self, index: faiss.Index) -> None:
            self.index = index
            self.add = index.add

        def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            assert k <= 64, "too many for a GPU"
            asked.append(k)
            return self.index.search(queries, k)

    expected = [Index(names(500), unit(500)).search(unit(5, seed=1), k)[0] for k in (4, 100)]
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", OnGpu)
    monkeypatch.setattr(retrieval, "_GPU_K", 64)
    index = Index(names(500), unit(500))
    assert isinstance(index._faiss, OnGpu)
    for k, places in zip((4, 100), expected, strict=True):
        assert np.array_equal(index.search(unit(5, seed=1), k)[0], places)
    assert asked == [20]


@pytest.mark.parametrize(
    ("ids", "rows"),
    [
        (["a", "a"], unit(2)),
        (["a"], unit(2)),
        ([], unit(0)),
        (["a", "b"], 2 * unit(2)),
        (["a", "b"], unit(2) * np.float32(np.nan)),
        (["a", "b"], np.zeros((2, 4), np.float32)),
    ],
)
def test_bad_galleries(ids: list[str], rows: np.ndarray) -> None:
    with pytest.raises(BenchError):
        Index(ids, rows)


def test_bad_query() -> None:
    with pytest.raises(BenchError, match="length 1"):
        Index(["a", "b"], unit(2)).search(np.zeros((1, 32), np.float32), 1)


def test_no_query() -> None:
    index = Index(["a", "b"], unit(2))
    assert index.search(unit(0), 2)[0].shape == (0, 2)
    assert index.ranks(unit(0), []) == []


@pytest.mark.parametrize("first", ["torch, faiss", "faiss, torch"])
def test_two_openmp_runtimes_neither_hang_nor_crash(first: str) -> None:
    """In a process of its own: PyTorch works in two threads while the search runs; then each again after the other."""
    code = f"""
import {first}
import threading
import numpy as np
from fhpt_bench.retrieval import Index
rows = np.random.default_rng(0).normal(size=(3000, 64)).astype("f4")
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
index = Index([f"{{i:05d}}" for i in range(3000)], rows)
stop = threading.Event()
def work():
    image, kernel = torch.ones(2, 8, 64, 64), torch.ones(8, 8, 3, 3)
    while not stop.is_set():
        torch.nn.functional.conv2d(image, kernel)
threads = [threading.Thread(target=work) for _ in range(2)]
[t.start() for t in threads]
alone = [index.search(rows[:500], 5)[0][:, 0] for _ in range(3)]
stop.set()
[t.join() for t in threads]
torch.ones(300, 300) @ torch.ones(300, 300)
assert all((places == np.arange(500)).all() for places in [*alone, index.search(rows[:500], 5)[0][:, 0]])
print("fine")
"""
    several = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=several
    )
    assert done.stdout.strip() == "fine", done.stderr
