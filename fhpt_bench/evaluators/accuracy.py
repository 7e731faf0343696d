"""How right an evaluator is on photographs of people it has not seen: the numbers of its card."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.evaluators import Found
from fhpt_bench.evaluators.network import Evaluator, Labels
from fhpt_bench.intervals import mean_score
from fhpt_bench.progress import progress
from fhpt_bench.types import Context, Dataset, Photo, Score

RECALLS = (1, 5, 10)
AT_ONCE = 8


def measure(found: Found, data: Dataset, device: str = "cpu", show: bool | None = None) -> list[Score]:
    """Every number of the card on the photographs of ``data``, each with its 95 % interval over people.

    Classifiers: ``accuracy/<group>`` and, of a group of two values, ``accuracy/<value>``; photographs whose label the
    training people never had are excluded, and counted. Retrieval: ``recall@K``, each photograph against all others.
    """
    evaluator, photos = Evaluator(found, device), data.photos()
    rows = []
    with progress(f"{data.split} photos: {found.name}", len(photos), unit="photos", show=show) as advance:
        for start in range(0, len(photos), AT_ONCE):
            images = np.stack([photo.read() for photo in photos[start : start + AT_ONCE]])
            rows.append(evaluator.extract(images))
            advance(len(images))
    outputs, task = np.concatenate(rows), evaluator.settings.task
    if task.kind == "retrieve":
        return recalls(outputs, [photo.labels[evaluator.settings.groups[0]] for photo in photos], photos)
    if task.positive:  # one column back into two, as the labels have them
        places = [value == task.positive for _, value in evaluator.labels]
        outputs = np.where(places, outputs, 1 - outputs)
    return accuracies(outputs, evaluator.labels, photos)


def accuracies(outputs: NDArray[np.float32], labels: Labels, photos: Sequence[Photo]) -> list[Score]:
    """outputs: N x L, larger is likelier, by ``labels`` -> ``accuracy/<group>``, and by value where there are two."""
    scores, at = [], 0
    for group, members in groupby(labels, key=lambda label: label[0]):
        values = [value for _, value in members]
        said = np.array(values)[outputs[:, at : at + len(values)].argmax(1)]
        true = np.array([photo.labels.get(group, "") for photo in photos])
        right = np.where(np.isin(true, values), said == true, np.nan)
        why = f"no photograph shows a {group} that the training people have"
        scores.append(mean_score(f"accuracy/{group}", right, _context(photos), "higher", why=why))
        if len(values) == 2:
            for value in values:
                only = np.where(true == value, right, np.nan)
                scores.append(mean_score(f"accuracy/{value}", only, _context(photos), "higher"))
        at += len(values)
    return scores


def recalls(embedding: NDArray[np.float32], items: Sequence[str], photos: Sequence[Photo]) -> list[Score]:
    """embedding: N x D, of length 1 -> ``recall@K``: share of photographs with one of their item among the K nearest
    others."""
    likeness = embedding.astype(np.float64) @ embedding.astype(np.float64).T
    np.fill_diagonal(likeness, -np.inf)
    others = len(items) - 1  # the query itself stands last
    order = np.argsort(-likeness, axis=1, kind="stable")[:, : min(max(RECALLS), others)]
    same = np.asarray(items)[order] == np.asarray(items)[:, None]
    return [mean_score(f"recall@{k}", same[:, :k].any(1), _context(photos), "higher") for k in RECALLS]


def _context(photos: Sequence[Photo]) -> Context:
    ids = [photo.id for photo in photos]
    return Context(ids, [photo.person for photo in photos], ids, ids)
