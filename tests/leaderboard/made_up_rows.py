"""Synthetic rows: numbers drawn from a seed, people made of sticks. Nothing here is a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fhpt_bench.intervals import jackknife_from, leave_out, mean_score
from fhpt_bench.leaderboard import Gallery, GalleryPair
from fhpt_bench.record import DataRef, ModelCard, ProtocolRef, Provenance, Record
from fhpt_bench.types import VISIBLE, Context, Image, Pair, Photo, Pose, Score

HEADLINE = ("ssim[gauss1.5]", "lpips[alex]", "psnr", "fid", "kid", "ssim[gauss1.5]/foreground")
REGIONS = ("foreground", "visible", "occluded", "background", "face", "hands", "clothes")
MEANS = {"ssim[gauss1.5]": ("higher", 0.80, 0.05), "lpips[alex]": ("lower", 0.20, 0.05), "psnr": ("higher", 18.0, 2.0),
         "ms-ssim": ("higher", 0.83, 0.04), "lpips[vgg]": ("lower", 0.27, 0.05)}  # fmt: skip
PEOPLE, EACH = 32, 6


def context(people: int = PEOPLE, each: int = EACH) -> Context:
    names = [f"p{k // each:03d}" for k in range(people * each)]
    ids = [f"{name}-{k:04d}" for k, name in enumerate(names)]
    return Context(ids, names, ids, ids)


def pair_values(quality: float, name: str, seed: int) -> np.ndarray:
    """One value a pair; what pairs and people share is the same for every model: paired differences are small."""
    better, middle, width = MEANS[name.partition("/")[0]]
    shared = np.random.default_rng([hash_of(name), 1])
    own = np.random.default_rng([hash_of(name), 2, seed])
    values = middle + width * (np.repeat(shared.normal(size=PEOPLE), EACH) + 0.6 * shared.normal(size=PEOPLE * EACH))
    values += width * (0.15 * own.normal(size=PEOPLE * EACH) + (quality if better == "higher" else -quality))
    if "/hands" in name:
        values[::3] = np.nan
    return values


def hash_of(name: str) -> int:
    return sum(ord(c) * 31**k for k, c in enumerate(name)) % 2**31


def make_scores(quality: float, seed: int = 0, *, unavailable: Sequence[str] = ()) -> list[Score]:
    over = context()
    scores = []
    for name, (better, _, _) in MEANS.items():
        regions = REGIONS if name in ("ssim[gauss1.5]", "psnr", "lpips[alex]") else ()
        for each in (name, *(f"{name}/{region}" for region in regions)):
            if name in unavailable:
                scores.append(
                    Score(
                        name=each,
                        value=None,
                        better=better,
                        pairs=0,
                        unavailable="identical images have no finite PSNR",
                    )
                )
            else:
                scores.append(mean_score(each, pair_values(quality, each, seed), over, better))
    for name, scale in (("fid", 30.0), ("kid", 0.02)):
        value = scale * (1 - quality / 3)
        noise = np.random.default_rng([seed, 5]).normal(0, scale * 0.004, len(leave_out(over.people)))
        scores.append(jackknife_from(name, value, list(value + noise), over, "lower"))
    return scores


def make_record(
    name: str,
    scores: Sequence[Score],
    *,
    kind: str = "model",
    protocol: str = "a" * 64,
    data: str = "b" * 64,
    limit: int | None = None,
    headline: Sequence[str] | Mapping[str, Sequence[str]] = HEADLINE,
    people: int = PEOPLE,
    card: dict[str, object] | None = None,
    source: str = "",
) -> Record:
    return Record(
        model=ModelCard(name=name, kind=kind, source=source, card=card or {}, weights_sha256="c" * 64),
        protocol=ProtocolRef(name="made-up-v1", sha256=protocol, frozen=False, headline=headline),
        data=DataRef(name="sticks", split="test", sha256=data, pairs=PEOPLE * EACH, limit=limit, synthetic=True),
        seed=0,
        people=tuple(f"p{k:03d}" for k in range(people)),
        scores=tuple(scores),
        provenance=Provenance(
            created="2026-11-20T05:00:00Z",
            versions={"fhpt-bench": "0.1.0", "torch": "2.15.0"},
            device="cpu",
            seconds={"generate": 41.2, "score": 180.0},
            features={"inception.pool3": "6f1a"},
            images_sha256="d" * 64,
            command=f"fhpt-bench run --model {name}",
        ),
    )  # fmt: skip


def example() -> list[Record]:
    """A board as people will see it: four models, two of them hard to tell apart, and the references."""
    card = {
        "paper": "made up",
        "parameters": 1_843_211,
        "deviations": ["smaller", "no face module"],
        "cost": {"minutes": 70},
    }
    return [
        make_record("drn", make_scores(0.62, 1), card=card, source="baselines/drn"),
        make_record("patn", make_scores(0.30, 2), source="baselines/patn"),
        make_record("drn-no-texture", make_scores(0.60, 3)),
        make_record("truth", make_scores(2.4, 4, unavailable=["psnr"]), kind="oracle"),
        make_record("exact-warp", make_scores(1.1, 5), kind="oracle"),
        make_record("copy-source", make_scores(-0.9, 6), kind="reference"),
        make_record("blank", make_scores(-9.0, 7), kind="reference"),
    ]


def photo(person: str, seed: int, color: tuple[int, int, int]) -> Photo:
    """A striped body on white, leaning one way or the other."""
    points = np.array(
        [(44, 20), (44, 36), (32, 38), (26, 58), (24, 76), (56, 38), (62, 58), (64, 76), (38, 76),
         (37, 100), (36, 122), (50, 76), (51, 100), (52, 122), (41, 17), (47, 17), (38, 19), (50, 19)],
        np.float32,
    )  # fmt: skip
    points[:, 0] += np.random.default_rng(seed).integers(-12, 12) * (130 - points[:, 1]) / 130

    def read() -> Image:
        image = np.full((128, 88, 3), 255, np.uint8)
        for x, y in points:
            image[max(int(y) - 6, 0) : int(y) + 6, max(int(x) - 8, 0) : int(x) + 8] = color
        image[::9] = np.minimum(image[::9].astype(int) + 40, 255)
        return image

    return Photo(f"{person}_{seed}", Pose(points, np.full(18, VISIBLE, np.uint8)), person, read)


def make_gallery(record: Record, seed: int) -> Gallery:
    over = context()
    shown = ("ssim[gauss1.5]", "lpips[alex]", "psnr", "ssim[gauss1.5]/hands")
    values = {
        name: pair_values(0.3, name, seed)
        for name in shown
        if any(score.name == name and score.value is not None for score in record.scores)
    }
    pairs = []
    for k, (pair_id, person) in enumerate(zip(over.pair_ids, over.people, strict=True)):
        rng = np.random.default_rng(k)
        color = tuple(int(v) for v in rng.integers(30, 220, 3))
        pair = Pair(pair_id, photo(person, 2 * k, color), photo(person, 2 * k + 1, color))
        noise = np.random.default_rng([k, seed]).integers(-30, 30, (128, 88, 3))

        def generated(target: Photo = pair.target, noise: np.ndarray = noise) -> Image:
            return np.clip(target.image.astype(int) + (noise if seed else 0), 0, 255).astype(np.uint8)

        pairs.append(GalleryPair(pair, generated, {name: float(v[k]) for name, v in values.items()}))
    return Gallery(pairs)
