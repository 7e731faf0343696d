"""Where a network's bytes come from, in order: the user's folder, a torch hub cache, an installed package, its own address,
the package index. Every file is hashed before anything reads it."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from fhpt_bench.errors import BenchError
from fhpt_bench.weights import package_index
from fhpt_bench.weights.catalogue import Carrier, Network, Official

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
_CHUNK = 1 << 20

_unreachable: set[str] = set()
"""Hosts that did not answer in this process: asked once, not once a network."""


class Report(Protocol):
    """Called while bytes arrive: what, how many so far, how many in all (None where unknown)."""

    def __call__(self, what: str, done: int, total: int | None) -> None: ...


@dataclass(frozen=True)
class Found:
    """A file that holds a network, its hash checked. It may be temporary: use it inside ``fetch``."""

    path: Path
    source: Official | Carrier
    described: str
    archive: Path | None = None
    """The archive that it came out of, which may hold others."""


class Refused(Exception):
    """A source that cannot be used, and why."""


def offline() -> bool:
    return os.environ.get("FHPT_BENCH_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def fetch(network: Network, scratch: Path, report: Report) -> Iterator[Found]:
    """The network's file from the first source that gives it; BenchError naming every source tried where none does."""
    tried: list[str] = []
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".pull-") as folder:
        for source, described, take in _attempts(network, Path(folder), report):
            try:
                path, archive = take()
            except (Refused, OSError) as error:
                if isinstance(error, OSError) and error.errno == 28:
                    raise BenchError(f"no space left for {network.name}", where=scratch, fix="free some space, or set FHPT_BENCH_CACHE") from error
                tried.append(f"{described}: {error}")
                continue
            yield Found(path, source, described, archive)
            return
    raise BenchError(f"the network {network.name!r} ({network.what}) could not be had", where="; ".join(tried), fix=_fix(network))


def _fix(network: Network) -> str:
    files = " or ".join(dict.fromkeys(source.file for source in network.sources))
    online = "unset FHPT_BENCH_OFFLINE" if offline() else "connect to the package index or to the file's own address"
    archives = [c.archive for c in network.carriers]
    also = f" (or the archive {archives[0]})" if archives else ""
    return f"{online}, or put {files}{also} into a folder and name it in FHPT_BENCH_WEIGHTS; needed by: {network.used_by}"


Take = Callable[[], tuple[Path, Path | None]]


def _attempts(network: Network, folder: Path, report: Report) -> Iterator[tuple[Official | Carrier, str, Take]]:
    for source in network.sources:
        yield source, "FHPT_BENCH_WEIGHTS", lambda source=source: _from_folder(source, folder)  # type: ignore[misc]
    if network.official:
        yield network.official, "torch hub cache", lambda: (_checked(_hub_cache() / network.official.file, network.official.sha256), None)  # type: ignore[union-attr]
    for carrier in network.carriers:
        yield carrier, f"installed package {carrier.package}", lambda c=carrier: (_checked(_installed(c), c.sha256), None)  # type: ignore[misc]
    if official := network.official:
        yield official, official.url, lambda: (_download(official.url, official.sha256, folder / official.file, official.file, report), None)
    for carrier in network.carriers:
        described = f"package index, {carrier.package} {carrier.version}"
        yield carrier, described, lambda c=carrier: _from_index(c, folder, report)  # type: ignore[misc]


def _from_folder(source: Official | Carrier, scratch: Path) -> tuple[Path, Path | None]:
    """From the folder the user named. A file that is there and wrong is an error: to go on would be a silent substitute."""
    given = os.environ.get("FHPT_BENCH_WEIGHTS")
    if not given:
        raise Refused("not set")
    folder = Path(given)
    if not folder.is_dir():
        raise BenchError("the folder of weights does not exist", where=folder, fix="mend or unset FHPT_BENCH_WEIGHTS")
    for name, expected in ((source.file, source.sha256), *(((source.archive, source.archive_sha256),) if isinstance(source, Carrier) else ())):
        path = folder / name
        if not path.is_file():
            continue
        if not (got := sha256(path)).startswith(expected):
            raise BenchError(
                f"wrong hash: expected {expected}, got {got}", where=path, fix="replace the file, or take it out of FHPT_BENCH_WEIGHTS"
            )
        if isinstance(source, Carrier) and name == source.archive:
            return extract(path, source, scratch), path
        return path, None
    raise Refused(f"no {source.file} in {folder}")


def _hub_cache() -> Path:
    """torch.hub's folder of checkpoints, found without importing torch."""
    root = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch"
    return Path(root) / "hub" / "checkpoints"


def _installed(carrier: Carrier) -> Path:
    try:
        return Path(str(metadata.distribution(carrier.package).locate_file(carrier.member)))
    except metadata.PackageNotFoundError:
        raise Refused("not installed") from None


def _checked(path: Path, expected: str) -> Path:
    if not path.is_file():
        raise Refused(f"no {path.name}")
    if not (got := sha256(path)).startswith(expected):
        raise Refused(f"{path} has the wrong hash (expected {expected}, got {got})")
    return path


def _from_index(carrier: Carrier, folder: Path, report: Report) -> tuple[Path, Path | None]:
    where = package_index.settings()
    reasons: list[str] = []
    for place, answer in package_index.find(carrier.archive, carrier.package, where, _Pages(where)):
        if isinstance(answer, Exception):
            reasons.append(f"{_bare(place)}: {_why(answer)}")
            continue
        try:
            archive = _download(answer, carrier.archive_sha256, folder / carrier.archive, carrier.archive, report, where)
            return extract(archive, carrier, folder), archive
        except Refused as error:
            reasons.append(str(error))
    raise Refused(", ".join(reasons) or "no index is configured")


def extract(archive: Path, carrier: Carrier, folder: Path) -> Path:
    """One member of a wheel or sdist as a file in ``folder``, its hash checked. Nothing else of the archive is touched."""
    target = folder / f"member-{carrier.file}"
    try:
        if archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as tar:
                member = tar.extractfile(carrier.path_in_archive)
                if member is None:
                    raise Refused(f"{carrier.path_in_archive} in {archive.name} is not a file")
                _copy(member, target)
        else:
            with zipfile.ZipFile(archive) as wheel, wheel.open(carrier.path_in_archive) as member:
                _copy(member, target)
    except KeyError:
        raise Refused(f"{archive.name} holds no {carrier.path_in_archive}") from None
    return _checked(target, carrier.sha256)


def _copy(source: IO[bytes], target: Path) -> None:
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            out.write(chunk)


class _Pages(package_index.ReadPage):
    def __init__(self, where: package_index.Settings) -> None:
        self.where = where

    def __call__(self, url: str) -> str:
        with _request(url, self.where) as response:
            return str(response.text)


def _download(url: str, expected: str, target: Path, what: str, report: Report, where: package_index.Settings | None = None) -> Path:
    """``url`` in ``target``, hashed while it arrives; Refused where the host, the length or the hash is not right."""
    if (local := package_index.local_path(url)) is not None:
        return _checked(local, expected)
    digest, done = hashlib.sha256(), 0
    with _request(url, where or package_index.settings()) as response, target.open("wb") as out:
        size = response.headers.get("Content-Length")
        total = int(size) if size and not response.headers.get("Content-Encoding") else None
        try:
            for chunk in response.iter_content(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                report(what, done, total)
        except OSError as error:  # requests' errors are OSErrors
            if error.errno == 28:
                raise
            raise Refused(f"{_bare(url)} broke off after {done} bytes ({_why(error)})") from error
    if total is not None and done != total:
        raise Refused(f"{_bare(url)} was cut short ({done} of {total} bytes)")
    if not digest.hexdigest().startswith(expected):
        raise Refused(f"{_bare(url)} has the wrong hash (expected {expected}, got {digest.hexdigest()})")
    return target


@contextmanager
def _request(url: str, where: package_index.Settings) -> Iterator[Any]:
    """A streamed response with a short time-out; Refused where there is none."""
    import requests

    host = urlsplit(url).netloc.rpartition("@")[2]
    if offline():
        raise Refused("FHPT_BENCH_OFFLINE is set")
    if host in _unreachable:
        raise Refused(f"{host} cannot be reached")
    verify = False if host.partition(":")[0] in where.trusted_hosts or host in where.trusted_hosts else where.verify
    proxies = {"http": where.proxy, "https": where.proxy} if where.proxy else None
    try:
        response = requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), verify=verify, proxies=proxies)
    except requests.ConnectionError as error:
        _unreachable.add(host)
        raise Refused(f"{host} cannot be reached ({_why(error)})") from error
    except (requests.RequestException, OSError) as error:
        raise Refused(f"{host}: {_why(error)}") from error
    with response:
        if response.status_code != 200:
            raise Refused(f"{host} answers {response.status_code}")
        yield response


def _bare(url: str) -> str:
    """Without the user name and password an index address may carry."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://{tail}" if at and "://" in head else url


def _why(error: Exception) -> str:
    """The innermost reason, in a few words: requests wraps errors three deep."""
    seen: BaseException = error
    while (inner := seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)) and isinstance(inner, BaseException):
        seen = inner
    return f"{type(seen).__name__}: {seen}"[:160]
