"""The damages: what is done to a true image, and in which doses. The list ``DAMAGES`` is the table of the page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.catwalk.surface import PARTS
from fhpt_bench.datasets.skeletons import BODY18, CIHP20
from fhpt_bench.sanity import pixels
from fhpt_bench.types import VISIBLE, Image, Mask, Pair, Photo

Floats = NDArray[np.float32]
_GARMENTS = ("hat", "glove", "upper_clothes", "dress", "coat", "socks", "pants", "scarf", "skirt")
_AT = {name: i for i, name in enumerate(BODY18)}


@dataclass(frozen=True, eq=False)
class Scene:
    """A true image and what the data set knows of it."""

    data: Catwalk
    photo: Photo

    @property
    def image(self) -> Image:
        return self.photo.image

    @cached_property
    def _parsing(self) -> NDArray[np.uint8]:
        return self.data.parsing(self.photo)

    @cached_property
    def _parts(self) -> NDArray[np.uint8]:
        parts: NDArray[np.uint8] = np.zeros(self._parsing.shape, np.uint8)
        rows, columns = np.nonzero(self._parsing)
        parts[rows, columns] = self.data.surface(self.photo).at_pixels(rows, columns)[1]
        return parts

    def classes(self, *names: str) -> Mask:
        """Pixels of these parsing classes."""
        return np.isin(self._parsing, [CIHP20.index(name) for name in names])

    def parts(self, *names: str) -> Mask:
        """Pixels of these surface parts."""
        return np.isin(self._parts, [PARTS.index(name) for name in names])


@dataclass(frozen=True)
class Damage:
    """One kind of damage and its doses, weakest first."""

    name: str
    about: str
    doses: tuple[float, ...]
    unit: str
    """``px``, ``degrees``, or ``of images`` where each image is damaged whole or not at all."""
    apply: Callable[[Scene, float], Image]

    def __call__(self, scene: Scene, dose: float) -> Image:
        """The damaged image. A dose ``of images`` damages those whose hash falls below it, so doses are nested."""
        if self.unit == "of images":
            return self.apply(scene, 1.0) if _rank(self.name, scene.photo.id) < dose else scene.image
        return self.apply(scene, dose)


class Damaged:
    """A generator that shows the true target, damaged: an oracle, never ranked. One damage, one dose."""

    kind = "oracle"
    oracle: Literal[True] = True

    def __init__(self, data: Catwalk, damage: Damage, dose: float) -> None:
        self._data, self._damage, self._dose = data, damage, dose
        self.card: Mapping[str, Any] = {"name": f"{damage.name} {dose:g} {damage.unit}", "about": damage.about}

    def generate(self, pairs: Sequence[Pair]) -> list[Image]:
        return [self._damage(Scene(self._data, pair.target), self._dose) for pair in pairs]


def _rank(*said: str) -> float:
    """A number in [0, 1) that only the words decide."""
    return int.from_bytes(hashlib.sha256(" ".join(said).encode()).digest()[:7]) / 2.0**56


def _noise(scene: Scene, deviation: float) -> Image:
    seed = int.from_bytes(hashlib.sha256(scene.photo.id.encode()).digest()[:8])
    return pixels.noise(scene.image, deviation, np.random.default_rng(seed))


def hands_erased(scene: Scene, dose: float) -> Image:
    """Both hands take the nearest pixels that are no hand."""
    hands = ndimage.binary_dilation(scene.parts("left_hand", "right_hand"), iterations=2)
    return pixels.fill(scene.image, hands)


def hands_swapped(scene: Scene, dose: float) -> Image:
    """The left hand at the right wrist and the right hand at the left, as they are: thumbs on the wrong side."""
    pose = scene.photo.pose
    assert pose.hands is not None
    masks = {side: scene.parts(f"{side}_hand") for side in ("right", "left")}
    if not all(mask.sum() >= 20 for mask in masks.values()):
        return scene.image
    out = hands_erased(scene, dose)
    wrists = {"right": pose.keypoints[_AT["r_wrist"]], "left": pose.keypoints[_AT["l_wrist"]]}
    for side, other in (("right", "left"), ("left", "right")):
        move = np.array(wrists[other] - wrists[side], np.float32)
        matrix = np.concatenate([np.eye(2, dtype=np.float32), move[:, None]], 1)
        out = pixels.paste(out, *pixels.warp(scene.image, masks[side], matrix))
    return out


def arms_moved(scene: Scene, degrees: float) -> Image:
    """Each visible forearm, with its hand and sleeve, turned about its elbow, away from the body."""
    out, pose = scene.image, scene.photo.pose
    for side, letter in (("right", "r"), ("left", "l")):
        elbow, wrist = (_AT[f"{letter}_{joint}"] for joint in ("elbow", "wrist"))
        if pose.visible[elbow] != VISIBLE or pose.visible[wrist] != VISIBLE:
            continue
        at, along = pose.keypoints[elbow], pose.keypoints[wrist] - pose.keypoints[elbow]
        arm = scene.parts(f"{side}_arm", f"{side}_hand", f"{side}_sleeve")
        rows, columns = np.nonzero(arm)
        lower = np.zeros_like(arm)
        ahead = (columns - at[0]) * along[0] + (rows - at[1]) * along[1] > 0
        lower[rows[ahead], columns[ahead]] = True
        outward = -1.0 if letter == "r" and at[0] < pose.keypoints[_AT["neck"]][0] else 1.0
        matrix = _turn(at, -outward * np.deg2rad(degrees))
        bare = pixels.fill(out, ndimage.binary_dilation(lower, iterations=1))
        out = pixels.paste(bare, *pixels.warp(scene.image, lower, matrix))
    return out


def _turn(about: Floats, angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    return np.concatenate([turn, (about - turn @ about)[:, None]], 1).astype(np.float32)


def recoloured(scene: Scene, amount: float) -> Image:
    return pixels.recolour(scene.image, scene.classes(*_GARMENTS), amount)


def pattern_removed(scene: Scene, amount: float) -> Image:
    return pixels.flatten(scene.image, [scene.classes(name) for name in _GARMENTS], amount)


def face_replaced(scene: Scene, dose: float) -> Image:
    """The face of the person whose visible face points fit best (same gender label), in the colour of the old one."""
    donor = _donor(scene, same_gender=True)
    if donor is None:
        return scene.image
    face, theirs = scene.classes("face"), donor.classes("face")
    matrix = pixels.similarity(*_shared(donor.photo, scene.photo))
    moved, inside = pixels.warp(pixels.fill(donor.image, ~theirs), theirs, matrix)
    return pixels.paste(scene.image, pixels.matched(moved, inside, scene.image, face), face)


def gender_swapped(scene: Scene, dose: float) -> Image:
    """The head, hair and all, of the best fitting person of the other gender label."""
    donor = _donor(scene, same_gender=False)
    if donor is None:
        return scene.image
    head, theirs = scene.classes("face", "hair"), donor.classes("face", "hair")
    matrix = pixels.similarity(*_shared(donor.photo, scene.photo))
    bare = pixels.fill(scene.image, ndimage.binary_dilation(head, iterations=2))
    return pixels.paste(bare, *pixels.warp(donor.image, theirs, matrix))


def _shared(a: Photo, b: Photo) -> tuple[Floats, Floats]:
    """The head's points that both photographs show: N x 2 of ``a``, N x 2 of ``b``."""
    first, second = (_head(photo) for photo in (a, b))
    both = np.isfinite(first).all(1) & np.isfinite(second).all(1)
    return first[both], second[both]


def _head(photo: Photo) -> Floats:
    """Face points that show, with neck and ears for heads seen from behind; NaN where hidden."""
    pose = photo.pose
    assert pose.face is not None
    points = np.where((pose.face.visible == VISIBLE)[:, None], pose.face.points, np.nan)
    rest = pose.keypoints[[_AT["neck"], _AT["r_ear"], _AT["l_ear"], _AT["nose"]]]
    return np.concatenate([points, rest]).astype(np.float32)


def _donor(scene: Scene, *, same_gender: bool) -> Scene | None:
    """The photograph of another person whose head is turned most alike; None where no head point shows in both."""
    best: tuple[float, str] | None = None
    photos = {photo.id: photo for photo in scene.data.photos()}
    for photo in photos.values():
        if photo.person == scene.photo.person or not _alike(scene.photo.labels, photo.labels, same_gender):
            continue
        error = _misfit(photo, scene.photo)
        if error is not None and (best is None or (error, photo.id) < best):
            best = (error, photo.id)
    return None if best is None else Scene(scene.data, photos[best[1]])


def _alike(a: Mapping[str, str], b: Mapping[str, str], same_gender: bool) -> bool:
    """Of the wanted gender label, and of a skin tone not more than one step away: nothing else should give it away."""
    return (a["gender"] == b["gender"]) is same_gender and abs(int(a["skin_tone"]) - int(b["skin_tone"])) <= 1


def _misfit(a: Photo, b: Photo) -> float | None:
    """How far the shared head points lie apart after the best similarity, in pixels; None for fewer than 4 or for
    views of different sides."""
    first, second = _shared(a, b)
    seen = [np.isfinite(_head(photo)).all(1) for photo in (a, b)]
    if len(first) < 4 or (seen[0] != seen[1]).sum() > 8:
        return None
    matrix = pixels.similarity(first, second)
    return float(np.linalg.norm(first @ matrix[:, :2].T + matrix[:, 2] - second, axis=1).mean())


_SHARES = (0.25, 0.5, 1.0)
DAMAGES = (
    Damage("blur", "Gaussian blur", (1, 2, 4), "px", lambda s, dose: pixels.blur(s.image, dose)),
    Damage("noise", "white noise", (8, 16, 32), "grey levels", _noise),
    Damage("jpeg", "JPEG compression", (50, 20, 5), "quality", lambda s, dose: pixels.jpeg(s.image, dose)),
    Damage("shift", "the whole image moved", (2, 4, 8), "px", lambda s, dose: pixels.shift(s.image, dose)),
    Damage("hands-erased", "both hands gone", _SHARES, "of images", hands_erased),
    Damage("hands-swapped", "left and right hand exchanged", _SHARES, "of images", hands_swapped),
    Damage("arms-moved", "forearms turned about the elbow", (15, 30, 60), "degrees", arms_moved),
    Damage("face-replaced", "the face of another person, in the old colour", _SHARES, "of images", face_replaced),
    Damage("recoloured", "clothes in the opposite hue", _SHARES, "of images", recoloured),
    Damage("pattern-removed", "garments in their mean colour, shading kept", _SHARES, "of images", pattern_removed),
    Damage("gender-swapped", "the head of a person of the other gender label", _SHARES, "of images", gender_swapped),
)  # fmt: skip
"""Weakest dose first. JPEG's dose is its quality, so it falls."""
