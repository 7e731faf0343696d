"""Which photographs are paired: source and target of one outfit, hips and shoulders inside both images."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from fhpt_bench import paths
from fhpt_bench.datasets.skeletons import BODY18
from fhpt_bench.types import OUTSIDE

_NEEDED = [BODY18.index(name) for name in ("r_shoulder", "l_shoulder", "r_hip", "l_hip")]
_TURN = ("front", "quarter", "side", "back")
SEED = 600


def pair_id(source: str, target: str) -> str:
    """Name of the pair, and of its PNG."""
    return f"{source}_2_{target}"


def valid(photos: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """All ordered pairs within an outfit with both hips and both shoulders inside both images, in order of ids.

    photos: id -> annotations (``labels``, ``body_visible``) as in ``annotations.json``.
    """
    outfits: dict[str, list[str]] = defaultdict(list)
    for name in sorted(photos):
        if all(photos[name]["body_visible"][i] != OUTSIDE for i in _NEEDED):
            outfits[photos[name]["labels"]["outfit"]].append(name)
    return [pair for outfit in sorted(outfits) for pair in permutations(outfits[outfit], 2)]


def change(source: Mapping[str, str], target: Mapping[str, str]) -> str:
    """How far the view turns: ``same``, ``turn`` (to the next view label) or ``far``."""
    steps = abs(_TURN.index(source["view"]) - _TURN.index(target["view"]))
    return ("same", "turn", "far", "far")[steps]


def choose(photos: Mapping[str, Mapping[str, Any]], count: int, seed: int = SEED) -> list[tuple[str, str]]:
    """``count`` valid pairs in equal shares of gender x view change, spread evenly over the people of each share.

    Strata that run out give what they have and the rest is shared among the others; order: by pair id.
    """
    draw = np.random.default_rng(seed)
    strata: dict[tuple[str, str], dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for source, target in valid(photos):
        a, b = photos[source]["labels"], photos[target]["labels"]
        strata[a["gender"], change(a, b)][a["person"]].append((source, target))
    queues = [_interleave(strata[key], draw) for key in sorted(strata)]
    chosen: list[tuple[str, str]] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return sorted(chosen)


def _interleave(people: Mapping[str, Sequence[tuple[str, str]]], draw: np.random.Generator) -> list[tuple[str, str]]:
    """Every person's pairs shuffled, then person after person in turn; to be taken from the end."""
    shuffled = [[people[p][i] for i in draw.permutation(len(people[p]))] for p in sorted(people)]
    rounds: list[tuple[str, str]] = []
    for k in range(max(map(len, shuffled))):
        row = [own[k] for own in shuffled if k < len(own)]
        rounds += [row[i] for i in draw.permutation(len(row))]
    return rounds[::-1]


def write(folder: Path, split: str, count: int) -> None:
    """Write ``pairs-<split>.csv`` (header ``from,to``) for the rendered people of a split."""
    photos: dict[str, Any] = {}
    for path in sorted((folder / split).glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            photos |= json.loads(archive.read("annotations.json"))["photos"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("from", "to"))
    writer.writerows(choose(photos, count))
    with paths.atomic(folder / f"pairs-{split}.csv", "w") as file:
        file.write(text.getvalue())


def parse(text: str) -> list[tuple[str, str]]:
    """The pairs of such a file."""
    return [(row["from"], row["to"]) for row in csv.DictReader(io.StringIO(text))]
