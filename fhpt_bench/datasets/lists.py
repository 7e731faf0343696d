"""The lists that the field passes round: annotations, pairs, names; read strictly, written in one form.

Annotation CSVs of PATN and DSC: ``name:keypoints_y:keypoints_x``, fields separated by ``:`` or ``: ``, two JSON lists
of 18 whole numbers, y first, -1 where a point is missing (some exports: 0), in the order of ``skeletons.BODY18``.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError

Points = NDArray[np.int16]
"""18 x 2 (x, y) in pixels; ``MISSING`` twice where a point is missing. A value outside the frame is not missing."""

MISSING = -1
MANDATORY = (2, 5, 8, 11)
"""Both shoulders and both hips: without them in both photographs there is no pair (Siarohin et al., CVPR 2018)."""
HEADER = "name:keypoints_y:keypoints_x"
_LARGEST = 4096


def read_annotation(text: str, where: object, only: Container[str] | None = None) -> dict[str, Points]:
    """Name, as the file writes it -> points, in the file's own frame; ``only``: of these names alone, the other lines
    are not looked at. BenchError that names the first bad line.

    A point is missing where x and y are both -1: in a 256 x 176 frame -1 alone is a place, one pixel outside. In a file
    that has no such point at all, x and y both 0 are missing.
    """
    found: dict[str, Points] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, _, rest = line.partition(":")
        name = name.strip()
        if not line.strip() or (number == 1 and name == "name") or (only is not None and name not in only):
            continue
        try:
            found[name] = _points(rest)
        except (ValueError, TypeError, RecursionError) as error:
            fix = "name:[y, ...]:[x, ...], 18 numbers each, -1 for a missing point"
            what = f"not a line of an annotation file: {error}"
            raise BenchError(what, where=f"{where}, line {number}", fix=fix) from None
    if not any(missing(points).any() for points in found.values()):
        for points in found.values():
            points[(points == 0).all(axis=1)] = MISSING
    return found


def _points(rest: str) -> Points:
    axes = [json.loads(part) for part in rest.split(":")]
    if [len(axis) for axis in axes] != [18, 18] or {type(value) for axis in axes for value in axis} != {int}:
        raise ValueError("two lists of 18 whole numbers are needed")  # numpy would take True, 1.5 and "1" as well
    if max(map(max, axes)) > _LARGEST or min(map(min, axes)) < -_LARGEST:
        raise ValueError(f"a value beyond {_LARGEST} pixels")
    return np.array(axes[::-1], np.int16).T


def missing(points: Points) -> NDArray[np.bool_]:
    """18: which points are missing."""
    gone: NDArray[np.bool_] = (points == MISSING).all(axis=1)
    return gone


def moved(points: Points, columns: int) -> Points:
    """The same points in a frame that begins ``columns`` further left; missing ones stay missing."""
    shifted = points + np.array([columns, 0], np.int16)
    shifted[missing(points)] = MISSING
    return shifted


def annotation_line(name: str, points: Points) -> str:
    """One line of an annotation file, in PATN's form."""
    x, y = points.T.tolist()
    return f"{name}:{json.dumps(y)}:{json.dumps(x)}\n"


def outside(points: Points, size: tuple[int, int]) -> int:
    """How many points that are not missing lie outside a frame of ``size`` (height, width)."""
    inside = (points >= 0).all(axis=1) & (points[:, 0] < size[1]) & (points[:, 1] < size[0])
    return int((~inside & ~missing(points)).sum())


def read_pairs(text: str, where: object) -> list[tuple[str, str]]:
    """Rows of a file with the header ``from,to``; BenchError for anything else."""
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if not rows or [cell.strip() for cell in rows[0]] != ["from", "to"]:
        raise BenchError("not a pair list", where=where, fix="the header is from,to")
    bad = next((number for number, row in enumerate(rows, 1) if len(row) != 2), None)
    if bad is not None:
        raise BenchError(f"row {bad} has {len(rows[bad - 1])} cells, not 2", where=where, fix="one pair a row: from,to")
    return [(a.strip(), b.strip()) for a, b in rows[1:]]


def read_names(text: str) -> list[str]:
    """One name a line, no header."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def can_pair(points: Points) -> bool:
    """Whether a photograph may be part of a pair: both hips and both shoulders are there."""
    return not missing(points)[list(MANDATORY)].any()


def derive(points: Mapping[str, Points], groups: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every ordered pair of photographs of one group (outfit, id) that both ``can_pair``, sorted.

    On the lists that PATN published this gives its 8,570 test pairs exactly, as a set. A photograph without a group
    (Market's distractors) or without points is in no pair.
    """
    members: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(groups):
        if name in points and can_pair(points[name]):
            members[groups[name]].append(name)
    return [pair for group in sorted(members) for pair in permutations(members[group], 2)]


def repeated(rows: Iterable[Sequence[str]]) -> int:
    """How many rows stand there more than once."""
    seen = [tuple(row) for row in rows]
    return len(seen) - len(set(seen))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV table."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return buffer.getvalue()
