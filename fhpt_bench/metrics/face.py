"""Face identity: is the person in the generated image still the same one?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.features.face import EMBEDDING
from fhpt_bench.intervals import Better, mean_score
from fhpt_bench.types import Batch, Context, Need, PhotoRows, Rows, Score

Floats = NDArray[np.float64]

THRESHOLDS = (0.6, 0.7)
"""FHPT's; 0.6 is what dlib's author chose on photographs (Labelled Faces in the Wild)."""
BACKENDS = ("dlib", "face_recognition")
_COLUMNS = ("target", "source", "truth", "found", "shown")


@dataclass(frozen=True)
class FaceIdentity:
    """Euclidean distance of dlib's 128-d face embeddings, 0 (one picture) to about 1; and shares below thresholds.

    FHPT's protocol. ``face-distance[target]`` / ``[source]``: generated against the true target / against the source,
    mean over the pairs where a face is found in both. ``face-distance[truth]``: true target against source, what
    ``[source]`` would be for a perfect model. ``face-same@0.6[target]``: share of the same pairs below 0.6.
    ``face-same@eer[...]``: below the threshold that is wrong equally often on same and different people among the
    validation photographs (``face-eer-threshold``, wrong in ``face-eer`` of cases), people apart from train and test.

    The traps. A face that is not found drops out of a mean, so a model whose bad faces vanish looks better for it:
    read ``face-distance`` beside ``face-found``, the share of pairs with a face in the generated image among those
    whose true target shows one; or read ``face-same@...[target,all]``, over all those pairs, where a face that vanished
    is not the same. "Shows" means here that the same detector finds one in the true target, not that it is annotated;
    the detector is frontal, so profiles mostly drop out of everything here. A copied source wins ``[source]`` by
    construction (distance 0), and does well in ``[target]``: it is the right person.

    The network was trained on photographs of faces. On rendered ones different people are closer together: on Catwalk
    0.6 takes 31 % and 0.7 68 % of different people for the same one, which is why the row ``stranger`` and ``@eer``
    are there. Nor is a stranger the lowest score there is: a face too blurred to be anybody's lies farther from every
    real face than two people lie from each other: a distance above the stranger's says "hardly a face".

    Rows: [distance to target, to source, of target to source | found in generated, in target (0 or 1)].
    """

    name: str
    backend: Literal["dlib", "face_recognition"] = "dlib"

    columns: ClassVar[int] = len(_COLUMNS)

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise BenchError(f"backend = {self.backend!r}", fix=f"one of {', '.join(BACKENDS)}")

    @property
    def feature(self) -> str:
        return features.feature_name("face", self.backend)

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need(self.feature, ("generated", "target", "source")),)

    def measure(self, batch: Batch) -> Rows:
        """N x 5 float32; a distance is NaN where one of its two faces was not found."""
        generated, target, source = (
            np.asarray(batch.features[self.feature, role], np.float64)[:, EMBEDDING] for role in self.needs[0].of
        )
        distances = [
            np.linalg.norm(a - b, axis=1) for a, b in ((generated, target), (generated, source), (target, source))
        ]
        found = [~np.isnan(face).any(axis=1) for face in (generated, target)]
        rows: Rows = np.stack([*distances, *found], axis=1).astype(np.float32)
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """Distances, shares below 0.6 and 0.7, coverage, then what the validation people say."""
        by = dict(zip(_COLUMNS, np.asarray(rows, np.float64).T, strict=True))
        scores = [self._mean("distance", role, by[role], context, "lower") for role in ("target", "source")]
        # No model changes it, so no model is better by it.
        scores.append(self._mean("distance", "truth", by["truth"], context, "neither"))
        for threshold in THRESHOLDS:
            scores += self._same(f"{threshold:g}", threshold, by, context)
        found = np.where(by["shown"] == 1, by["found"], np.nan)
        scores.append(mean_score(self._named("found"), found, context, "higher", why=_NO_TRUTH))
        return scores + self._calibrated(by, context)

    def _named(self, what: str, *inside: str) -> str:
        backend = () if self.backend == "dlib" else (self.backend,)
        return features.feature_name(f"face-{what}", *backend, *inside)

    def _mean(self, what: str, role: str, values: Floats, context: Context, better: Better) -> Score:
        return mean_score(self._named(what, role), values, context, better, why=_NO_BOTH)

    def _same(self, label: str, threshold: float, by: Mapping[str, Floats], context: Context) -> list[Score]:
        """Shares below ``threshold``: to the target, to the source, and to the target over all that show a face."""
        below = {role: np.where(np.isnan(by[role]), np.nan, by[role] < threshold) for role in ("target", "source")}
        what = f"same@{label}"
        scores = [self._mean(what, role, below[role], context, "higher") for role in below]
        of_all = np.where(by["shown"] == 1, by["target"] < threshold, np.nan)  # NaN < threshold: False, vanished
        return [*scores, mean_score(self._named(what, "target", "all"), of_all, context, "higher", why=_NO_TRUTH)]

    def _calibrated(self, by: Mapping[str, Floats], context: Context) -> list[Score]:
        try:
            if context.validation is None:
                raise BenchError("no validation photographs were given", fix="use a fixed threshold")
            same, different = verification(context.validation(self.feature))
            threshold, error = equal_error(same, different)
        except BenchError as problem:
            return self._uncalibrated(" ".join(str(problem).split()), len(context.people))
        calibration = [
            Score(name=self._named(what), value=value, better="neither", pairs=len(same) + len(different))
            for what, value in (("eer-threshold", threshold), ("eer", error))
        ]
        return [*self._same("eer", threshold, by, context), *calibration]

    def _uncalibrated(self, why: str, pairs: int) -> list[Score]:
        better: dict[str, Better] = {
            **{self._named("same@eer", *of): "higher" for of in (("target",), ("source",), ("target", "all"))},
            **{self._named(what): "neither" for what in ("eer-threshold", "eer")},
        }
        return [
            Score(name=name, value=None, better=way, pairs=0, excluded=pairs, unavailable=why)
            for name, way in better.items()
        ]


_NO_BOTH = "no pair has a face that is found in both images"
_NO_TRUTH = "in no true target a face is found"


def verification(photos: PhotoRows) -> tuple[Floats, Floats]:
    """Distances between every two photographs with a face: of the same person, of different people."""
    faces = np.asarray(photos.rows, np.float64)[:, EMBEDDING]
    found = ~np.isnan(faces).any(axis=1)
    _, person = np.unique(np.asarray(photos.people)[found], return_inverse=True)
    first, second = np.triu_indices(len(person), 1)
    distances, same = pdist(faces[found]), person[first] == person[second]
    return distances[same], distances[~same]


def equal_error(same: Floats, different: Floats) -> tuple[float, float]:
    """The threshold below which two faces count as one person's, such that both kinds of error are equally frequent.

    Different people below it, of all different ones, against the same person not below it, of all same ones; in the
    middle between two distances that occur, where the two shares differ least (the lowest such place). Returns the
    threshold and the mean of both shares there. BenchError where there are no pairs of either kind.
    """
    if not len(same) or not len(different):
        what = "the same person" if not len(same) else "different people"
        raise BenchError(f"no two validation photographs show faces of {what}", fix="use a fixed threshold")
    occurring = np.unique(np.concatenate([same, different]))
    places = (occurring[1:] + occurring[:-1]) / 2 if len(occurring) > 1 else occurring
    accepted = np.searchsorted(np.sort(different), places) / len(different)
    refused = 1 - np.searchsorted(np.sort(same), places) / len(same)
    best = int(np.argmin(np.abs(accepted - refused)))
    return float(places[best]), float(accepted[best] + refused[best]) / 2
