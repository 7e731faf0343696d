"""A run folder -> one zip; refused where the folder is not what its record says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fhpt_bench import datasets
from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.folders import matching
from fhpt_bench.folders.files import Entry
from fhpt_bench.harness.folder import RunFolder
from fhpt_bench.harness.measure import metric_slug
from fhpt_bench.paths import atomic, shipped
from fhpt_bench.protocol import EvalProtocol
from fhpt_bench.record import Record, read_record
from fhpt_bench.submission.archive import PAIRS, PROTOCOL, RECORD, Source, opened, write
from fhpt_bench.submission.verdict import Verdict
from fhpt_bench.submission.verify import check
from fhpt_bench.types import Dataset

MAX_IMAGES = 2**30
"""Bytes of images that a zip may hold unless the user says otherwise."""


def submit(
    run: Path,
    *,
    out: Path | None = None,
    images: bool = False,
    protocol: str | Path | None = None,
    data: str | Dataset | None = None,
    max_images: int = MAX_IMAGES,
) -> tuple[Path, Verdict]:
    """Pack a finished run into ``out`` (default ``RUN/submission.zip``), and check it as a receiver would.

    The same run gives the same bits. protocol, data: needed only where the record's own names do not lead to them.
    images: also those that were measured, at most ``max_images`` bytes. BenchError where the run is not finished,
    lacks pairs, is not what its record says, or would not verify; then nothing is written.
    """
    record, owner = read_record(run), _owner(run)
    if record.data.missing:
        fix = "score a folder that has them all"
        raise BenchError(f"{record.data.missing} pairs have no image: such a row is never ranked", where=run, fix=fix)
    _agree(record, owner, run)
    content, loaded = _protocol(record, protocol)
    dataset = _data(record, data, loaded)
    ids = [dataset[i].id for i in range(record.data.pairs)]
    members: dict[str, Source] = {
        RECORD: (run / "record.json").read_bytes(),
        PROTOCOL: content,
        PAIRS: "".join(f"{pair_id}\n" for pair_id in ids).encode(),
        **_rows(run, record, loaded),
    }
    target = run / "submission.zip" if out is None else out
    if target.is_dir():
        raise BenchError("the zip needs a file name", where=target, fix="--out FILE.zip")
    with ExitStack() as stack, atomic(target, "w+b") as file:
        if images:
            found = stack.enter_context(_images(run, owner, dataset, record, max_images))
            members |= {name: entry.read for name, entry in found.items()}
        write(file, members)
        file.flush()
        with opened(target, file) as archive:
            verdict = check(archive, data=dataset, protocol=loaded_from(record, protocol))
        if verdict.differences:
            fix = "score it again into a new folder (--out)"
            raise BenchError(f"the run does not verify: {'; '.join(verdict.differences)}", where=run, fix=fix)
    return target, verdict


def _owner(run: Path) -> dict[str, Any]:
    try:
        owner = json.loads((run / "run.json").read_bytes())
    except (OSError, ValueError):
        owner = None
    if not isinstance(owner, dict):
        raise BenchError("no run folder: run.json is missing or damaged", where=run, fix="name the run's folder")
    return owner


def _agree(record: Record, owner: dict[str, Any], run: Path) -> None:
    """The record was made in this folder, of what the folder belongs to."""
    said = {
        "model": record.model.name,
        "model_key": record.model.key,
        "protocol": record.protocol.sha256,
        "data": record.data.sha256,
        "split": record.data.split,
        "limit": record.data.limit,
        "seed": record.seed,
    }
    if differ := [key for key, value in said.items() if owner.get(key) != value]:
        what = ", ".join(
            f"{key} ({str(owner.get(key))[:40]} there, {str(said[key])[:40]} in the record)" for key in differ
        )
        raise BenchError(f"the record is not this folder's: {what}", where=run, fix="run or score again")


def loaded_from(record: Record, protocol: str | Path | None) -> Path:
    """The file that the record's protocol stands in."""
    if protocol is not None and str(protocol).endswith(".toml"):
        return Path(protocol)
    name = str(protocol) if protocol is not None else record.protocol.name
    return shipped("protocols") / f"{re.sub(r'@[0-9]+x[0-9]+$', '', name)}.toml"


def _protocol(record: Record, given: str | Path | None) -> tuple[bytes, EvalProtocol]:
    path = loaded_from(record, given)
    if not path.is_file():
        fix = "name its file: --protocol mine.toml"
        raise BenchError(f"no protocol called {record.protocol.name!r} ships here", where=path, fix=fix)
    loaded = protocols.load(path)
    if size := re.fullmatch(r".+@(\d{1,5})x(\d{1,5})", record.protocol.name):
        loaded = loaded.at((int(size[1]), int(size[2])))
    if loaded.sha256 != record.protocol.sha256:
        what = f"the record was measured under another {record.protocol.name}: {record.protocol.sha256[:12]}"
        fix = "score again under today's, or name the file it was measured under: --protocol"
        raise BenchError(f"{what}, not {loaded.sha256[:12]}", where=path, fix=fix)
    return path.read_bytes(), loaded


def _data(record: Record, given: str | Dataset | None, protocol: EvalProtocol) -> Dataset:
    if isinstance(given, str):
        data = datasets.load(given, record.data.split, size=protocol.size, made_for=protocol.data)
    elif given is None:
        data = datasets.recorded(record.data.name, record.data.split, size=protocol.size, made_for=protocol.data)
    else:
        data = given
    if data.sha256 != record.data.sha256:
        what = f"{data.name}/{data.split} has hash {data.sha256[:12]}, the record {record.data.sha256[:12]}"
        raise BenchError(f"not the data that was measured: {what}", fix="name it: --data DIR")
    return data


def _rows(run: Path, record: Record, protocol: EvalProtocol) -> dict[str, Source]:
    """Every metric's rows, but those of metrics that the record calls unavailable."""
    absent = {score.name for score in record.scores if score.value is None}
    found: dict[str, Source] = {}
    for metric in protocol.build():
        path = RunFolder(run).rows / metric_slug(metric.name) / "rows.npy"
        try:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        except (OSError, ValueError):
            if metric.name in absent:
                continue
            raise BenchError(f"the rows of {metric.name} are missing", where=path, fix="run or score again") from None
        if shape != (record.data.pairs, metric.columns):
            what = f"the rows of {metric.name} are {shape}, not {(record.data.pairs, metric.columns)}"
            raise BenchError(what, where=path, fix="run or score again")
        found[f"rows/{metric_slug(metric.name)}.npy"] = path
    return found


@contextmanager
def _images(run: Path, owner: dict[str, Any], data: Dataset, record: Record, most: int) -> Iterator[dict[str, Entry]]:
    """Name in the zip -> the file, whole, as it was measured; BenchError where they are gone or too many bytes."""
    folder = Path(str(owner["images"])) if "images" in owner else RunFolder(run).images
    if not folder.exists():
        raise BenchError("the images are not there any more", where=folder, fix="leave out --images")
    found = matching.find(folder, data, range(record.data.pairs), layout=str(owner.get("layout", "ours")))
    with closing(found):
        total = sum(len(entry.read()) for entry in found.entries.values())
        if total > most:
            what = f"the images are {total / 2**20:.1f} MB, more than {most / 2**20:.1f}"
            fix = "leave out --images and put them elsewhere, or allow more: --max-mb"
            raise BenchError(what, where=folder, fix=fix)
        items = found.entries.items()
        yield {f"images/{pair_id}.{entry.name.rpartition('.')[2].lower()}": entry for pair_id, entry in items}
