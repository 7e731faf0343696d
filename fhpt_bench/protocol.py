"""A protocol is a TOML file: what is measured and how. Frozen once released; superseded, never edited."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.paths import shipped
from fhpt_bench.types import Metric


def _grouped(value: Any) -> Any:
    return {"": value} if isinstance(value, list | tuple) else value


def _each_once(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    seen: set[str] = set()
    for name in (name for names in value.values() for name in names):
        if name in seen:
            raise ValueError(f"{name!r} is named twice")
        seen.add(name)
    return value


Headline = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_grouped), AfterValidator(_each_once)]
"""Scores that lead a table: group -> names, each group a table of its own (``perceptual``, ``structural``,
``semantic``). A plain list is one group without a name."""


class MetricSpec(BaseModel):
    """One ``[[metrics]]`` table: ``use`` names the metric, ``name`` is what its scores are called, the rest are
    its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class EvalProtocol(BaseModel):
    """A TOML file and its sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    description: str = ""
    source: str = ""
    """Paper or page the parameters come from."""
    frozen: bool
    data: str
    """Data set it is made for; ``--data`` may name another, the record says which."""
    size: tuple[int, int]
    """height, width of the images it takes."""
    headline: Headline
    metrics: tuple[MetricSpec, ...] = Field(min_length=1)
    sha256: str

    def at(self, size: tuple[int, int]) -> EvalProtocol:
        """The same measures of images of another size: another protocol, ``name@HxW``, whose numbers do not compare."""
        if size == self.size:
            return self
        sha256 = hashlib.sha256(f"{self.sha256} {size[0]}x{size[1]}".encode()).hexdigest()
        return self.model_copy(update={"name": f"{self.name}@{size[0]}x{size[1]}", "size": size, "sha256": sha256})

    def build(self) -> list[Metric]:
        """The metrics, in file order; BenchError for an unknown metric or setting."""
        return [build_metric(spec, where=self.name) for spec in self.metrics]


def build_metric(spec: MetricSpec, *, where: str) -> Metric:
    """The metric that ``spec`` describes; BenchError for an unknown metric or setting."""
    cls = registry.find("metrics", spec.use)
    try:
        metric: Metric = cls(name=spec.name, **spec.settings)
    except TypeError as error:
        known = [n for n in getattr(cls, "__dataclass_fields__", {}) if n != "name"]
        raise BenchError(
            f"metric {spec.name!r}: {error}", where=where, fix=f"its settings are: {', '.join(known)}"
        ) from None
    return metric


def names() -> list[str]:
    """Names of the shipped protocols."""
    return sorted(path.stem for path in shipped("protocols").glob("*.toml"))


def for_size(size: tuple[int, int]) -> str:
    """Name of the protocol for images of unknown origin: ``clean-v1`` (``catwalk-v1`` where there is none), at their
    size."""
    general = "clean-v1" if "clean-v1" in names() else "catwalk-v1"
    return load(general).at(size).name


def load(name: str | Path) -> EvalProtocol:
    """The protocol called ``name``, or in the file ``name``; ``name@HxW``: the same for images of that size.

    BenchError that suggests near names where there is none.
    """
    if at := re.fullmatch(r"(.+)@(\d{1,5})x(\d{1,5})", str(name)):
        return load(at[1]).at((int(at[2]), int(at[3])))
    path = Path(name) if str(name).endswith(".toml") else shipped("protocols") / f"{name}.toml"
    if not path.is_file():
        near = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names())}"
        raise BenchError(
            f"no protocol is called {str(name)!r}", fix=f"{hint} A path ending in .toml is read as a file."
        )
    content = path.read_bytes()
    try:
        raw = tomllib.loads(content.decode("utf-8"))
        protocol = EvalProtocol(**raw, sha256=hashlib.sha256(content).hexdigest())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise BenchError(f"not a protocol: {error}", where=path, fix="see protocols/catwalk-v1.toml") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise BenchError(
            f"not a protocol: {place}: {first['msg']}", where=path, fix="see protocols/catwalk-v1.toml"
        ) from None
    seen: set[str] = set()
    for spec in protocol.metrics:
        if spec.name in seen:
            raise BenchError(f"two metrics are called {spec.name!r}", where=path, fix="give each its own name")
        seen.add(spec.name)
    return protocol
