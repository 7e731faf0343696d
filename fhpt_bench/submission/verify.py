"""What of a submission, or of a row's JSON, holds; what differs; and what could not be checked, and why."""

from __future__ import annotations

import hashlib
import random
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from fhpt_bench import datasets
from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.folder import check_id
from fhpt_bench.harness.measure import metric_slug
from fhpt_bench.protocol import EvalProtocol
from fhpt_bench.record import Record, read_record
from fhpt_bench.submission import rows as alone
from fhpt_bench.submission.again import rows_again, scores_again
from fhpt_bench.submission.archive import PAIRS, PROTOCOL, RECORD, Archive, opened
from fhpt_bench.submission.verdict import Verdict, some
from fhpt_bench.types import Dataset, Metric, Rows


def verify(
    path: Path,
    *,
    data: str | Dataset | None = None,
    protocol: str | Path | None = None,
    deep: bool = False,
    pairs: int = 16,
    seed: int | None = None,
    device: str = "auto",
) -> Verdict:
    """Check a submission (``fhpt-bench submit``), a row's JSON, or a run folder's record.

    Of a record alone: that it does not contradict itself. Of a submission also: the hashes of its files, and, where
    the data set is here with the same hash and the protocol ships, every score from the rows. deep: also the rows of
    ``pairs`` pairs drawn by ``seed`` (default: drawn afresh, and named) from the images, where those were sent.
    data: name or folder of the data set, where the record's own name is not enough. protocol: a file, for one that
    does not ship: what a submission brings along is hashed and never run. BenchError where the file is neither, is
    damaged, or would be unsafe to unpack.
    """
    if pairs < 1:
        raise BenchError(f"--pairs {pairs} leaves none", fix="at least 1")
    if path.is_dir() or path.suffix.lower() == ".json":
        return _row(path)
    with opened(path) as archive:
        return check(archive, data=data, protocol=protocol, deep=deep, pairs=pairs, seed=seed, device=device)


def check(
    archive: Archive,
    *,
    data: str | Dataset | None,
    protocol: str | Path | None,
    deep: bool = False,
    pairs: int = 16,
    seed: int | None = None,
    device: str = "auto",
) -> Verdict:
    """``verify`` of a submission that is open."""
    with tempfile.TemporaryDirectory(prefix="fhpt-bench-") as folder:
        return _Submission(archive, Path(folder), data, protocol, device).check(deep, pairs, seed)


def _row(path: Path) -> Verdict:
    record = read_record(path)
    verdict = Verdict(str(path), record.model.name, record.protocol.name)
    _alone(verdict, record)
    if why := alone.misplaced(record, path):
        verdict.add("place", [why], "")
    verdict.skip("scores", "a record alone holds no rows: ask for the zip of fhpt-bench submit")
    return verdict


def _alone(verdict: Verdict, record: Record) -> None:
    verdict.add("record", alone.inconsistent(record), f"{len(record.scores)} scores that agree with themselves")
    name = f"{record.protocol.name} {record.protocol.sha256[:12]}"
    where = {"ships": "ships here", "changelog": "superseded: the CHANGELOG names it"}.get(alone.known(record))
    wrong = [] if alone.same_headline(record) else [f"{name}: another headline, or frozen, than the protocol says"]
    if where or wrong:
        verdict.add("protocol", wrong, f"{name} {where}")
    else:
        verdict.skip("protocol", f"unknown: {name} neither ships here nor is in the CHANGELOG")


class _Submission:
    """One zip, and what of this machine it is held against."""

    def __init__(
        self,
        archive: Archive,
        folder: Path,
        data: str | Dataset | None,
        protocol: str | Path | None,
        device: str,
    ) -> None:
        self.archive, self.folder, self.device = archive, folder, device
        try:
            self.record = Record.model_validate_json(archive.read(RECORD))
        except ValidationError as error:
            first = error.errors()[0]
            what = f"not a valid record: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise BenchError(what, where=f"{archive.path}: {RECORD}", fix="pack it again: submit") from None
        self.ids = _ids(archive)
        self.images = {name[7:].rpartition(".")[0]: name for name in archive.names if name.startswith("images/")}
        self.verdict = Verdict(str(archive.path), self.record.model.name, self.record.protocol.name)
        self._data, self._protocol = data, protocol

    def check(self, deep: bool, pairs: int, seed: int | None) -> Verdict:
        self._files()
        _alone(self.verdict, self.record)
        protocol = self._the_protocol()
        self._pairs_and_images()
        data = self._the_data(protocol)
        if protocol is None or data is None:
            self.verdict.skip("scores", "not computed again, for want of the above")
            if deep:
                self.verdict.skip("rows", "not measured again, for want of the above")
            return self.verdict
        metrics = protocol.build()
        rows, unable = self._rows(metrics)
        again = scores_again(self.record, metrics, rows, unable, data, self.device)
        self.verdict.found("scores", again, f"{again.same} scores and curves, to {alone.TOLERANCE:g}, from the rows")
        if deep:
            self._deep(metrics, rows, data, pairs, seed)
        elif self.images:
            self.verdict.skip("rows", "not measured again from the images: --deep does that")
        else:
            self.verdict.skip("rows", "not measured again: no images were sent")
        return self.verdict

    def _files(self) -> None:
        said, are = self.archive.manifest.files, self.archive.hashes()
        wrong = [f"{name} is not what the manifest says" for name in are if name in said and are[name] != said[name]]
        wrong += [f"{name} is not in the manifest" for name in are if name not in said]
        wrong += [f"{name} is in the manifest only" for name in said if name not in are]
        self.hashes = {name: member.sha256 for name, member in are.items()}
        self.verdict.add("files", wrong, f"{len(are)} files have the manifest's sha256")

    def _the_protocol(self) -> EvalProtocol | None:
        """The one to compute with: never what was sent, but what ships here or the user names."""
        ref, sent = self.record.protocol, self.hashes[PROTOCOL]
        size = re.fullmatch(r".+@(\d{1,5}x\d{1,5})", ref.name)
        derived = hashlib.sha256(f"{sent} {size[1]}".encode()).hexdigest() if size else sent
        if derived != ref.sha256:
            self.verdict.add("protocol file", [f"{PROTOCOL} is not the one that the record names"], "")
            return None
        try:
            protocol = protocols.load(self._protocol if self._protocol is not None else _safe(ref.name))
            here = protocol.at((int(size[1].split("x")[0]), int(size[1].split("x")[1]))) if size else protocol
        except BenchError as error:
            trust = "if you trust the one inside, unpack it and name it: --protocol FILE"
            self.verdict.skip("protocol file", f"{error.what}; {trust}")
            return None
        if here.sha256 != ref.sha256:
            self.verdict.skip("protocol file", f"another than {here.name} here, whose hash is {here.sha256[:12]}")
            return None
        self.verdict.add("protocol file", [], "the record's, and the one here")
        return here

    def _pairs_and_images(self) -> None:
        ids, record = self.ids, self.record
        wrong = [] if len(ids) == record.data.pairs else [f"{len(ids)} pairs, {record.data.pairs} in the record"]
        self.verdict.add("pairs", wrong, f"{len(ids)} pairs")
        if not self.images:
            self.verdict.skip("images", "none were sent")
            return
        if missing := sorted(set(ids) ^ set(self.images)):
            self.verdict.add("images", [f"not one a pair: {some(missing)}"], "")
            return
        said = "".join(f"{i} {self.hashes[self.images[i]]}\n" for i in ids)
        same = hashlib.sha256(said.encode()).hexdigest() == record.provenance.images_sha256
        wrong = [] if same else ["they are not those that the record was measured on"]
        self.verdict.add("images", wrong, f"{len(ids)} images have the record's hash")

    def _the_data(self, protocol: EvalProtocol | None) -> Dataset | None:
        ref, named = self.record.data, self._data
        what = f"{ref.name}/{ref.split} {ref.sha256[:12]}"
        try:
            if named is None:
                size, made_for = (protocol.size, protocol.data) if protocol else (None, "")
                data = datasets.recorded(ref.name, ref.split, size=size, made_for=made_for)
            else:
                data = datasets.load(named, ref.split) if isinstance(named, str) else named
        except BenchError as error:
            self.verdict.skip("data", f"{what} is not here: {error.what}; --data DIR")
            return None
        if data.sha256 != ref.sha256:
            self.verdict.skip("data", f"{what} is not here: {data.name}/{data.split} has hash {data.sha256[:12]}")
            return None
        if ref.missing:
            self.verdict.skip("data", f"{ref.missing} pairs were left out: rows do not tell which")
            return None
        fits = len(self.ids) == ref.pairs <= len(data) and all(
            data[k].id == pair_id for k, pair_id in enumerate(self.ids)
        )
        people = fits and {data[k].target.person for k in range(len(self.ids))} == set(self.record.people)
        wrong = [] if people else ["its pairs, or their people, are not those of the record"]
        return data if self.verdict.add("data", wrong, f"{what}, the same pairs and people") else None

    def _rows(self, metrics: Sequence[Metric]) -> tuple[dict[str, Rows], dict[str, str]]:
        """Rows by metric's name; and the metrics that cannot be built here (an evaluator is another), and why."""
        names = {f"rows/{metric_slug(metric.name)}.npy": metric for metric in metrics}
        sent = [name for name in self.archive.names if name.startswith("rows/")]
        if strangers := [name for name in sent if name not in names]:
            self.verdict.add("scores", [f"{name}: rows of no metric of the protocol" for name in strangers], "")
        found: dict[str, Rows] = {}
        unable: dict[str, str] = {}
        for number, name in enumerate(sent):
            if (metric := names.get(name)) is None:
                continue
            try:
                shape = (len(self.ids), metric.columns)
            except BenchError as error:
                unable[metric.name] = " ".join(str(error).split())
                continue
            found[metric.name] = self.archive.rows(name, self.folder / f"{number}.npy", shape)
        return found, unable

    def _deep(
        self, metrics: Sequence[Metric], rows: Mapping[str, Rows], data: Dataset, pairs: int, seed: int | None
    ) -> None:
        if not self.images:
            self.verdict.skip("rows", "not measured again: no images were sent")
            return
        seed = secrets.randbelow(2**31) if seed is None else seed
        count = min(pairs, len(self.ids))
        chosen = sorted(random.Random(seed).sample(range(len(self.ids)), count))
        again = rows_again(metrics, rows, data, chosen, lambda i: self.archive.read(self.images[i]), self.device)
        right = f"{again.same} metrics gave {count} pairs the same rows again (--seed {seed})"
        self.verdict.found("rows", again, right)


def _ids(archive: Archive) -> list[str]:
    try:
        ids = archive.read(PAIRS).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BenchError(f"{PAIRS} is no text", where=archive.path, fix="pack it again: submit") from None
    for pair_id in ids:
        check_id(pair_id)
    if not ids or len(set(ids)) < len(ids):
        raise BenchError(f"{PAIRS} names no pair, or one twice", where=archive.path, fix="pack it again: submit")
    return ids


def _safe(name: str) -> str:
    """A protocol's name out of a record, only where it is that of one that ships: never a path."""
    base = re.sub(r"@\d{1,5}x\d{1,5}$", "", name)
    if base not in protocols.names():
        raise BenchError(f"no protocol called {base[:80]!r} ships here")
    return base
