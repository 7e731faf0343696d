"""Who is in a picture: dlib's embedding of the one face that its detector is surest of."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFile

from fhpt_bench import weights
from fhpt_bench.errors import BenchError
from fhpt_bench.features import Name
from fhpt_bench.types import Image, Rows
from fhpt_bench.weights import sources

EMBEDDING, BOX, SCORE = slice(0, 128), slice(128, 132), 132
"""Columns of a row: 128-d embedding; x0, y0, x1, y1 in pixels; the detector's score (0: its own threshold)."""
WIDTH = 133
SEARCHED_HEIGHT = 1024
"""An image is enlarged to about this height, by a whole factor, before it is searched: 4 for 256 pixels.

dlib's detector knows faces of 80 pixels and more, and a whole person's face is a tenth of its height or less. Measured
on the 704 photographs of Catwalk's val and test: of 492 frontal faces it finds 271 at twice, 475 at three times and 485
at four times their size, and at four times none on 105 photographs that show no face. dlib's own CNN detector found 34
of 54 at three times, in 1.7 s an image instead of 0.05.
"""

Embed = Callable[[Image, Any], Any]
"""An image and dlib's rectangle around a face in it -> 128 numbers."""


class Face:
    """``face[dlib]``, or the same through the package: ``face[face_recognition]``; N x ``WIDTH``, NaN where no face is.

    dlib's frontal HOG detector at its own threshold, on the enlarged image (``SEARCHED_HEIGHT``, bicubic); of several
    faces the one with the highest score, of equal scores the larger, then the one further left, then higher up. It is
    aligned by dlib's 5-point predictor and embedded from one crop, without jitter, as ``face_recognition`` does by
    default (King, Dlib-ml, JMLR 2009; the network is dlib's ResNet of 2017): both backends give the same bits.

    The detector is frontal: it finds 30 to 40 % of profiles, none from behind. dlib holds Python's lock while it works,
    so threads do not help: about 100 ms an image on one core.

    ``face_recognition`` (``make extras``) reads its models from its own package, and at import a 68-point predictor
    whose training faces may be used for research only; it is not called, and ``face[dlib]`` never reads it.
    """

    small = True
    alone = True

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        return ("dlib-face", "dlib-5-points") if _backend(name) == "dlib" else ()

    def __init__(self, name: Name, device: str) -> None:
        """``device`` is not read: dlib chooses for itself. BenchError where a package or a network is missing."""
        backend, dlib = _backend(name), _dlib()
        self.name, self.prepare = name.text, name.prepare
        self._embed, models = _own(dlib) if backend == "dlib" else _package()
        self._detector = dlib.get_frontal_face_detector()
        # The detector is compiled into the library, so its version is part of what decides the numbers.
        self.key = f"{self.name} {models} dlib {dlib.__version__} 1"

    def extract(self, images: NDArray[np.uint8]) -> Rows:
        """images N x H x W x 3 -> N x ``WIDTH`` float32; the box is in pixels of the image, and may reach outside."""
        images = self.prepare.images(images)
        rows: Rows = np.full((len(images), WIDTH), np.nan, np.float32)
        for row, image in zip(rows, images, strict=True):
            factor = max(1, round(SEARCHED_HEIGHT / image.shape[0]))
            large = enlarge(image, factor)
            found = self._one(large)
            if found is not None:
                box, row[SCORE] = found
                row[EMBEDDING] = self._embed(large, box)
                corners = np.array([box.left(), box.top(), box.right(), box.bottom()])
                row[BOX] = (corners + 0.5) / factor - 0.5  # pixel centres are whole numbers
        return rows

    def _one(self, image: Image) -> tuple[Any, float] | None:
        boxes, scores, _ = self._detector.run(image, 0, 0.0)
        found = list(zip(boxes, scores, strict=True))
        return max(found, key=preference) if found else None


def preference(face: tuple[Any, float]) -> tuple[float, ...]:
    """Of several (dlib rectangle, score) of one image, the one for which this is the greatest is the person's face."""
    box, score = face
    return score, box.area(), -box.left(), -box.top()


def enlarge(image: Image, factor: int) -> Image:
    """Bicubic, by a whole factor."""
    if factor == 1:
        return np.ascontiguousarray(image)
    height, width = image.shape[:2]
    return np.asarray(
        PillowImage.fromarray(image).resize((width * factor, height * factor), PillowImage.Resampling.BICUBIC)
    )


def _backend(name: Name) -> str:
    return name.choice(("dlib", "face_recognition"), "dlib")


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise BenchError(f"face identity needs dlib: {error}", fix="pip install dlib-bin") from error
    return dlib


def _own(dlib: Any) -> tuple[Embed, str]:
    """dlib with the networks of ``fhpt_bench.weights``; and what they are."""
    align = dlib.shape_predictor(str(weights.get("dlib-5-points")))
    network = dlib.face_recognition_model_v1(str(weights.get("dlib-face")))

    def embed(image: Image, box: Any) -> Any:
        return network.compute_face_descriptor(image, align(image, box), 1)

    return embed, f"{weights.digest('dlib-face')} {weights.digest('dlib-5-points')}"


def _package() -> tuple[Embed, str]:
    """``face_recognition`` with the models that it brings; and what they are."""
    # Its import lets Pillow read truncated images from then on, in the whole process; and where its models are missing
    # it ends the process, so they are looked for first.
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        models = import_module("face_recognition_models")
        package = import_module("face_recognition")
    except (ImportError, SystemExit) as error:
        raise BenchError(f"the package face_recognition cannot be imported: {error}", fix="make extras") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before

    def embed(image: Image, box: Any) -> Any:
        where = (box.top(), box.right(), box.bottom(), box.left())
        return package.face_encodings(image, [where], num_jitters=1, model="small")[0]

    files = (models.face_recognition_model_location(), models.pose_predictor_five_point_model_location())
    return embed, " ".join(sources.sha256(Path(file)) for file in files)
