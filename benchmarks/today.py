"""The same numbers as scripts get them today: files opened for every pair, nothing kept, a network for each score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from sklearn.neighbors import NearestNeighbors

from benchmarks.contenders import BATCH, lpips_vgg
from fhpt_bench import weights
from fhpt_bench.features import exact
from fhpt_bench.features.trunks import IMAGENET_MEAN, IMAGENET_STD
from fhpt_bench.harness.features import Networks

Numbers = dict[str, float]
UPSAMPLE = 2
"""Of ``face_recognition``'s search. Its default of 1 misses almost half the faces of images of this size."""
TAPS = (3, 8, 15, 22, 29)
"""torchvision's numbers of relu1_2 .. relu5_3."""


@dataclass(frozen=True)
class Way:
    """One way to the numbers, with its networks loaded."""

    run: Callable[[], Any]
    """Does it all."""
    found: Callable[[], Numbers]
    """What the last run found."""
    images: int
    """How many images it looks at, one as often as it does."""


def files(folder: Path, *roles: str) -> list[tuple[Path, ...]]:
    """Of every pair that ``pictures.write`` wrote."""
    ids = json.loads((folder / "pairs.json").read_text())
    return [tuple(folder / role / f"{i}.png" for role in roles) for i in ids]


def pose(networks: Networks, folder: Path, open_: ExitStack) -> Way:
    """MediaPipe's three landmarkers with the options of its guides on whole images, one after another."""
    from mediapipe import Image
    from mediapipe.tasks.python import vision

    landmarkers = {
        "body": _landmarker(vision.PoseLandmarker, vision.PoseLandmarkerOptions, "mediapipe-pose"),
        "hands": _landmarker(vision.HandLandmarker, vision.HandLandmarkerOptions, "mediapipe-hands", num_hands=2),
        "face": _landmarker(vision.FaceLandmarker, vision.FaceLandmarkerOptions, "mediapipe-face"),
    }
    for landmarker in landmarkers.values():
        open_.enter_context(landmarker)
    pairs, seen = files(folder, "generated", "target"), {}

    def run() -> None:
        for file in (file for pair in pairs for file in pair):
            image = Image.create_from_file(str(file))
            seen[file] = {name: landmarker.detect(image) for name, landmarker in landmarkers.items()}

    def found() -> Numbers:
        targets = {target.read_bytes(): seen[target] for _, target in pairs}.values()
        lists = {"body": "pose_landmarks", "hands": "hand_landmarks", "face": "face_landmarks"}
        return {
            f"true images with {part}": float(sum(bool(getattr(t[part], lists[part])) for t in targets))
            for part in lists
        }

    return Way(run, found, 2 * len(pairs))


def face(networks: Networks, folder: Path, open_: ExitStack) -> Way:
    """``face_recognition`` as its README shows it, the three images of every pair."""
    import face_recognition

    pairs, distances = files(folder, "generated", "target", "source"), []

    def embedding(file: Path) -> NDArray[np.float64] | None:
        image = face_recognition.load_image_file(str(file))
        places = face_recognition.face_locations(image, number_of_times_to_upsample=UPSAMPLE)
        faces = face_recognition.face_encodings(image, places)
        return faces[0] if faces else None

    def run() -> None:
        distances.clear()
        for pair in pairs:
            made, *true = (embedding(file) for file in pair)
            distances.append([np.nan if made is None or t is None else np.linalg.norm(made - t) for t in true])

    def found() -> Numbers:
        target, source = np.array(distances).T
        return {
            "pairs with two faces": float((~np.isnan(target)).sum()),
            "face-distance[target]": float(np.nanmean(target)),
            "face-distance[source]": float(np.nanmean(source)),
        }

    return Way(run, found, 3 * len(pairs))


def vgg(networks: Networks, folder: Path, open_: ExitStack) -> Way:
    """The ``lpips`` package; then VGG16 as torchvision holds it once for each evaluator, with the evaluator's head."""
    trunk, pairs = _vgg16(), files(folder, "generated", "target", "source")
    gender, attributes, retrieval = (networks.features[f"{name}.vgg"] for name in ("gender", "attributes", "retrieval"))
    blurred: Any = networks.features["gender.vgg[blur2]"]
    made, true = ([pair[role] for pair in pairs] for role in (0, 1))
    photos = _each_once([pair[2] for pair in pairs])
    last: dict[str, Any] = {}

    def evaluate(feature: Any, which: Sequence[Path], prepare: Callable[[Any], Any] = lambda images: images) -> Any:
        found = []
        for batch in _batches(which):
            with exact():
                found.append(feature.reduce(_taps(trunk, prepare(batch))))
        return np.concatenate(found)

    def run() -> None:
        last["lpips"] = lpips_vgg(folder)
        last["men"] = evaluate(gender, made)
        for which, prepare in ((true, lambda images: images), (true, blurred.prepare.images)):
            evaluate(gender, which, prepare)
        for which in (made, true):
            evaluate(attributes, which)
        neighbours(evaluate(retrieval, photos), evaluate(retrieval, made))

    def found() -> Numbers:
        return last["lpips"][1] | {"mean P(men)": float(last["men"].mean())}

    return Way(run, found, 7 * len(pairs) + len(photos))


def resnet(networks: Networks, folder: Path, open_: ExitStack) -> Way:
    """Generated images and source photographs through the network in batches, then scikit-learn."""
    feature: Any = networks.features["retrieval.resnet"]
    pairs = files(folder, "generated", "source")
    made, photos = [pair[0] for pair in pairs], _each_once([pair[1] for pair in pairs])

    def embed(which: Sequence[Path]) -> NDArray[np.float32]:
        found = []
        for batch in _batches(which):
            with exact():
                pixels = torch.from_numpy(batch.transpose(0, 3, 1, 2).astype(np.float32, order="C"))
                found.append(torch.nn.functional.normalize(feature.trained.network(pixels), dim=1).numpy())
        return np.concatenate(found)

    return Way(lambda: neighbours(embed(photos), embed(made)), dict, len(made) + len(photos))


def neighbours(gallery: NDArray[np.float32], queries: NDArray[np.float32], k: int = 12) -> NDArray[np.intp]:
    """scikit-learn's brute force: queries x k places."""
    search = NearestNeighbors(n_neighbors=min(k, len(gallery)), metric="cosine", algorithm="brute").fit(gallery)
    places: NDArray[np.intp] = search.kneighbors(queries, return_distance=False)
    return places


def _landmarker(kind: Any, options: Any, network: str, **more: Any) -> Any:
    from mediapipe.tasks.python.core.base_options import BaseOptions

    return kind.create_from_options(options(base_options=BaseOptions(str(weights.get(network))), **more))


def _each_once(which: Sequence[Path]) -> list[Path]:
    return list({file.read_bytes(): file for file in which}.values())


def _batches(which: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    return (_read(which[at : at + BATCH]) for at in range(0, len(which), BATCH))


def _read(which: Sequence[Path]) -> NDArray[np.uint8]:
    stack = []
    for file in which:
        with PillowImage.open(file) as image:
            stack.append(np.array(image.convert("RGB")))
    return np.stack(stack)


def _vgg16() -> torch.nn.Sequential:
    from torchvision.models import vgg16

    trunk: torch.nn.Sequential = vgg16().features[:30]
    trunk.load_state_dict({key.removeprefix("features."): value for key, value in weights.load("vgg16").items()})
    return trunk.eval()


def _taps(trunk: torch.nn.Sequential, images: NDArray[np.uint8]) -> list[torch.Tensor]:
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    x, found = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std, []
    for number, layer in enumerate(trunk):
        x = layer(x)
        if number in TAPS:
            found.append(x)
    return found
