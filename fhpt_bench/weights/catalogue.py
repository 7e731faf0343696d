"""The table of pretrained networks (``networks.toml``): what each is, where it comes from, its hashes."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fhpt_bench.errors import BenchError

FILE = "file"
"""The form of a network that is kept as it comes (a .dat, .task or .pth that its own library reads)."""


@dataclass(frozen=True)
class Official:
    """The authors' own address of a file. ``sha256`` may be a prefix where no more is published.

    Empty where nothing is: the file is then had only through ``Network.known_by``.
    """

    url: str
    sha256: str
    form: str
    """How the file is read: a name of ``convert.FORMS``, or FILE."""

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Carrier:
    """A file inside a pinned archive of the package index (wheel or sdist), or of the same package installed."""

    package: str
    version: str
    archive: str
    archive_sha256: str
    member: str
    """Path of the file where the package is installed; in an sdist it stands below ``<archive stem>/``."""
    sha256: str
    form: str

    @property
    def file(self) -> str:
        return self.member.rsplit("/", 1)[-1]

    @property
    def path_in_archive(self) -> str:
        stem = self.archive.removesuffix(".tar.gz")
        return self.member if stem == self.archive else f"{stem}/{self.member}"


@dataclass(frozen=True)
class Network:
    """One network. Its sources are interchangeable: each gives the same tensors (or the same file)."""

    name: str
    what: str
    used_by: str
    author: str
    licence: str
    training_data: str
    """What the training data allows or forbids."""
    official: Official | None = None
    carriers: tuple[Carrier, ...] = ()
    suffix: str = ".safetensors"

    @property
    def official_url(self) -> str:
        return self.official.url if self.official else ""

    @property
    def carrier(self) -> str:
        return ", ".join(f"{c.package} {c.version}" for c in self.carriers)

    @property
    def sources(self) -> tuple[Official | Carrier, ...]:
        return (*((self.official,) if self.official else ()), *self.carriers)

    @property
    def sha256(self) -> str:
        """The hash of the first source: the one the documentation prints."""
        return self.sources[0].sha256

    @property
    def key(self) -> str:
        """Twelve hex digits that change when an accepted file or its conversion does: part of the cached name."""
        text = "\n".join(sorted(f"{source.sha256} {source.form}" for source in self.sources))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def known_by(self, sha256: str) -> Network:
        """This network, its official file known by all 64 digits of ``sha256`` and its carriers left out."""
        if self.official is None or not re.fullmatch("[0-9a-f]{64}", sha256):
            raise BenchError(f"{self.name}@{sha256} names no file", fix="<network>@<its sha256, 64 digits 0-9a-f>")
        official = replace(self.official, sha256=sha256)
        return replace(self, name=f"{self.name}@{sha256}", official=official, carriers=())


def read(path: Path) -> dict[str, Network]:
    """The networks of a table like ``networks.toml``, by name."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    archives = table.get("archive", {})
    return {name: _network(name, dict(entry), archives) for name, entry in table["network"].items()}


def _network(name: str, entry: dict[str, Any], archives: dict[str, Any]) -> Network:
    official, carriers = entry.pop("official", None), []
    for carrier in entry.pop("carriers", []):
        package = carrier.pop("archive")
        archive = archives[package]
        carriers.append(Carrier(package, archive["version"], archive["file"], archive["sha256"], **carrier))
    return Network(name, **entry, official=Official(**official) if official else None, carriers=tuple(carriers))


NETWORKS: dict[str, Network] = read(Path(__file__).with_name("networks.toml"))
