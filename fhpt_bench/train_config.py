"""What a baseline's config.toml holds.

One table a configuration, ablations to lay over it, and the recipe of training.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fhpt_bench.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

Table = TypeVar("Table", bound=BaseModel)
Batch: TypeAlias = "Mapping[str, Tensor]"
"""What ``TrainingPairs.batch`` gives a step."""
Update: TypeAlias = Callable[..., None]
"""``update(loss, *names)``: one step of the named optimisers down the gradient of ``loss``."""


class Phase(BaseModel):
    """A stretch of training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: float = Field(gt=0, le=1)
    """Ends at this fraction of the samples or of the budget."""
    kind: str
    """Given to the baseline's ``step``: which losses and networks take part."""
    scale: float = Field(default=1.0, gt=0, le=1)
    """Size of the images, 1 being the full one."""


class Recipe(BaseModel):
    """Table ``training``: optimiser, schedule and phases.

    Everything is a fraction, so that any budget runs the whole plan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optimizer: Literal["adam", "radam"]
    lr: float = Field(gt=0)
    betas: tuple[float, float]
    weight_decay: float = Field(ge=0)
    constant: float = Field(ge=0, le=1)
    """The learning rate stays as it is up to this fraction, then falls linearly to 0."""
    warm: float = Field(default=0.0, ge=0, le=1)
    """Each phase begins at rate 0 and reaches its own after this fraction of the whole: Adam knows only the gradients
    of the phase before, and its first steps at another size or with another loss may be far too long."""
    samples: int = Field(gt=0)
    """Length of training where the caller names neither samples nor budget."""
    batch: int = Field(gt=0)
    """Samples a step, over all processes together."""
    hue: float = Field(default=0.0, ge=0, le=1)
    """Probability that the colours of a pair are turned about the grey axis, both images alike."""
    clip: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient of one optimiser's parameters; longer ones are shortened. None: as they are."""
    phases: tuple[Phase, ...] = Field(min_length=1)

    @field_validator("phases")
    @classmethod
    def _in_order(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        ends = [phase.until for phase in phases]
        if ends != sorted(set(ends)) or ends[-1] != 1:
            raise ValueError("phases must end at growing fractions, the last at 1.0")
        return phases

    def rate(self, progress: float) -> float:
        """Learning rate at ``progress`` in 0..1."""
        started = max((phase.until for phase in self.phases[:-1] if phase.until <= progress), default=0.0)
        top = self.lr * (min(1.0, (progress - started) / self.warm) if self.warm else 1.0)
        if progress <= self.constant:
            return top
        return top * max(0.0, 1 - progress) / (1 - self.constant)

    def phase(self, progress: float) -> Phase:
        """The phase that holds at ``progress``."""
        return next((phase for phase in self.phases if progress < phase.until), self.phases[-1])

    def optimizer_of(self, *modules: nn.Module) -> Optimizer:
        """One optimiser over the parameters of ``modules``."""
        from torch import optim

        kinds: dict[str, type[optim.Adam | optim.RAdam]] = {"adam": optim.Adam, "radam": optim.RAdam}
        parameters = [parameter for module in modules for parameter in module.parameters()]
        return kinds[self.optimizer](parameters, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay)


def read(folder: Path, name: str) -> dict[str, Any]:
    """Configuration ``name`` of the baseline in ``folder``.

    ``small``, or ``small+end2end`` for one with ablations laid over it. A configuration that ``extends`` another holds
    only what is its own: a stage of training.
    """
    path = folder / "config.toml"
    tables = _tables(path)
    tables.pop("stages", None)
    ablations = tables.pop("ablations", {})
    first, *over = name.split("+")
    config = _whole(tables, first, path)
    for ablation in over:
        config = _laid_over(config, _pick(ablations, ablation, "ablation", path))
    return config


def _whole(tables: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """A configuration with all that it extends."""
    chain: list[dict[str, Any]] = []
    for _ in tables:  # none needs to extend more than all the others
        chain.append(_pick(tables, name, "configuration", path))
        if "extends" not in chain[-1]:
            break
        name = chain[-1].pop("extends")
    else:
        raise BenchError(f"configurations extend each other in a circle: {name!r}", where=path, fix="name the first")
    config = chain.pop()
    for each in reversed(chain):
        config = _laid_over(config, each)
    return config


def _laid_over(config: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the keys of ``tables`` in place of its own, table by table."""
    return {**config, **{table: {**config.get(table, {}), **values} for table, values in tables.items()}}


def staged(folder: Path) -> list[str]:
    """Names that the table ``stages`` lists stages for."""
    return list(_tables(folder / "config.toml").get("stages", {}))


def stages(folder: Path, name: str) -> list[str]:
    """The configurations that ``name`` is trained in, in their order: itself, unless the table ``stages`` lists others.

    ``small+wide`` has the stages listed under that name, or those of ``small`` with ``wide`` laid over each.
    """
    listed: dict[str, list[str]] = _tables(folder / "config.toml").get("stages", {})
    first, plus, over = name.partition("+")
    if name in listed:
        return listed[name]
    return [stage + plus + over for stage in listed.get(first, [first])]


def earlier(config: Mapping[str, Any], stage: str) -> Path:
    """Weights (safetensors) that an earlier stage left, as ``train`` names them in ``config``; a BenchError without."""
    given = config.get("earlier", {})
    if stage not in given:
        raise BenchError(
            f"this stage goes on from the weights of {stage!r}, and has none",
            fix=f"train all stages in turn (the configuration without its suffix), or --earlier {stage}=PATH",
        )
    return Path(given[stage])


def parse(kind: type[Table], config: Mapping[str, Any], table: str) -> Table:
    """Table ``table`` of a configuration as a ``kind``; a BenchError that names every wrong key."""
    if table not in config:
        raise BenchError(
            f"the configuration has no table {table!r}", where="config.toml", fix=f"it has {', '.join(config)}"
        )
    try:
        return kind.model_validate(config[table])
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BenchError(f"wrong values: {wrong}", where=f"config.toml, table {table}", fix="correct them") from error


def seconds(budget: str) -> float:
    """``"90m"``, ``"2h"``, ``"1200s"`` -> seconds."""
    try:
        value = float(budget[:-1]) * {"s": 1, "m": 60, "h": 3600}[budget[-1:]]
    except (KeyError, ValueError):
        value = 0.0
    if not 0 < value < float("inf"):
        raise BenchError(f"not a budget: {budget!r}", fix="write a number and s, m or h, such as 90m")
    return value


def _tables(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BenchError("a baseline needs a config.toml", where=path.parent, fix="name a folder such as baselines/drn")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"not valid TOML: {error}", where=path, fix="mend the file") from error


def _pick(tables: Mapping[str, Any], name: str, kind: str, path: Path) -> dict[str, Any]:
    if name not in tables:
        near = difflib.get_close_matches(name, tables, n=2) or sorted(tables)
        raise BenchError(f"no {kind} is called {name!r}", where=path, fix=f"did you mean {' or '.join(near)}?")
    return dict(tables[name])
