"""MediaPipe's pose, hand and face landmarkers as one detector."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import points, weights
from fhpt_bench.detectors.mappings import BODY_FROM_MEDIAPIPE33, FACE_FROM_MESH478, translate
from fhpt_bench.detectors.native import explaining, without_chatter
from fhpt_bench.errors import BenchError
from fhpt_bench.types import Image, Rows
from fhpt_bench.weights import sources

Floats = NDArray[np.floating[Any]]

VISIBILITY = 0.5
"""Body points less sure than this count as not found, as in MediaPipe's own drawing code."""
HANDS_SCALE = 2
"""The hand network sees the image enlarged."""
HANDS_SURE = 0.3
"""Least score of its palm and of its hand network."""
HANDS_REACH = 0.3
"""A hand belongs to a wrist of the pose nearer than this share of the torso's length (15 cm of 50)."""
HEAD_SIDE, HEAD_PIXELS = 0.7, 192
"""The head's crop: its side as a share of the torso's length, and the pixels the face network sees it in."""

REPORTS_FROM = (0, 10, 35)
"""From this version on MediaPipe's library calls play.googleapis.com, and nothing turns that off: issue 6291 of
google-ai-edge/mediapipe, and seen with strace; the libraries of 0.10.30 to 0.10.33 import no function of a network."""

_WORKERS = 4
"""At most so many images at a time: each thread has landmarkers of its own, so that it changes no number."""
_RIGHT_WRIST, _LEFT_WRIST = 16, 15
_HEAD = slice(0, 11)
_TORSO = ((12, 24), (11, 23), (11, 12))
"""Of MediaPipe's 33 points: shoulder to hip, right and left, and shoulder to shoulder."""


class MediaPipe:
    """Pose landmarker (lite), then hand and face landmarker, each image on its own (``RunningMode.IMAGE``).

    Body: the one most likely person; a point outside the frame, or of a visibility below ``VISIBILITY``, is not found.
    Hands: up to two; each goes to the wrist of the pose that it is nearest to, nearest first, one a wrist, none farther
    than ``HANDS_REACH``; MediaPipe's own word on left and right is not used. Face: looked for in a square about the
    pose's head; in the whole image where no body is found (hands then have no wrist and are not found). MediaPipe gives
    hands and faces no confidence a point: theirs is 1.

    Runs on the CPU whatever ``device`` is.

    On Catwalk's 192 validation photographs (256 x 176), against exact truth, visible points only, median / mean px:
    body 2.5 / 4.2 (98 % of the points found; three views from behind with left and right exchanged, one misread), hands
    1.5 / 2.3 (93 % of the hands that show), face 0.86 / 0.98 (all 130 frontal faces, 94 % of all that show half their
    points). About 40 ms of one core an image: 40 % body, 35 % hands, 25 % face.

    How it is fed was chosen there. Body: enlarging the image 2 or 3 times, or padding it to a square, is no better.
    Hands: enlarged twice and half-sure ones let in, 93 % are found instead of 90, at 1.47 px instead of 1.57; crops
    about the wrists find 94 % at the most, and with a mean of 4 px. Face: without the head's crop half of the frontal
    ones are missed.
    """

    name: ClassVar[str] = "mediapipe"
    networks: ClassVar[tuple[str, ...]] = ("mediapipe-pose", "mediapipe-hands", "mediapipe-face")

    def __init__(self, device: str = "cpu") -> None:
        """BenchError where the package, a system library or a network cannot be had."""
        if sources.offline() and installed() >= REPORTS_FROM:
            raise BenchError(
                f"mediapipe {version('mediapipe')} reports its use to Google, and FHPT_BENCH_OFFLINE is set",
                fix="pip install 'mediapipe>=0.10.30,<0.10.35'",
            )
        files = {name: str(weights.get(name)) for name in self.networks}
        settings = (VISIBILITY, HANDS_SCALE, HANDS_SURE, HANDS_REACH, HEAD_SIDE, HEAD_PIXELS)
        tables = hashlib.sha256(repr((BODY_FROM_MEDIAPIPE33, FACE_FROM_MESH478)).encode()).hexdigest()[:12]
        workers = min(_WORKERS, os.cpu_count() or 1)
        with explaining("mediapipe", "pip install mediapipe"), without_chatter(), ExitStack() as stack:
            self._people = [_Person(*map(stack.enter_context, _graphs(files))) for _ in range(workers)]
            digests = " ".join(weights.digest(name)[:16] for name in self.networks)
            self.key = f"{self.name} {version('mediapipe')} {digests} {tables} {settings} 1"
            self._open: ExitStack | None = stack.pop_all()

    def detect(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 RGB -> N x 270 float32, as ``Detector.detect``."""
        if self._open is None:
            raise BenchError("this detector is closed", fix="build another: detectors.build('mediapipe')")
        rows: Rows = np.empty((len(images), points.WIDTH), np.float32)

        def work(first: int) -> None:
            for i in range(first, len(images), len(self._people)):
                rows[i] = self._people[first].points(np.ascontiguousarray(images[i]))

        with ThreadPoolExecutor(len(self._people)) as pool:
            list(pool.map(work, range(len(self._people))))
        return rows

    def close(self) -> None:
        """MediaPipe's graphs must be closed before the interpreter ends, or they raise there."""
        if self._open is not None:
            with without_chatter():
                self._open.close()
            self._open = None


class _Person:
    """One set of landmarkers; used by one thread."""

    def __init__(self, pose: Any, hands: Any, face: Any) -> None:
        self._pose, self._hands, self._face = pose, hands, face
        self._found_someone = False

    def points(self, image: Image) -> Floats:
        """H x W x 3 -> 270."""
        body = self._body(image)
        if body is None:
            height, width = image.shape[:2]
            face = self._face_in(image, np.array([width - 1, height - 1]) / 2, float(max(height, width)))
            return points.pack(face=face)
        torso = max(float(np.linalg.norm(body[a, :2] - body[b, :2])) for a, b in _TORSO)
        right, left = self._both_hands(image, body, HANDS_REACH * torso)
        face = self._face_in(image, body[_HEAD, :2].mean(axis=0), max(HEAD_SIDE * torso, 8.0))
        found = translate(body, BODY_FROM_MEDIAPIPE33)
        found[found[:, 2] < VISIBILITY] = np.nan
        return points.pack(_inside(found, image), _inside(right, image), _inside(left, image), face)

    def _body(self, image: Image) -> Floats | None:
        """33 x 3 (x, y, visibility) of the most likely person."""
        found = self._run(self._pose, image).pose_landmarks
        if not found:
            return None
        self._found_someone = True
        return np.column_stack([_places(found[0], image), [point.visibility for point in found[0]]]).astype(np.float32)

    def _both_hands(self, image: Image, body: Floats, reach: float) -> tuple[Floats | None, Floats | None]:
        """21 x 3 of the right and of the left hand."""
        import cv2

        larger: Any = cv2.resize(image, None, fx=HANDS_SCALE, fy=HANDS_SCALE, interpolation=cv2.INTER_CUBIC)
        hands = [_places(hand, image) for hand in self._run(self._hands, larger).hand_landmarks]
        wrists = body[[_RIGHT_WRIST, _LEFT_WRIST], :2]
        near = sorted(
            (float(np.linalg.norm(hand[0] - wrist)), side, number)
            for side, wrist in enumerate(wrists)
            for number, hand in enumerate(hands)
        )
        given: dict[int, int] = {}
        for distance, side, number in near:
            if distance < reach and side not in given and number not in given.values():
                given[side] = number
        right, left = (_sure(hands[given[side]]) if side in given else None for side in (0, 1))
        return right, left

    def _face_in(self, image: Image, centre: Floats, side: float) -> Floats | None:
        """30 x 3 from the square about ``centre`` of ``side`` pixels."""
        import cv2

        scale = HEAD_PIXELS / side
        offset = (HEAD_PIXELS - 1) / 2 - scale * centre
        move = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        smoothing = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA
        size = (HEAD_PIXELS, HEAD_PIXELS)
        crop: Any = cv2.warpAffine(image, move, size, flags=smoothing, borderMode=cv2.BORDER_REPLICATE)
        found = self._run(self._face, crop).face_landmarks
        if not found:
            return None
        mesh = (_places(found[0], crop) - offset) / scale
        return _inside(translate(_sure(mesh), FACE_FROM_MESH478), image)

    def _run(self, landmarker: Any, image: Image) -> Any:
        from mediapipe import Image as MPImage
        from mediapipe import ImageFormat

        with nullcontext() if self._found_someone else without_chatter():  # what it has to say, it says once
            return landmarker.detect(MPImage(image_format=ImageFormat.SRGB, data=image))


def installed() -> tuple[int, ...]:
    """Version of the package; empty where there is none (which building explains)."""
    try:
        return tuple(int(part) for part in re.findall(r"\d+", version("mediapipe"))[:3])
    except PackageNotFoundError:
        return ()


def _graphs(files: Mapping[str, str]) -> Iterator[Any]:
    """Pose, hand and face landmarker, each a context manager that closes itself."""
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    def options(network: str) -> dict[str, Any]:
        return {"base_options": BaseOptions(files[network]), "running_mode": vision.RunningMode.IMAGE}

    yield vision.PoseLandmarker.create_from_options(vision.PoseLandmarkerOptions(**options("mediapipe-pose")))
    yield vision.HandLandmarker.create_from_options(
        vision.HandLandmarkerOptions(
            **options("mediapipe-hands"),
            num_hands=2,
            min_hand_detection_confidence=HANDS_SURE,
            min_hand_presence_confidence=HANDS_SURE,
        )
    )
    yield vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(**options("mediapipe-face")))


def _places(landmarks: Sequence[Any], image: Image) -> Floats:
    """Shares of width and height -> P x 2 in pixels: the image's left edge is at -0.5, as everywhere here."""
    height, width = image.shape[:2]
    return np.array([(point.x * width - 0.5, point.y * height - 0.5) for point in landmarks], np.float32)


def _sure(places: Floats) -> Floats:
    """P x 2 -> P x 3, confidence 1."""
    return np.column_stack([places, np.ones(len(places), np.float32)])


def _inside(found: Floats | None, image: Image) -> Floats | None:
    """Points that the network puts outside the frame were extrapolated, not seen: not found."""
    if found is None:
        return None
    height, width = image.shape[:2]
    inside = (found[:, :2] >= -0.5).all(axis=1) & (found[:, 0] <= width - 0.5) & (found[:, 1] <= height - 0.5)
    return np.where(inside[:, None], found, np.float32(np.nan))
