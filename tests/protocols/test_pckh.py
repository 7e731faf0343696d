"""PCKh under PATN's protocol: OpenPose's points taken in, counted as its script counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from constructed import case
from PIL import Image

from fhpt_bench import score
from fhpt_bench.detectors import openpose

HEAD = [0, 1, 14, 15, 16, 17]


def write(folder: Path, name: str, image: np.ndarray, points: np.ndarray) -> None:
    """An image, and what OpenPose writes of it: x, y, confidence of 18 points, 0 0 0 where it finds none."""
    Image.fromarray(image).save(folder / f"{name}.png")
    found = [[x, y, 0.9] if np.isfinite([x, y]).all() else [0, 0, 0] for x, y in points.tolist()]
    person = {"pose_keypoints_2d": [number for point in found for number in point]}
    (folder / f"{name}_keypoints.json").write_text(json.dumps({"version": 1.1, "people": [person]}))


def counted(found: np.ndarray, true: np.ndarray) -> tuple[int, int]:
    """Right points and points of one image, as the script: boxes and limits in each direction, strictly."""
    head = true[HEAD][~np.isnan(true[HEAD]).any(axis=1)]
    if len(head) < 2:
        return 0, 0
    width, height = head.max(axis=0) - head.min(axis=0)
    known = ~np.isnan(true).any(axis=1)
    right = 0
    for (px, py), (tx, ty) in zip(found[known].tolist(), true[known].tolist(), strict=True):
        right += not np.isnan([px, py]).any() and abs(px - tx) < 0.5 * width and abs(py - ty) < 0.5 * height
    return right, int(known.sum())


@pytest.mark.parametrize(("name", "size"), [("patn2019-market", (128, 64)), ("spgnet2021-market", (128, 64))])
def test_as_patns_script(name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    on, rng = case(size), np.random.default_rng(3)
    folder = tmp_path / "openpose"
    folder.mkdir()
    true = on.data.points.copy()
    true[:, 10] = np.nan  # outside the frame: does not count here, as the protocol says
    found = true + rng.normal(0, 12, true.shape)
    found[:, 4] = 20  # found where the truth knows none
    found[2:4, 7] = np.nan
    found = np.where(np.isnan(found), np.nan, np.clip(found, 1, [size[1] - 1, size[0] - 1]))
    for i in range(len(on.data)):
        write(folder, f"generated{i}", on.generated[i], found[i])
        write(folder, f"true{i}", on.target[i], true[i])
    openpose.take_in(folder, folder)
    record = score(on.by_id, data=on.data, protocol=name, device="cpu", show=False)
    right, points = np.sum([counted(f, t) for f, t in zip(found, true, strict=True)], axis=0)
    assert 0.1 < right / points < 0.95
    assert record.score("pckh@0.5").value == pytest.approx(right / points, abs=1e-9)
