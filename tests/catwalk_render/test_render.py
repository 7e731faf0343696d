"""Whole photographs: the same again, points where they belong, flow as exact as is claimed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from fhpt_bench import BenchError
from fhpt_bench.catwalk_render import export, render
from fhpt_bench.catwalk_render.annotate import annotate, flow, parts, rest_positions
from fhpt_bench.catwalk_render.dress import Figure
from fhpt_bench.catwalk_render.landmarks import face_vertices
from fhpt_bench.catwalk_render.photograph import Photograph, Shot, photograph
from fhpt_bench.catwalk_render.poses import STANCES, _Chest, settle
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.catwalk.dataset import DATA
from fhpt_bench.datasets.catwalk.surface import Surface, decode, encode, match
from fhpt_bench.datasets.skeletons import BODY18, FACE_POINTS
from fhpt_bench.types import OCCLUDED, VISIBLE


@pytest.fixture(scope="module")
def views(figure: Figure) -> list[Photograph]:
    """The eight shots of a shipped test outfit, rendered here."""
    return [photograph(figure, shot) for shot in export.shots(figure.outfit)]


def test_the_shipped_photographs_come_out_again(views: list[Photograph]) -> None:
    """Pixels and labels of the shipped files. On the machine they were made on every byte is the same; another
    processor's last bits in float32 may move single samples, so one pixel in a thousand may differ."""
    with zipfile.ZipFile(DATA / "test/te05.zip") as archive:
        notes = json.loads(archive.read("annotations.json"))
        for i, view in enumerate(views, 1):
            shipped = np.asarray(PillowImage.open(io.BytesIO(archive.read(f"o1-v{i}.webp"))))
            assert (shipped != view.image).any(-1).mean() <= 1e-3
            parsing = np.asarray(PillowImage.open(io.BytesIO(archive.read(f"o1-v{i}.parsing.webp"))))[..., 0]
            assert (parsing != view.parsing).mean() <= 1e-3
            note = notes["photos"][f"te05-o1-v{i}"]
            np.testing.assert_allclose(note["body"], annotate(view).body, atol=0.11)
            np.testing.assert_allclose(note["face"], annotate(view).face, atol=0.11)


def test_same_seed_same_bytes_whatever_the_threads(assets: Path, tmp_path: Path) -> None:
    """Two processes, 1 and 4 threads, one person each: the same files to the byte; and they load."""
    for threads in (1, 4):
        code = "from pathlib import Path; from fhpt_bench.catwalk_render import render; "
        code += f"print(render(people=1, seed=3, assets=Path({str(assets)!r}), out=Path('{threads}')))"
        environment = os.environ | {f"{n}_NUM_THREADS": str(threads) for n in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=500)
    one, four = (sorted((tmp_path / t).rglob("*")) for t in ("1", "4"))
    assert [p.name for p in one] == [p.name for p in four] == ["manifest.json", "pairs-test.csv", "test", "te00.zip"]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, four, strict=True) if a.is_file())
    data = Catwalk("test", tmp_path / "1")
    assert len(data.photos()) == 16
    assert data.regions(data[0])["visible"].any()
    with pytest.raises(BenchError, match="already"):
        render(people=1, seed=3, assets=assets, out=tmp_path / "1")


def test_a_folder_of_other_people_is_refused(assets: Path, tmp_path: Path) -> None:
    (tmp_path / "making.json").write_text('[["te00", 9, 2, 0]]')
    with pytest.raises(BenchError, match="other people"):
        render(people=1, seed=3, assets=assets, out=tmp_path)
    (tmp_path / "making.json").rename(tmp_path / "letter.txt")
    with pytest.raises(BenchError, match="not empty"):
        render(people=1, seed=3, assets=assets, out=tmp_path)
    with pytest.raises(BenchError, match="0 people"):
        render(people=0, seed=3, assets=assets, out=tmp_path / "new")


def test_wrong_assets_are_found_out_first(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="npm pack"):
        render(people=1, seed=3, assets=tmp_path, out=tmp_path / "new")


@pytest.mark.parametrize("step", [1, 2])
def test_matched_flow_against_the_renderers_own(views: list[Photograph], skirt: Figure, step: int) -> None:
    """Issue 2: at most 0.5 px in the median and 1.5 px at the 95th percentile, on what both call visible; here over two
    outfits, one of them a skirt; and the two agree on visibility."""
    errors, agree = [], []
    for shots in (views, [photograph(skirt, shot) for shot in export.shots(skirt.outfit)[:5]]):
        corners = export.part_corners(shots[0].figure)
        coded = [encode(rest_positions(v)[0], parts(v), corners)[::step, ::step] for v in shots]
        maps = [Surface(*decode(c, corners), step, (256, 176)) for c in coded]
        for a, b in permutations(range(len(shots)), 2):
            exact, state = flow(shots[a], shots[b])
            found, seen = match(maps[a], maps[b], state < 2)
            both = (state == 0) & (seen == 0)
            errors.append(np.linalg.norm(exact - found, axis=-1)[both])
            agree.append((state == seen)[state < 2])
    error = np.concatenate(errors)
    assert len(error) > 100_000
    assert np.median(error) <= 0.5
    assert np.percentile(error, 95) <= 1.5
    assert np.concatenate(agree).mean() >= 0.93


def test_face_points_are_symmetric_and_in_order() -> None:
    from fhpt_bench.catwalk_render.body import rest

    at = dict(zip(FACE_POINTS, rest({}, {}, {}).vertices[face_vertices()].astype(np.float64), strict=True))
    for name, point in at.items():
        mirror = name.replace("r_", "l_", 1) if name.startswith("r_") else name.replace("right", "left")
        if mirror != name:
            np.testing.assert_allclose(point * [-1, 1, 1], at[mirror], atol=0.004, err_msg=name)
    heights = [
        at[n][2]
        for n in ("l_brow_middle", "l_eye_top", "l_eye_bottom", "nose_tip", "mouth_top", "mouth_bottom", "chin")
    ]
    assert heights == sorted(heights, reverse=True)
    assert at["nose_tip"][1] == min(p[1] for p in at.values())  # the farthest forward


def test_what_is_seen_from_the_front_and_from_the_back(figure: Figure) -> None:
    index = {name: i for i, name in enumerate(BODY18)}
    front = annotate(photograph(figure, Shot("front", "full", (1,))))
    assert (front.body_visible == VISIBLE).sum() >= 16
    assert front.frontal
    assert front.box is not None
    back = annotate(photograph(figure, Shot("back", "full", (1,))))
    assert all(back.body_visible[index[n]] == OCCLUDED for n in ("nose", "r_eye", "l_eye"))
    assert all(back.body_visible[index[n]] == VISIBLE for n in ("r_shoulder", "l_hip", "r_knee", "l_ankle"))
    assert back.body[index["r_shoulder"], 0] > back.body[index["l_shoulder"], 0]
    assert back.box is None
    assert not back.frontal
    side = annotate(photograph(figure, Shot("side-left", "full", (1,))))
    hidden = {"r": side.body_visible[index["r_elbow"]], "l": side.body_visible[index["l_elbow"]]}
    assert sorted(hidden.values()) == [OCCLUDED, VISIBLE]


def test_folded_hands_lie_on_the_body(figure: Figure) -> None:
    """The prototype's crossed arms floated centimetres before the chest."""
    stance = settle(STANCES["hands-folded"], figure)
    chest = _Chest(figure)
    assert -0.01 < chest.clearance(stance, "R") < 0.015
    chest.cover(stance, "R")
    assert -0.01 < chest.clearance(stance, "L") < 0.015
