"""The tables of a prepared folder, written; the manifest last, so that a folder with one is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fhpt_bench.datasets import lists
from fhpt_bench.datasets.folder import FORMAT, Folder
from fhpt_bench.datasets.lists import Points, csv_text
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic, write_json
from fhpt_bench.prepare.gather import Gathered
from fhpt_bench.prepare.kinds import Kind
from fhpt_bench.prepare.work import Done


def write(root: Path, kind: Kind, found: Gathered, done: Mapping[str, Done], about: Mapping[str, Any]) -> None:
    """Every table of ``found`` and ``done``, then the manifest. What detectors found in ``root`` before is kept."""
    tables = {"photos.csv": _photos(kind, found, done)}
    if found.points:
        lines = [lists.annotation_line(name, found.points[name]) for name in sorted(found.points)]
        tables["keypoints.csv"] = f"{lists.HEADER}\n{''.join(lines)}"
    if found.faces:
        tables["faces.csv"] = found.faces
    if found.words:
        rows = [(item, words.get("attributes", ""), words.get("colours", "")) for item, words in found.words.items()]
        tables["attributes.csv"] = csv_text(("item", "attributes", "colours"), sorted(rows))
    for which, names in found.names.items():
        tables[f"lists/{which}.lst"] = "".join(f"{name}\n" for name in names)
    for which, pairs in found.pairs.items():
        tables[f"lists/pairs-{which}.csv"] = csv_text(("from", "to"), pairs)
    files = detected(root)
    for name, content in tables.items():
        files[name] = put(root, name, content)
    manifest = {"format": FORMAT, "kind": kind.name, **about, "derived": sorted(found.derived)}
    write_json(root / "manifest.json", {**manifest, "files": dict(sorted(files.items()))})


def put(root: Path, name: str, content: str) -> str:
    """Write a table whole; its sha256."""
    data = content.encode()
    with atomic(root / name) as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def derive_pairs(kind: Kind, found: Gathered, points: Mapping[str, Points], which: str) -> None:
    """Pairs of a split by the field's rule, where it has no list of them and some of its keypoints are known."""
    names = found.names.get(which, [])
    without = sum(name not in points for name in names)
    if which in found.pairs or without == len(names):
        return
    found.pairs[which] = by_rule(kind, names, points)
    found.derived.add(which)
    if without:
        what = f"{without} of {len(names)} photographs have no keypoints and are in no pair"
        found.notes.append(f"{which}: {what}; fhpt-bench data poses finds them, and derives again")


def by_rule(kind: Kind, names: Sequence[str], points: Mapping[str, Points]) -> list[tuple[str, str]]:
    """Pairs among ``names`` by the field's rule (``lists.derive``)."""
    return lists.derive(points, {name: group for name in names if (group := kind.group(name)) is not None})


def _photos(kind: Kind, found: Gathered, done: Mapping[str, Done]) -> str:
    rows = []
    for name in sorted(done):
        one = done[name]
        hashes = [one.pixels.get(size, "") for size in kind.sizes]
        rows.append((name, one.made_from, *hashes, one.parsing, found.partition.get(name, "")))
    return csv_text(("photo", "made_from", *kind.sizes, "parsing", "partition"), rows)


def detected(root: Path) -> dict[str, str]:
    """Tables that ``data poses`` and ``data faces`` added to the same folder before: name, sha256."""
    try:
        before = Folder.open(root)
    except BenchError:
        return {}
    return {n: sha for n, sha in before.manifest["files"].items() if n.startswith(("keypoints-", "faces-"))}


def detected_points(root: Path) -> dict[str, Points]:
    """Keypoints in those tables."""
    names = [name for name in detected(root) if name.startswith("keypoints-")]
    found: dict[str, Points] = {}
    for name in names:
        found |= lists.read_annotation(Folder.open(root).text(name), root / name)
    return found
