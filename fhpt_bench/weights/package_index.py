"""Fetching one archive from the machine's package index without installing it, or running a line of it.

``pip download`` of an sdist runs the package's own set-up code, and an environment made by uv has no pip. So the
machine's settings are read here (pip's files and ``PIP_*``, uv's ``uv.toml`` and ``UV_*``), the index page (PEP 503)
is searched for the pinned file name, and the archive is downloaded as bytes.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

PYPI = "https://pypi.org/simple"


@dataclass(frozen=True)
class Settings:
    """Where packages come from on this machine, and how to reach it."""

    indexes: tuple[str, ...]
    find_links: tuple[str, ...]
    verify: str | bool
    """A bundle of certificates, or True for the default one."""
    proxy: str | None
    trusted_hosts: tuple[str, ...]


def settings() -> Settings:
    """The machine's pip settings, then uv's; PyPI where neither names an index. Read anew on each call."""
    pip, uv = _pip_options(), _uv_options()
    indexes = [
        *_words(pip.get("index-url")),
        *_words(uv.get("default")),
        *_words(pip.get("extra-index-url")),
        *_words(uv.get("extra")),
    ]
    if not (pip.get("index-url") or uv.get("default")):
        indexes.insert(0, PYPI)
    if _true(pip.get("no-index")) or _true(uv.get("no-index")):
        indexes = []
    links = [*_words(pip.get("find-links")), *_words(uv.get("find-links"))]
    bundle = pip.get("cert") or next(
        (os.environ[n] for n in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if os.environ.get(n)), None
    )
    return Settings(
        tuple(dict.fromkeys(indexes)),
        tuple(dict.fromkeys(links)),
        bundle or True,
        pip.get("proxy") or None,
        tuple(_words(pip.get("trusted-host"))),
    )


def find(archive: str, project: str, where: Settings, read: ReadPage) -> Iterator[tuple[str, str | Exception]]:
    """For each place searched: (place, address of ``archive``), or (place, why there is none)."""
    name = re.sub(r"[-_.]+", "-", project).lower()
    for place in (*where.find_links, *(f"{index.rstrip('/')}/{name}/" for index in where.indexes)):
        try:
            yield place, _look(place, archive, read)
        except Exception as error:
            yield place, error


class ReadPage:
    """Reads a page of an index: ``page(url) -> text``. The caller brings the connection."""

    def __call__(self, url: str) -> str:
        raise NotImplementedError


def local_path(address: str) -> Path | None:
    """The path of a ``file:`` address or of a plain path; None for anything remote."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(url2pathname(unquote(parts.path)))
    return Path(address).expanduser() if "://" not in address else None


def _look(place: str, archive: str, read: ReadPage) -> str:
    folder = local_path(place)
    if folder is not None and folder.is_dir():
        if (folder / archive).is_file():
            return (folder / archive).as_uri()
        if not (folder / "index.html").is_file():
            raise FileNotFoundError(f"no {archive}")
        folder = folder / "index.html"
    text = folder.read_text(encoding="utf-8") if folder is not None else read(place)
    base = folder.as_uri() if folder is not None else place
    for link in _Links.of(text):
        address = urljoin(base, link).partition("#")[0]
        if unquote(urlsplit(address).path).rsplit("/", 1)[-1] == archive:
            return address
    raise FileNotFoundError(f"no {archive}")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]

    @classmethod
    def of(cls, page: str) -> list[str]:
        parser = cls()
        parser.feed(page)
        return parser.found


def _pip_options() -> dict[str, str]:
    """pip's options as pip itself would merge them: global, user, environment and named files, then ``PIP_*``."""
    merged: dict[str, str] = {}
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip reports its own broken files; ours is to fetch one archive
        for section in ("global", "install", "download"):
            if parser.has_section(section):
                merged |= {name.replace("_", "-").lower(): value for name, value in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            merged[name.removeprefix("PIP_").replace("_", "-").lower()] = value
    return merged


def _pip_files() -> list[Path]:
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home, file = Path.home(), "pip.ini" if os.name == "nt" else "pip.conf"
    files = [Path(root) / "pip" / file for root in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)]
    files += [Path("/etc") / file, Path("/Library/Application Support/pip") / file]
    if not (named and Path(named).exists()):
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        files += [home / ".pip" / file, home / "Library/Application Support/pip" / file, config / "pip" / file]
        files += [Path(os.environ["APPDATA"]) / "pip" / file] if os.environ.get("APPDATA") else []
    return [*files, Path(sys.prefix) / file, *([Path(named)] if named else [])]


def _uv_options() -> dict[str, str]:
    """uv's default index, further indexes and find-links, from ``uv.toml`` and then ``UV_*``."""
    found: dict[str, str] = {}
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (Path("/etc/uv/uv.toml"), config / "uv" / "uv.toml"):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        found |= _uv_table(table)
    variables = {
        "default": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), "extra": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
        "find-links": ("UV_FIND_LINKS",), "no-index": ("UV_NO_INDEX",),
    }  # fmt: skip
    for option, names in variables.items():
        for name in names:
            if value := os.environ.get(name):
                # UV_INDEX may give each address a name: "inside=https://..."
                found[option] = " ".join(
                    re.sub(r"^[\w-]+=(?=\w+:)", "", word) for word in value.replace(",", " ").split()
                )
                break
    return found


def _uv_table(table: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for option, name in (
        ("default", "index-url"),
        ("extra", "extra-index-url"),
        ("find-links", "find-links"),
        ("no-index", "no-index"),
    ):
        if value := table.get(name):
            found[option] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    entries = table.get("index")
    for entry in entries if isinstance(entries, list) else []:
        option = "default" if entry.get("default") else "extra"
        found[option] = f"{found.get(option, '')} {entry.get('url', '')}".strip()
    return found


def _words(value: str | None) -> list[str]:
    return (value or "").split()


def _true(value: str | None) -> bool:
    return (value or "").lower() in {"1", "true", "yes", "on"}
