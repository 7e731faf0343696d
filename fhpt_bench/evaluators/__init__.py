"""The trained evaluators: gender, retrieval-vgg, retrieval-resnet, attributes.

Each is a small network trained on a data set's training people (``fhpt-bench train protocols/evaluators/<name>``), most
of them a head on a frozen, published trunk. Those for Catwalk ship with fhpt-bench; yours are kept in the cache.

    find("gender", "catwalk")       -> where the trained file is, and its sha256
    labels("attributes", "catwalk") -> what its outputs mean
    read(find(...))                 -> tensors and what the file says of itself, the hash checked first
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhpt_bench import paths, train_config
from fhpt_bench.errors import BenchError
from fhpt_bench.harness.models import slug

if TYPE_CHECKING:
    import torch

NAMES = ("gender", "retrieval-vgg", "retrieval-resnet", "attributes")


@dataclass(frozen=True)
class Found:
    """A trained evaluator on disk. ``sha256`` is what its file must have: read from where it was pinned, not from the
    file."""

    name: str
    data: str
    path: Path
    sha256: str

    @property
    def accuracy(self) -> Path:
        """Where training wrote what the file was trained on and how right it is on validation people."""
        return self.path.with_name(f"accuracy-{slug(self.data)}.json")


def folder(name: str) -> Path:
    """Configuration, card and shipped weights of an evaluator; BenchError for an unknown name."""
    if name not in NAMES:
        raise BenchError(f"no evaluator is called {name!r}", fix=f"one of {', '.join(NAMES)}")
    return paths.shipped("protocols") / "evaluators" / name


def named_by(text: str) -> str | None:
    """The evaluator that ``text`` names, by itself or as ``protocols/evaluators/<name>``; None where it names none."""
    path = Path(text)
    return path.name if path.name in NAMES and path.parent.name in ("", "evaluators") else None


def find(name: str, data: str, pin: str = "") -> Found:
    """The evaluator ``name`` trained on the data set ``data``: the one that ships, else the one trained here.

    ``pin``: first hex digits of the sha256 it must have; finds either of the two. BenchError, with the command that
    trains one, where there is none; and where none has the pinned hash.
    """
    here = folder(name)
    shipped = train_config.read(here, "shipped")
    known = (
        [Found(name, data, here / f"weights-{data}.safetensors", shipped[data]["sha256"])] if data in shipped else []
    )
    if (note := note_of(name, data)).is_file():
        try:
            sha256 = str(json.loads(note.read_text("utf-8"))["sha256"])
        except (ValueError, KeyError) as error:
            raise BenchError(
                "the note beside a trained evaluator is damaged", where=note, fix=_train(name, data)
            ) from error
        known.append(Found(name, data, installed(name, data), sha256))
    fitting = [found for found in known if found.sha256.startswith(pin)]
    if fitting:
        return fitting[0]
    if known:
        have = ", ".join(found.sha256[:12] for found in known)
        raise BenchError(
            f"no {name} evaluator for {data!r} has the hash {pin}",
            where=f"there: {have}",
            fix="use that protocol's release of fhpt-bench",
        )
    raise BenchError(f"no {name} evaluator is trained for the data set {data!r}", fix=_train(name, data))


def installed(name: str, data: str) -> Path:
    """Where training puts the evaluator for this user."""
    return paths.cache() / "evaluators" / name / f"{slug(data)}.safetensors"


def note_of(name: str, data: str) -> Path:
    """The note beside the installed file that holds its hash."""
    return installed(name, data).with_suffix(".json")


def read(found: Found) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors (float32, on the CPU) and what the file says of itself; the hash is checked before anything is parsed.

    BenchError for another hash, another evaluator, or one trained on another data set.
    """
    from safetensors.torch import load

    content = _checked(found)
    about = _about(found, content)
    return {key: tensor.float() for key, tensor in load(content).items()}, about


def labels(name: str, data: str, pin: str = "") -> tuple[tuple[str, str], ...]:
    """(group, value) of every output in column order: ``(("top", "blouse"), ("top", "jacket"), ...)``.

    Empty for the retrieval evaluators, whose outputs are an embedding. Errors as ``find`` and ``read``.
    """
    return _labels(find(name, data, pin))


@lru_cache(maxsize=16)
def _labels(found: Found) -> tuple[tuple[str, str], ...]:
    return tuple((str(group), str(value)) for group, value in _about(found, _checked(found))["labels"])


def _checked(found: Found) -> bytes:
    try:
        content = found.path.read_bytes()
    except OSError as error:
        raise BenchError(
            f"the {found.name} evaluator cannot be read: {error.strerror}", where=found.path, fix=_again(found)
        ) from error
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise BenchError(
            f"the {found.name} evaluator is not the one that was written (wrong hash)",
            where=found.path,
            fix=_again(found),
        )
    return content


def _about(found: Found, content: bytes) -> dict[str, Any]:
    """The file's own account: JSON under ``evaluator`` in the header of the safetensors format."""
    size = int.from_bytes(content[:8], "little")
    about: dict[str, Any] = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["evaluator"])
    if (about["name"], about["data"]) != (found.name, found.data):
        wanted = f"not the {found.name} evaluator of {found.data!r}"
        raise BenchError(
            f"this is the {about['name']} evaluator of {about['data']!r}, {wanted}",
            where=found.path,
            fix=_train(found.name, found.data),
        )
    return about


def _train(name: str, data: str) -> str:
    return f"fhpt-bench train protocols/evaluators/{name} --data {data}"


def _again(found: Found) -> str:
    ships = found.path.is_relative_to(paths.shipped("protocols"))
    return "reinstall fhpt-bench" if ships else _train(found.name, found.data)


__all__ = ["NAMES", "Found", "find", "folder", "installed", "labels", "named_by", "note_of", "read"]
