"""Keypoint detectors behind one interface: where the points of the person in an image are.

``build(name, device)`` gives a detector; the feature ``pose[<name>]`` runs it over the images of a protocol. Every
detector speaks the layout of ``fhpt_bench.points`` (18 body points, two hands of 21, 30 face points), whatever its own
skeleton: the tables in ``detectors.mappings`` translate.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.types import Rows

BACKENDS: dict[str, str] = {
    "mediapipe": "fhpt_bench.detectors.mediapipe:MediaPipe",
    "mmpose": "fhpt_bench.detectors.mmpose:MMPose",
    "openpose-json": "fhpt_bench.detectors.openpose:OpenPoseFolder",
}
"""Name of a detector -> its class, imported on first use: none of their packages is loaded before."""

DEFAULT = "mediapipe"


class Detector(Protocol):
    """One keypoint detector on single images. Built as ``Detector(device, *settings)``; not thread-safe.

    ``networks``, a class attribute (or method of the settings), names the weights (``fhpt_bench.weights``) that it
    runs; empty where it has its own. BenchError at building where a package, a system library or a network cannot be
    had.
    """

    name: str
    key: str
    """Changes whenever the points would: hash of the weights + every setting. The cache key."""

    def detect(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 RGB -> N x ``points.WIDTH`` float32 (``points.pack``), row i for image i alone.

        Confidence 0 and NaN places: not found. Left and right are the person's own. BenchError after ``close``.
        """
        ...

    def close(self) -> None:
        """Let go of everything that is held beside memory; may be called twice."""
        ...


def build(name: str, device: str = "cpu", *settings: str) -> Detector:
    """The detector called ``name``; BenchError for an unknown name, or where something it runs on is missing.

    ``settings``: which of its models, for a class that says ``takes_settings``.
    """
    detector: Detector = _backend(name, settings)(device, *settings)
    return detector


def networks(name: str, *settings: str) -> tuple[str, ...]:
    """Names of the weights behind a detector; nothing is pulled. BenchError for an unknown name."""
    of = getattr(_backend(name, settings), "networks", ())
    return tuple(of(*settings) if callable(of) else of)


def _backend(name: str, settings: tuple[str, ...]) -> Any:
    if name not in BACKENDS:
        raise BenchError(f"no keypoint detector is called {name!r}", fix=f"one of {', '.join(BACKENDS)}")
    module, _, attribute = BACKENDS[name].partition(":")
    backend = getattr(importlib.import_module(module), attribute)
    if settings and not getattr(backend, "takes_settings", False):
        raise BenchError(f"{name} has no setting {settings[0]!r}", fix=f"pose[{name}]")
    return backend
