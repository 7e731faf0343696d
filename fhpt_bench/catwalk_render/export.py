"""Files of the data set: one zip a person, pair lists, and a manifest of every file's sha256."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from fhpt_bench import paths
from fhpt_bench.catwalk_render import wardrobe
from fhpt_bench.catwalk_render.annotate import Points, annotate, parts, rest_positions
from fhpt_bench.catwalk_render.assets import Library
from fhpt_bench.catwalk_render.dress import Figure, dress
from fhpt_bench.catwalk_render.people import Person
from fhpt_bench.catwalk_render.photograph import FRAMINGS, Photograph, Shot, photograph
from fhpt_bench.catwalk_render.poses import STANCES, VIEWS
from fhpt_bench.catwalk_render.wardrobe import Outfit
from fhpt_bench.datasets.catwalk import pairs, surface
from fhpt_bench.errors import BenchError
from fhpt_bench.progress import progress

SHIPPED_SEED = 2026
SHIPPED_SPLITS = {"train": (96, 14), "val": (12, 2), "test": (32, 16)}
"""People and, of them, men. Train and val as in DeepFashion (about 15 / 85), test balanced."""
OUTFITS, SHOTS = 2, 8
_STYLES = {
    "long01": "long",
    "ponytail01": "ponytail",
    "Braid01": "braid",
    "afro01": "afro",
    "short01": "short",
    "short02": "short",
    "short04": "short",
}


@dataclass(frozen=True)
class Job:
    """One person to render."""

    person: Person
    assets: Path
    folder: Path
    lossless: bool


def shots(outfit: Outfit) -> list[Shot]:
    """Eight photographs: three from the front, two quarter, one side, one back, one more of any; no stance twice."""
    draw = np.random.default_rng([*outfit.seed, 4])
    chosen = ["front"]
    for view, count in (("front", 2), ("quarter", 2), ("side", 1), ("back", 1)):
        free = [s for s in VIEWS[view] if s not in chosen]
        chosen += [free[i] for i in draw.permutation(len(free))[:count]]
    free = [s for s in STANCES if s not in chosen]
    chosen.append(free[draw.integers(len(free))])
    framings = draw.choice(FRAMINGS, size=SHOTS, p=[0.4, 0.25, 0.35])
    return [
        Shot(stance, str(framing), (*outfit.seed, 10 + i))
        for i, (stance, framing) in enumerate(zip(chosen, framings, strict=True))
    ]


@lru_cache(1)
def _library(assets: Path) -> Library:
    return Library(assets)


def photographs(person: Person, assets: Path) -> list[tuple[str, Outfit, Photograph]]:
    """All of a person's photographs with their ids, in order."""
    out = []
    for index in range(1, OUTFITS + 1):
        outfit = wardrobe.outfit(person, index)
        figure = dress(outfit, _library(assets))
        out += [(f"{outfit.id}-v{i}", outfit, photograph(figure, shot)) for i, shot in enumerate(shots(outfit), 1)]
    return out


def render_person(job: Job) -> Path:
    """Render and write ``<person>.zip``; whole or not at all. Members are stored in a fixed order with a fixed date."""
    members: dict[str, bytes] = {}
    notes: dict[str, Any] = {"person": job.person.id, "corners": {}, "photos": {}}
    for photo_id, outfit, photo in photographs(job.person, job.assets):
        # What is stored is what is coded with: the rounded corners.
        notes["corners"][outfit.id] = np.round(part_corners(photo.figure).astype(np.float64), 4).tolist()
        notes["photos"][photo_id] = {"labels": labels(outfit, photo.shot), **_points(annotate(photo))}
        step, short = (1 if job.lossless else 2), photo_id.partition("-")[2]
        coded = surface.encode(
            rest_positions(photo)[0], parts(photo), np.array(notes["corners"][outfit.id], np.float32)
        )
        members[f"{short}.webp"] = _webp(photo.image) if job.lossless else _webp(photo.image, quality=90)
        members[f"{short}.parsing.webp"] = _webp(np.repeat(photo.parsing[..., None], 3, 2))
        members[f"{short}.surface.webp"] = _webp(np.ascontiguousarray(coded[::step, ::step]))
    members["annotations.json"] = json.dumps(notes, separators=(",", ":")).encode()
    path = job.folder / job.person.split / f"{job.person.id}.zip"
    with paths.atomic(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return path


def part_corners(figure: Figure) -> NDArray[np.float32]:
    """parts x 3: lowest x, y, z of each part in the rest pose; zeros for parts the figure has not."""
    corners = np.zeros((len(surface.PARTS), 3), np.float32)
    for part in range(1, len(surface.PARTS)):
        own = figure.vertices[np.unique(figure.faces[figure.part == part])]
        if len(own):
            corners[part] = own.min(0)
    return corners


def labels(outfit: Outfit, shot: Shot) -> dict[str, str]:
    """What ``Photo.labels`` says; all strings."""
    person = outfit.person
    view = next(name for name, stances in VIEWS.items() if shot.stance in stances)
    return {
        "split": person.split, "person": person.id, "outfit": outfit.id, "item": f"item-{outfit.id}", "view": view,
        "stance": shot.stance,
        "framing": shot.framing, "gender": person.gender, "skin_tone": person.skin_tone, "top": outfit.top.type,
        "bottom": outfit.bottom.type, "shoes": outfit.shoes, "top_colour": outfit.top_fabric.colours[0],
        "top_colours": "/".join(outfit.top_fabric.colours), "bottom_colour": outfit.bottom_fabric.colours[0],
        "bottom_colours": "/".join(outfit.bottom_fabric.colours), "top_pattern": outfit.top_fabric.pattern,
        "bottom_pattern": outfit.bottom_fabric.pattern, "hair": _STYLES[person.hair], "hair_colour": person.hair_colour,
    }  # fmt: skip


def _points(points: Points) -> dict[str, Any]:
    def rounded(xy: NDArray[np.float32]) -> list[Any]:
        found: list[Any] = np.round(xy.astype(np.float64), 1).tolist()
        return found

    return {
        "body": rounded(points.body), "body_visible": points.body_visible.tolist(),
        "hands": rounded(points.hands), "hands_visible": points.hands_visible.tolist(),
        "face": rounded(points.face), "face_visible": points.face_visible.tolist(),
        "box": points.box, "frontal": points.frontal,
    }  # fmt: skip


def _webp(pixels: NDArray[np.uint8], quality: int = 0) -> bytes:
    """Lossless unless ``quality`` is given."""
    out = io.BytesIO()
    image = PillowImage.fromarray(pixels)
    if quality:
        image.save(out, "WEBP", quality=quality, method=6)
    else:
        image.save(out, "WEBP", lossless=True, quality=90, method=6, exact=True)
    return out.getvalue()


def render(assets: Path, folder: Path, rosters: Sequence[Sequence[Person]], workers: int = 1) -> str:
    """Render every person of the rosters into ``folder`` and write pair lists and manifest; the data set's hash is
    returned.

    A person whose zip exists is not rendered again, so that a killed run goes on; ``making.json`` says until the end
    which people are being made, so that a run for others is refused.
    """
    everyone = [person for roster in rosters for person in roster]
    _claim(folder, [[person.id, *person.seed] for person in everyone])
    _library(assets.resolve())  # a wrong folder is found out before anything starts
    jobs = [
        Job(person, assets.resolve(), folder, person.split == "test")
        for person in everyone
        if not (folder / person.split / f"{person.id}.zip").exists()
    ]
    with (
        progress("rendering", len(jobs), unit="people") as advance,
        multiprocessing.get_context("spawn").Pool(max(1, min(workers, len(jobs)))) as pool,
    ):
        for _ in pool.imap_unordered(render_person, jobs):
            advance(1)
    for split, count in (("val", 120), ("test", 600)):
        if (folder / split).is_dir():
            pairs.write(folder, split, count)
    sha256 = write_manifest(folder)
    (folder / "making.json").unlink()
    return sha256


def _claim(folder: Path, people: list[list[Any]]) -> None:
    """Refuse a folder that is finished or that other people are being rendered into; else say what is being made."""
    if (folder / "manifest.json").exists():
        raise BenchError("there is a rendered data set here already", where=folder, fix="give another folder")
    note = folder / "making.json"
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != people:
        raise BenchError("other people are half rendered here", where=folder, fix="give another folder, or remove it")
    if not note.exists() and folder.exists() and any(folder.iterdir()):
        raise BenchError("the folder is not empty", where=folder, fix="give an empty folder")
    paths.write_json(note, people)


def write_manifest(folder: Path) -> str:
    """Hash every file of the data set; returns the sha256 of the manifest, which is the data set's."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".zip", ".csv"))
    manifest = {
        "name": "catwalk", "version": 1, "synthetic": True,
        "files": {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }  # fmt: skip
    paths.write_json(folder / "manifest.json", manifest)
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
