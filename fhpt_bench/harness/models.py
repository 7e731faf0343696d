"""From ``--model`` to something that makes images, and who it is."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.record import Kind, ModelCard
from fhpt_bench.types import Dataset


@dataclass(frozen=True)
class Model:
    """A resolved ``--model``: either a generator or a folder (or zip) of images that somebody else made."""

    card: ModelCard
    generator: Any = None
    folder: Path | None = None
    layout: str = ""
    """How the folder's files are named (``folders.layouts``), once that is known; ``pairs.csv`` for such a file."""


def find_model(name: str, *, data: Dataset, device: str) -> Model:
    """A baseline's name, a reference generator, a folder of images, imported or exported weights
    (``FILE.safetensors``), an entry point, ``module:Class`` or ``file.py:Class``."""
    if not name.strip():
        raise BenchError("the model's name is empty", fix="fhpt-bench list generators")
    path = Path(name)
    if path.suffix.lower() == ".safetensors":
        make, generator = _imported(path, device)
        return Model(card=_card(name, make, generator), generator=generator)
    if (path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())) and (
        name not in registry.names("generators")
    ):
        return Model(card=folder_card(path), folder=path)
    if _looks_like_path(name) and not Path(name).exists():
        raise BenchError(
            "no such folder", where=name, fix="check the path, or name a baseline (fhpt-bench list generators)"
        )
    make = registry.find("generators", name)
    generator = _build(make, name, device=device, data=data)
    if not callable(getattr(generator, "generate", None)):
        raise BenchError(f"{name!r} has no method generate(prompts)", fix="see CONTRIBUTING.md, 'Add a generator'")
    return Model(card=_card(name, make, generator), generator=generator)


def _looks_like_path(name: str) -> bool:
    return ("/" in name or name.startswith((".", "~"))) and ":" not in name


def _build(make: Any, name: str, **offered: Any) -> Any:
    """Call ``make`` with those of ``device`` and ``data`` that it asks for."""
    if not callable(make):
        raise BenchError(f"{name!r} is no class or function", fix="name one with a method generate(prompts)")
    try:
        wanted = inspect.signature(make).parameters
    except (TypeError, ValueError):
        wanted = {}  # type: ignore[assignment]
    try:
        return make(**{key: value for key, value in offered.items() if key in wanted})
    except BenchError:
        raise
    except Exception as error:
        raise BenchError(
            f"{name!r} cannot be built: {type(error).__name__}: {error}",
            fix="it is called with device= and data= where it asks for them",
        ) from error


def _imported(path: Path, device: str) -> tuple[Any, Any]:
    """The baseline that imported or exported weights are of, and it with them.

    Its card says where they come from, and nothing of the weights that ship.
    """
    from fhpt_bench.importing import imported

    about = imported.about(path)
    # Only a baseline: what a file says must not lead to other code.
    if about.baseline not in {folder.name for folder in registry.baseline_folders()}:
        raise BenchError(f"weights of an unknown baseline {about.baseline!r}", where=path, fix="import them again")
    make = registry.find("generators", about.baseline)
    given = {"device": device, "config": about.config, "weights": path, "sha256": imported.sha256(path)}
    if lacking := given.keys() - inspect.signature(make).parameters.keys():
        raise BenchError(
            f"{about.baseline} takes no weights but its own",
            where=path,
            fix=f"its generator lacks {', '.join(lacking)}",
        )
    generator = _build(make, path.name, **given)
    kept = {key: generator.card[key] for key in ("paper", "config", "parameters", "weights_sha256")}
    originals = [original.model_dump() for original in about.originals]
    samples = {} if about.samples is None else {"samples": about.samples}
    said = {"name": about.name, "trained_on": about.trained_on, **samples, "imported_from": originals}
    generator.card = {**said, **kept}
    return make, generator


def folder_card(folder: Path) -> ModelCard:
    """Who made the images of a folder, a zip or a pairs.csv: all that its name says."""
    resolved = folder.resolve()
    kind, name = ("folder", resolved.name) if folder.is_dir() else ("file", resolved.stem)
    key = hashlib.sha256(str(resolved).encode()).hexdigest()
    return ModelCard(name=name, source=f"{kind} {resolved.name}", key=key)


def _card(name: str, make: Any, generator: Any) -> ModelCard:
    about = dict(getattr(generator, "card", None) or {})
    try:
        text = json.dumps(about, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BenchError(
            f"the card of {name!r} is not JSON: {error}", fix="keep strings, numbers, lists and dicts in card"
        ) from None
    weights = about.get("weights_sha256")
    digest = hashlib.sha256(text.encode())
    try:  # an edited model is another model: its images must not be mixed with the old one's
        for path in _code(Path(inspect.getfile(make))):
            digest.update(path.read_bytes())
    except (TypeError, OSError):
        digest.update(repr(make).encode())
    # Only our own references may call themselves so: what is not ranked is not for a plugin to say.
    kind: Kind = generator.kind if name in registry.BUILT_IN["generators"] else "model"
    return ModelCard(
        name=str(about.get("name", _short(name))),
        kind=kind,
        source=_source(name),
        weights_sha256=str(weights) if weights else None,
        key=digest.hexdigest(),
        card=about,
    )


def _code(file: Path) -> list[Path]:
    """The file a generator is defined in; for a baseline also every file of the baselines that it imports."""
    home = "fhpt_bench.baselines."
    files = {str(module.__file__): name for name, module in sys.modules.items() if getattr(module, "__file__", None)}
    found, open_ = [file], [file]
    while open_ and files.get(str(file), "").startswith(home):
        for node in ast.walk(ast.parse(open_.pop().read_bytes())):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(home):
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
                paths = {path for path, name in files.items() if name in names and not path.endswith("__init__.py")}
                fresh = [Path(path) for path in sorted(paths) if Path(path) not in found]
                found, open_ = found + fresh, open_ + fresh
    return [file, *sorted(set(found) - {file})]


def _short(name: str) -> str:
    """``a/b/mine.py:Mine`` -> ``mine:Mine``: no machine path in a record."""
    head, _, attribute = name.rpartition(":")
    return f"{Path(head).stem}:{attribute}" if head else name


def _source(name: str) -> str:
    if name.lower().endswith(".safetensors"):
        return f"weights {Path(name).name}"
    if ":" in name:
        head, _, attribute = name.rpartition(":")
        return f"{Path(head).name}:{attribute}"
    if (folder := registry.baseline(name)) is not None:
        return f"baselines/{folder.name}"
    built_in = registry.BUILT_IN["generators"].get(name, "")
    if built_in.startswith(home := "fhpt_bench.baselines."):  # another row of a baseline
        return f"baselines/{built_in.removeprefix(home).partition(':')[0]}"
    return "reference generator" if name in registry.BUILT_IN["generators"] else f"entry point {name}"


def slug(name: str) -> str:
    """A folder name that stays inside its parent, whatever the model calls itself; two names never share one."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
    return safe if safe == name and len(name) <= 80 else f"{safe[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
