"""Where a network's bytes come from, in order: the user's folder, a torch hub cache, an installed package, its own
address, the package index. Every file is hashed before anything reads it."""

from __future__ import annotations

import errno
import hashlib
import os
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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


class RefusedError(Exception):
    """A source that cannot be used, and why."""


class CutShortError(RefusedError):
    """A download that ended early: worth asking again, once."""


def offline() -> bool:
    return os.environ.get("FHPT_BENCH_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def fetch(network: Network, scratch: Path, report: Report) -> Iterator[Found]:
    """The network's file from the first source that gives it; BenchError naming every source tried where none does."""
    if network.official and not network.official.sha256:
        what = f"no hash of {network.official.file} is published: nothing vouches for a file of that name"
        fix = f"fetch it, make sure of it, and name its sha256: {network.name}@<sha256>"
        raise BenchError(what, where=network.official.url, fix=fix)
    tried: list[str] = []
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".pull-") as folder:
        for source, described, take in _attempts(network, Path(folder), report):
            try:
                path, archive = take()
            except (RefusedError, OSError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise BenchError(
                        f"no space left for {network.name}",
                        where=scratch,
                        fix="free some space, or set FHPT_BENCH_CACHE",
                    ) from error
                tried.append(f"{described}: {error}")
                continue
            yield Found(path, source, described, archive)
            return
    raise BenchError(
        f"the network {network.name!r} ({network.what}) could not be had", where="; ".join(tried), fix=_fix(network)
    )


def _fix(network: Network) -> str:
    files = " or ".join(dict.fromkeys(source.file for source in network.sources))
    online = "unset FHPT_BENCH_OFFLINE" if offline() else "connect to the package index or to the file's own address"
    archives = [c.archive for c in network.carriers]
    also = f" (or the archive {archives[0]})" if archives else ""
    return (
        f"{online}, or put {files}{also} into a folder and name it in FHPT_BENCH_WEIGHTS; needed by: {network.used_by}"
    )


Take = Callable[[], tuple[Path, Path | None]]


def _attempts(network: Network, folder: Path, report: Report) -> Iterator[tuple[Official | Carrier, str, Take]]:
    official, carriers = network.official, network.carriers
    for source in network.sources if os.environ.get("FHPT_BENCH_WEIGHTS") else ():
        yield source, "FHPT_BENCH_WEIGHTS", partial(_from_folder, source, folder)
    if official:
        yield official, "torch hub cache", partial(_from_hub_cache, official)
    for carrier in carriers:
        yield carrier, f"installed package {carrier.package}", partial(_from_installed, carrier)
    if official:
        yield official, official.url, partial(_from_address, official, folder, report)
    for carrier in carriers:
        described = f"package index, {carrier.package} {carrier.version}"
        yield carrier, described, partial(_from_index, carrier, folder, report)


def _from_folder(source: Official | Carrier, scratch: Path) -> tuple[Path, Path | None]:
    """From the folder the user named. A file there that is wrong is an error: to go on would be a silent substitute."""
    folder = Path(os.environ["FHPT_BENCH_WEIGHTS"])
    if not folder.is_dir():
        raise BenchError("the folder of weights does not exist", where=folder, fix="mend or unset FHPT_BENCH_WEIGHTS")
    for name, expected in (
        (source.file, source.sha256),
        *(((source.archive, source.archive_sha256),) if isinstance(source, Carrier) else ()),
    ):
        path = folder / name
        if not path.is_file():
            continue
        if not (got := sha256(path)).startswith(expected):
            raise BenchError(
                f"wrong hash: expected {expected}, got {got}",
                where=path,
                fix="replace the file, or take it out of FHPT_BENCH_WEIGHTS",
            )
        if isinstance(source, Carrier) and name == source.archive:
            return extract(path, source, scratch), path
        return path, None
    raise RefusedError(f"no {source.file} in {folder}")


def _from_hub_cache(official: Official) -> tuple[Path, Path | None]:
    """torch.hub's folder of checkpoints, found without importing torch."""
    root = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch"
    return _checked(Path(root) / "hub" / "checkpoints" / official.file, official.sha256), None


def _from_installed(carrier: Carrier) -> tuple[Path, Path | None]:
    try:
        path = Path(str(metadata.distribution(carrier.package).locate_file(carrier.member)))
    except metadata.PackageNotFoundError:
        raise RefusedError("not installed") from None
    return _checked(path, carrier.sha256), None


def _from_address(official: Official, folder: Path, report: Report) -> tuple[Path, Path | None]:
    where = package_index.settings()
    return _download(official.url, official.sha256, folder / official.file, report, where), None


def _checked(path: Path, expected: str) -> Path:
    if not path.is_file():
        raise RefusedError(f"no {path.name}")
    if not (got := sha256(path)).startswith(expected):
        raise RefusedError(f"{path} has the wrong hash (expected {expected}, got {got})")
    return path


def _from_index(carrier: Carrier, folder: Path, report: Report) -> tuple[Path, Path | None]:
    where = package_index.settings()
    reasons: list[str] = []
    for place, answer in package_index.find(carrier.archive, carrier.package, where, _Pages(where)):
        if isinstance(answer, Exception):
            reasons.append(f"{_bare(place)}: {_why(answer)}")
            continue
        try:
            archive = _download(answer, carrier.archive_sha256, folder / carrier.archive, report, where)
            return extract(archive, carrier, folder), archive
        except RefusedError as error:
            reasons.append(str(error))
    raise RefusedError(", ".join(reasons) or "no index is configured")


def extract(archive: Path, carrier: Carrier, folder: Path) -> Path:
    """One member of a wheel or sdist as a file in ``folder``, its hash checked. Nothing else is unpacked."""
    target = folder / f"member-{carrier.file}"
    try:
        if archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as tar:
                member = tar.extractfile(carrier.path_in_archive)
                if member is None:
                    raise RefusedError(f"{carrier.path_in_archive} in {archive.name} is not a file")
                _copy(member, target)
        else:
            with zipfile.ZipFile(archive) as wheel, wheel.open(carrier.path_in_archive) as member:
                _copy(member, target)
    except KeyError:
        raise RefusedError(f"{archive.name} holds no {carrier.path_in_archive}") from None
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


def _download(url: str, expected: str, target: Path, report: Report, where: package_index.Settings) -> Path:
    """As ``_download_once``; a download that ends early is tried twice."""
    try:
        return _download_once(url, expected, target, report, where)
    except CutShortError:
        return _download_once(url, expected, target, report, where)


def _download_once(url: str, expected: str, target: Path, report: Report, where: package_index.Settings) -> Path:
    """``url`` in ``target``, hashed while it arrives; RefusedError where host, length or hash is not right."""
    if (local := package_index.local_path(url)) is not None:
        return _checked(local, expected)
    digest, done = hashlib.sha256(), 0
    with _request(url, where) as response, target.open("wb") as out:
        size = response.headers.get("Content-Length")
        total = int(size) if size and not response.headers.get("Content-Encoding") else None
        try:
            for chunk in response.iter_content(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                report(target.name, done, total)
        except OSError as error:  # requests' errors are OSErrors
            if error.errno == errno.ENOSPC:
                raise
            raise CutShortError(f"{_bare(url)} broke off after {done} bytes ({_why(error)})") from error
    if total is not None and done != total:
        raise CutShortError(f"{_bare(url)} was cut short ({done} of {total} bytes)")
    if not digest.hexdigest().startswith(expected):
        raise RefusedError(f"{_bare(url)} has the wrong hash (expected {expected}, got {digest.hexdigest()})")
    return target


@contextmanager
def _request(url: str, where: package_index.Settings) -> Iterator[Any]:
    """A streamed response with a short time-out; RefusedError where there is none."""
    import requests
    import urllib3

    host = urlsplit(url).netloc.rpartition("@")[2]
    if offline():
        raise RefusedError("FHPT_BENCH_OFFLINE is set")
    if host in _unreachable:
        raise RefusedError(f"{host} cannot be reached")
    verify = False if host.partition(":")[0] in where.trusted_hosts or host in where.trusted_hosts else where.verify
    proxies = {"http": where.proxy, "https": where.proxy} if where.proxy else None
    try:
        with warnings.catch_warnings():
            # The user trusts the host by name, and what comes is known by its hash.
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            times = (CONNECT_SECONDS, READ_SECONDS)
            response = requests.get(url, stream=True, timeout=times, verify=verify, proxies=proxies)
    except requests.ConnectionError as error:
        _unreachable.add(host)
        raise RefusedError(f"{host} cannot be reached ({_why(error)})") from error
    except (requests.RequestException, OSError) as error:
        raise RefusedError(f"{host}: {_why(error)}") from error
    with response:
        if response.status_code != 200:
            raise RefusedError(f"{host} answers {response.status_code}")
        yield response


def _bare(url: str) -> str:
    """Without the user name and password an index address may carry."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://{tail}" if at and "://" in head else url


def _why(error: Exception) -> str:
    """The innermost reason, in a few words: requests wraps errors three deep."""
    seen: BaseException = error
    while (inner := seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)) and isinstance(
        inner, BaseException
    ):
        seen = inner
    return f"{type(seen).__name__}: {seen}"[:160]
