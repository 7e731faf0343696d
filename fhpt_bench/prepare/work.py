"""Images made in parallel, each written whole; what is finished stands in ``prepare.jsonl`` and is not made again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from fhpt_bench.errors import BenchError
from fhpt_bench.images import pixels_sha256
from fhpt_bench.prepare import pictures
from fhpt_bench.prepare.kinds import Kind
from fhpt_bench.prepare.source import LARGEST_IMAGE, Entry
from fhpt_bench.progress import progress
from fhpt_bench.types import Image

JOURNAL = "prepare.jsonl"
_VERSION = 1
_WINDOW = 128
"""Photographs between two entries in the journal, so that an interrupted run loses little."""


@dataclass(frozen=True)
class Task:
    """One photograph: every file of it in the source."""

    photo: str
    files: tuple[Entry, ...]
    parsing: Entry | None

    def said(self, sizes: Sequence[str]) -> str:
        """Changes with everything the result depends on."""
        files = [*self.files, *([self.parsing] if self.parsing else [])]
        about = json.dumps([_VERSION, list(sizes), [[file.name, file.size, file.stamp] for file in files]])
        return hashlib.sha256(about.encode()).hexdigest()


@dataclass(frozen=True)
class Done:
    """What became of a photograph."""

    photo: str
    said: str
    made_from: str
    """``square``, ``slim``, ``high`` or ``own``; empty where there is no image."""
    pixels: Mapping[str, str]
    """Size -> sha256 of its pixels."""
    parsing: str
    """sha256 of the parsing's indices; empty where there is none."""
    written: Mapping[str, int]
    """File below the prepared folder -> bytes."""
    problems: tuple[str, ...]


def make_all(
    kind: Kind, tasks: Sequence[Task], root: Path, sizes: Sequence[str], workers: int, show: bool | None
) -> tuple[dict[str, Done], int]:
    """Every photograph of ``tasks`` in ``root``, and how many of them were there already."""
    before = {done.photo: done for done in _finished(root)}
    kept = {t.photo: before[t.photo] for t in tasks if _stands(root, before.get(t.photo), t.said(sizes))}
    todo = [task for task in tasks if task.photo not in kept]
    found = dict(kept)
    root.mkdir(parents=True, exist_ok=True)
    with (
        (root / JOURNAL).open("a", encoding="utf-8") as journal,
        progress(f"prepare {kind.name}", len(todo), unit="photographs", show=show) as advance,
        ThreadPoolExecutor(max(1, workers)) as pool,
    ):
        journal.write("\n")  # a line that a killed run left unfinished ends here
        for start in range(0, len(todo), _WINDOW):
            window: list[Done] = []
            for done in pool.map(lambda task: _make(kind, task, root, sizes), todo[start : start + _WINDOW]):
                window.append(done)
                advance(1)
            _to_disk()  # all at once: one by one it takes 40 ms a file, more than making it
            found |= {done.photo: done for done in window}
            journal.writelines(json.dumps(asdict(done)) + "\n" for done in window if not done.problems)
            journal.flush()
    return found, len(kept)


def _finished(root: Path) -> Iterator[Done]:
    """The journal's lines; a later one replaces an earlier one of the same photograph."""
    try:
        text = (root / JOURNAL).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        try:
            yield Done(**json.loads(line))
        except (ValueError, TypeError):
            continue  # cut short: that photograph is made again


def _stands(root: Path, done: Done | None, said: str) -> bool:
    if done is None or done.said != said:
        return False
    for name, size in done.written.items():
        path = root / name
        if not path.is_file() or path.stat().st_size != size:
            return False
    return True


def _make(kind: Kind, task: Task, root: Path, sizes: Sequence[str]) -> Done:
    problems: list[str] = []
    written: dict[str, int] = {}
    pixels: dict[str, str] = {}
    made_from, parsing = "", ""
    parts = _parts(kind, task, problems)
    for label in sizes:
        made = kind.make(parts, label)
        if made is not None:
            image, part = made
            made_from = part if label != "512x352" else made_from or part
            pixels[label] = pixels_sha256(image)
            _write(root, f"images/{label}/{task.photo}.png", pictures.png(image), written)
    if task.parsing is not None:
        try:
            index = pictures.parsing(task.parsing.read(LARGEST_IMAGE), task.parsing.name, kind.frame)
            parsing = pixels_sha256(index)
            _write(root, f"parsing/{task.photo}.png", pictures.png(index), written)
        except BenchError as error:
            problems.append(f"{task.parsing.name}: {error.what}")
    return Done(task.photo, task.said(sizes), made_from, pixels, parsing, written, tuple(problems))


def _parts(kind: Kind, task: Task, problems: list[str]) -> dict[str, Image]:
    """The photograph's files, decoded, by what they are; of two alike the first by name."""
    parts: dict[str, Image] = {}
    for file in task.files:
        try:
            image = pictures.decode(file.read(LARGEST_IMAGE), file.name)
        except BenchError as error:
            problems.append(f"{file.name}: {error.what}")
            continue
        if kind.name == "deepfashion":
            part = pictures.kind(image)
        else:
            part = "own" if image.shape[:2] == kind.frame else ""
        if not part:
            problems.append(f"{file.name}: {image.shape[0]}x{image.shape[1]} is no size of {kind.name}")
        parts.setdefault(part, image)
    return parts


def _write(root: Path, name: str, content: bytes, written: dict[str, int]) -> None:
    """Whole or not at all; see ``_to_disk``."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
    written[name] = len(content)


def _to_disk() -> None:
    """What was written is safe from a power cut once this returns (where the system can be asked for that)."""
    if hasattr(os, "sync"):
        os.sync()
