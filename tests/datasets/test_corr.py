"""Intr-Flow's .corr files, and a prepared DeepFashion whose flow lies in them."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from fhpt_bench import datasets
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.corr import read_corr, write_corr
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Photo

sys.path.insert(0, str(Path(__file__).parents[1]))
import mini_deepfashion


def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((3, 5, 2), np.float32) * 9, rng.integers(0, 3, (3, 5)).astype(np.uint8)


def test_written_as_read_and_as_documented(tmp_path: Path) -> None:
    places, states = sample()
    path = tmp_path / "b_a.corr"
    write_corr(path, places, states)
    content = path.read_bytes()
    assert struct.unpack("<ii", content[:8]) == (5, 3), "width first"
    assert struct.unpack("<ff", content[8 + 8 * 7 :][:8]) == tuple(places[1, 2]), "x, y, row by row"
    assert content[-15:] == states.tobytes()
    again, also = read_corr(path)
    assert np.array_equal(again, places)
    assert np.array_equal(also, states)
    assert (again.dtype, also.dtype) == (np.float32, np.uint8)
    with pytest.raises(ValueError, match="places"):
        write_corr(path, places[1:], states)


def broken() -> dict[str, bytes]:
    places, states = sample()
    head, body = struct.pack("<ii", 5, 3), places.tobytes() + states.tobytes()
    nowhere = places.copy()
    nowhere[np.argwhere(states < 2)[0][0], np.argwhere(states < 2)[0][1]] = np.nan
    return {
        "empty": b"", "header cut": head[:5], "cut": head + body[:-1], "longer": head + body + b"\0",
        "other size": struct.pack("<ii", 3, 4) + body, "negative": struct.pack("<ii", -5, -3) + body,
        "huge": struct.pack("<ii", 2**31 - 1, 2**31 - 1) + body, "zero": struct.pack("<ii", 0, 0),
        "state": head + body[:-1] + b"\3", "no number": head + nowhere.tobytes() + states.tobytes(),
    }  # fmt: skip


@pytest.mark.parametrize("kind", broken())
def test_untrusted_files(kind: str, tmp_path: Path) -> None:
    (tmp_path / "b_a.corr").write_bytes(broken()[kind])
    with pytest.raises(BenchError, match="corr"):
        read_corr(tmp_path / "b_a.corr")


def test_background_may_hold_anything(tmp_path: Path) -> None:
    places, states = sample()
    places[states == 2] = np.nan
    write_corr(tmp_path / "b_a.corr", places, states)
    assert np.array_equal(read_corr(tmp_path / "b_a.corr")[1], states)


@pytest.fixture(scope="module")
def with_flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini DeepFashion, and Catwalk's exact flow between its training photographs in 256x256 frames as .corr."""
    folder = mini_deepfashion.prepared(tmp_path_factory.mktemp("corr"))
    (folder / "corr").mkdir()
    photos, catwalk = {photo.stem: photo for photo in mini_deepfashion.of("train")}, Catwalk("train")
    for source, target in mini_deepfashion.pairs("train"):
        if photos[source].catwalk.id.startswith("tr"):
            flow, state = catwalk.flow(photos[source].catwalk, photos[target].catwalk)
            places, states = np.full((256, 256, 2), -1, np.float32), np.full((256, 256), 2, np.uint8)
            places[:, 40:216], states[:, 40:216] = flow + np.array([40, 0]), state
            write_corr(folder / "corr" / f"{target}_{source}.corr", places, states)
    return folder


def exact(source: Photo, target: Photo) -> tuple[np.ndarray, np.ndarray]:
    photos = {photo.stem: photo.catwalk for photo in mini_deepfashion.of("train")}
    return Catwalk("train").flow(photos[source.id], photos[target.id])


@pytest.mark.parametrize("size", [(256, 176), (256, 256)])
def test_flow_of_a_prepared_deepfashion(with_flow: Path, size: tuple[int, int]) -> None:
    data = datasets.load(str(with_flow), "trainval", size=size)
    pair = next(data[i] for i in range(len(data)) if (with_flow / "corr" / f"{_name(data[i])}.corr").is_file())
    true, state = exact(pair.source, pair.target)
    flow, states = data.flow(pair.source, pair.target)
    left = (size[1] - 176) // 2
    inner = slice(left, left + 176)
    assert flow.shape == (*size, 2)
    assert (states[:, :left] == 2).all()
    # What a file knows of background it need not say; what lies outside the frame of 176 is not visible there.
    known = (state < 2) & (true >= 0).all(2)
    assert known.sum() > 1000
    np.testing.assert_allclose(flow[:, inner][known], true[known] + np.array([left, 0]), atol=1e-3)
    assert np.array_equal(states[:, inner][known], state[known])
    assert (flow[states == 2] == -1).all()


def _name(pair: object) -> str:
    return f"{pair.target.id}_{pair.source.id}"  # type: ignore[attr-defined]


def test_places_outside_the_crop_are_not_visible(with_flow: Path, tmp_path: Path) -> None:
    data = datasets.load(str(with_flow), "trainval", size=(256, 176))
    pair = next(data[i] for i in range(len(data)) if (with_flow / "corr" / f"{_name(data[i])}.corr").is_file())
    path = with_flow / "corr" / f"{_name(pair)}.corr"
    kept = path.read_bytes()
    try:
        write_corr(path, np.full((256, 256, 2), 20, np.float32), np.zeros((256, 256), np.uint8))
        flow, states = data.flow(pair.source, pair.target)
        assert (states == 1).all()
        assert (flow == -1).all()
        write_corr(path, np.full((64, 64, 2), 20, np.float32), np.zeros((64, 64), np.uint8))
        with pytest.raises(BenchError, match="64x24"):
            data.flow(pair.source, pair.target)
    finally:
        path.write_bytes(kept)
    path.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(BenchError, match="no flow file") as refused:
            data.flow(pair.source, pair.target)
        assert path.name in str(refused.value)
    finally:
        (tmp_path / "elsewhere").rename(path)


def test_intr_flow_trains_on_it(with_flow: Path) -> None:
    """One step of the flow on DeepFashion's form, as docs/training.md promises to users with fitted bodies."""
    from fhpt_bench import train_config
    from fhpt_bench.baselines.intr_flow import build, generator

    config = train_config.read(generator.folder, "tiny")
    config["model"]["size"] = [256, 176]
    model = build(config)
    data = datasets.load(str(with_flow), "trainval", size=(256, 176))
    there = [i for i in range(len(data)) if (with_flow / "corr" / f"{_name(data[i])}.corr").is_file()]
    pairs, optimizers = TrainingPairs(data, reads=model.reads), model.optimizers()
    before = [p.clone() for p in model.network.flow.parameters()]

    def update(loss: object, *names: str) -> None:
        loss.backward()  # type: ignore[attr-defined]
        for name in names:
            optimizers[name].step()

    losses = model.step(pairs.batch(there[:2]), update, "flow")
    assert all(value.isfinite() for value in losses.values())
    assert any(not a.equal(b) for a, b in zip(before, model.network.flow.parameters(), strict=True))
