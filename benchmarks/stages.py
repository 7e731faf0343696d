"""The networks of the fine-grained scores, stage by stage: through the harness, bare, and as people run them today.

Loading of code and networks is not counted, for anyone: it happens before the clock starts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import today
from benchmarks.contenders import BATCH, Time, clock, empty_feature_cache, since
from benchmarks.pictures import catwalk, generated
from fhpt_bench import features, paths, points, protocol
from fhpt_bench.evaluators.cells import cells
from fhpt_bench.features.face import SEARCHED_HEIGHT, enlarge
from fhpt_bench.harness import masks
from fhpt_bench.harness.features import Networks
from fhpt_bench.harness.measure import measure
from fhpt_bench.harness.summarise import context, curves, summarise
from fhpt_bench.images import pixels_sha256, read
from fhpt_bench.types import Dataset, Image, Metric, Rows

PROTOCOL = Path(__file__).with_name("fine_grained.toml")
SUMMARISED = 600
"""Pairs whose summaries are timed: the rows that were measured, over and over."""

Images = Mapping[str, NDArray[np.uint8]]
"""Each distinct image once, N x H x W x 3, by role; a photograph that is target and source is a target."""
Run = Callable[[], Any]


@dataclass(frozen=True)
class Stage:
    """Some networks, and the metrics that read them."""

    metrics: Sequence[str]
    roles: Sequence[str]
    """Of which images, beside the generated ones."""
    bare: Callable[[Networks, Images], Run]
    """Made ready -> the networks alone, each on each distinct image once."""
    today: Callable[[Networks, Path, ExitStack], today.Way]


def run(name: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Times of every way of one stage, ``repeats`` times in turn; what each found; seconds of the summaries."""
    stage, data = STAGES[name], catwalk()
    pairs = len(list((folder / "generated").glob("*.png")))
    metrics = [metric for metric in protocol.load(PROTOCOL).build() if metric.name in stage.metrics]
    with closing(Networks(metrics, "cpu", data.name)) as networks, empty_feature_cache() as cache, ExitStack() as open_:
        if networks.missing:
            return {"missing": "; ".join(networks.missing.values())}
        images = distinct(data, pairs, stage.roles)
        bare = stage.bare(networks, images)
        try:
            way = stage.today(networks, folder, open_)
        except ImportError:  # face_recognition, which `make extras` brings
            way = None
        _ready(data, folder, pairs, metrics, networks)
        times: dict[str, list[Time]] = {each: [] for each in ("bare", "first", "cached", "today")}
        for _ in range(repeats):
            shutil.rmtree(cache / "features", ignore_errors=True)
            times["bare"].append(_timed(bare)[0])
            for each in ("first", "cached"):
                time, rows = _timed(lambda: through_harness(data, folder, pairs, metrics, networks))
                times[each].append(time)
            if way is not None:
                times["today"].append(_timed(way.run)[0])
        ours = _found(rows, networks, images)
        about = context(data, range(min(SUMMARISED, len(data))), 0)
        many = {key: np.resize(value, (len(about.people), value.shape[1])) for key, value in rows.items()}
        seconds, _ = _timed(lambda: (summarise(metrics, many, networks, about), curves(metrics, many, networks, about)))
    return {
        "times": times,
        "images": {role: len(stack) for role, stack in images.items()},
        "today images": way.images if way else 0,
        "found": {"ours": ours, "today": way.found() if way else {}},
        "summaries": {"pairs": len(about.people), "time": seconds},
    }


def distinct(data: Dataset, pairs: int, roles: Sequence[str]) -> Images:
    """The images that a run over the first so many pairs looks at."""
    found: dict[str, dict[str, Image]] = {}
    seen: set[str] = set()
    chosen = [data[i] for i in range(pairs)]
    for role in roles:
        photos = {photo.id: photo for photo in (getattr(pair, role) for pair in chosen)}
        found[role] = {i: photo.image for i, photo in photos.items() if i not in seen}
        seen |= set(found[role])
    made = {pair.id: generated(pair, number) for number, pair in enumerate(chosen)}
    return {role: np.stack(list(images.values())) for role, images in {"generated": made, **found}.items() if images}


def through_harness(
    data: Dataset, folder: Path, pairs: int, metrics: Sequence[Metric], networks: Networks
) -> dict[str, Rows]:
    """Rows of the first so many pairs, as ``fhpt_bench.score`` measures them."""
    with tempfile.TemporaryDirectory() as rows:
        found, _ = measure(
            data,
            range(pairs),
            lambda pair_id: read(folder / "generated" / f"{pair_id}.png", data.size),
            metrics,
            networks,
            Path(rows),
            batch_size=BATCH,
            workers=2,
            show=False,
        )
        return {name: np.array(mapped) for name, mapped in found.items()}


def _ready(data: Dataset, folder: Path, pairs: int, metrics: Sequence[Metric], networks: Networks) -> None:
    """What is loaded on first use is loaded; region masks, which are of no stage, are made."""
    through_harness(data, folder, 1, metrics, networks)
    for i in range(pairs):
        masks.masks(data, data[i])
    shutil.rmtree(paths.cache() / "features")


def _timed(run: Run) -> tuple[Time, Any]:
    start = clock()
    found = run()
    return since(start), found


def _found(rows: Mapping[str, Rows], networks: Networks, images: Images) -> today.Numbers:
    """Of ours, what ``today`` finds too."""
    found: today.Numbers = {}
    if "kec" in rows:
        true = images["target"]
        places, _ = points.unpack(networks.true_rows("pose[mediapipe]", list(true), [pixels_sha256(i) for i in true]))
        for part in ("body", "hands", "face"):
            seen = ~np.isnan(places[:, points.PARTS[part]]).all(axis=(1, 2))
            found[f"true images with {part}"] = float(seen.sum())
    if "face" in rows:
        target, source = rows["face"][:, 0], rows["face"][:, 1]
        found["pairs with two faces"] = float((~np.isnan(target)).sum())
        found["face-distance[target]"] = float(np.nanmean(target))
        found["face-distance[source]"] = float(np.nanmean(source))
    if "lpips[vgg]" in rows:
        found["lpips[vgg]"] = float(rows["lpips[vgg]"][:, 0].mean())
        found["mean P(men)"] = float(rows["gender-error[vgg]"][:, 0].mean())
    return found


def _batches(stack: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [stack[at : at + BATCH] for at in range(0, len(stack), BATCH)]


def _pose(networks: Networks, images: Images) -> Run:
    """Every call of a landmarker that our detector makes, with its input ready."""
    from mediapipe import Image as MPImage
    from mediapipe import ImageFormat

    person = networks.features["pose[mediapipe]"]._detector._people[0]  # type: ignore[attr-defined]
    calls: list[tuple[Any, Any]] = []
    detect = person._run

    def noted(landmarker: Any, image: Image) -> Any:
        calls.append((landmarker, MPImage(image_format=ImageFormat.SRGB, data=image)))
        return detect(landmarker, image)

    person._run = noted
    for stack in images.values():
        for image in stack:
            person.points(np.ascontiguousarray(image))
    del person._run
    return lambda: [landmarker.detect(image) for landmarker, image in calls]


def _face(networks: Networks, images: Images) -> Run:
    face: Any = networks.features["face[dlib]"]
    factor = round(SEARCHED_HEIGHT / next(iter(images.values())).shape[1])
    large = [enlarge(image, factor) for stack in images.values() for image in stack]

    def run() -> None:
        for image in large:
            if (found := face._one(image)) is not None:
                face._embed(image, found[0])

    return run


def _vgg(networks: Networks, images: Images) -> Run:
    """VGG16 in our form on every distinct image and on blurred targets; the heads, a batch at a time."""
    trunk: Any = features.build("vgg16.taps")
    blurred: Any = networks.features["gender.vgg[blur2]"]
    gender, attributes, retrieval = (
        _network(networks, f"{name}.vgg") for name in ("gender", "attributes", "retrieval")
    )
    jobs = [
        (batch, (gender, attributes, retrieval)) for role in ("generated", "target") for batch in _batches(images[role])
    ]
    jobs += [(batch, (retrieval,)) for batch in _batches(images.get("source", images["target"][:0]))]
    jobs += [(batch, (gender,)) for batch in _batches(blurred.prepare.images(images["target"]))]

    def run() -> None:
        with features.exact():
            for batch, heads in jobs:
                inputs = cells(trunk.extract(batch))
                for head in heads:
                    head(inputs)

    return run


def _resnet(networks: Networks, images: Images) -> Run:
    network = _network(networks, "retrieval.resnet")
    stacks = [batch for stack in images.values() for batch in _batches(stack)]

    def run() -> None:
        with features.exact():
            for batch in stacks:
                network(torch.from_numpy(batch.transpose(0, 3, 1, 2).astype(np.float32, order="C")))

    return run


def _network(networks: Networks, feature: str) -> Any:
    found: Any = networks.features[feature]
    return found.trained.network


STAGES: dict[str, Stage] = {
    "pose": Stage(("kec", "pckh@0.5", "pck@0.1"), ("target",), _pose, today.pose),
    "face": Stage(("face",), ("target", "source"), _face, today.face),
    "vgg": Stage(
        ("lpips[vgg]", "gender-error[vgg]", "attrrec-5", "fashion-is", "recall@5[vgg,other-views]"),
        ("target", "source"),
        _vgg,
        today.vgg,
    ),
    "resnet": Stage(("recall@5[resnet,other-views]",), ("target", "source"), _resnet, today.resnet),
}
