"""From a training snapshot to one file that ``--model`` takes: the generator's weights, which say what they are of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fhpt_bench import datasets, registry, train_config
from fhpt_bench.errors import BenchError
from fhpt_bench.importing import imported

_TRAINING = ("training", "losses", "judge", "judges", "starts")


class _Identity(BaseModel):
    model_config = ConfigDict(extra="ignore")

    baseline: str
    config: str
    settings: dict[str, Any]
    data: str


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore")

    identity: _Identity
    seen: int


@dataclass(frozen=True)
class Exported:
    """What ``export`` wrote."""

    path: Path
    name: str
    """Of the model in records."""
    sha256: str


def export(snapshot: Path, out: Path | None = None, name: str = "") -> Exported:
    """Write the generator of a snapshot as ``out`` (default: ``NAME.safetensors`` here), in float32, as it was trained.

    ``snapshot``: the folder that ``train`` prints. ``name``: of the model in records, by default baseline,
    configuration and samples. BenchError where the snapshot is of an earlier stage, whose network paints nothing yet,
    where config.toml has changed since, or where another file is there already.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    state = _state(snapshot)
    identity = state.identity
    folder = registry.baseline(identity.baseline)
    if folder is None:
        raise BenchError(f"no baseline {identity.baseline!r} here", where=snapshot, fix="FHPT_BENCH_BASELINES=<parent>")
    if _network(json.loads(json.dumps(train_config.read(folder, identity.config)))) != _network(identity.settings):
        raise BenchError(
            f"the network of configuration {identity.config} of {folder.name} has changed since",
            where=snapshot,
            fix="restore its config.toml, or train again",
        )
    if later := _goes_on(folder, identity.config):
        raise BenchError(
            f"{identity.config} paints nothing yet: {later} goes on from it", where=snapshot, fix=f"export {later}'s"
        )
    path = snapshot / "model.safetensors"
    try:
        weights = load(path.read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise BenchError(f"this snapshot cannot be loaded: {error}", where=path, fix="export another one") from error
    part = "network."  # as every baseline's trainable calls what ships
    found = {key.removeprefix(part): value for key, value in weights.items() if key.startswith(part)}
    if not found:
        raise BenchError(f"nothing in this snapshot is called {part}", where=path, fix="name what ships `network`")
    name = name or f"{registry.model_name(folder)}-{identity.config}-{state.seen}"
    about = imported.About(
        name=name, baseline=folder.name, config=identity.config,
        originals=(imported.Original(file=path.name, sha256=imported.sha256(path), part="network"),),
        trained_on=_data(identity), samples=state.seen,
    )  # fmt: skip
    to = out or Path(f"{name.replace('/', '-')}.safetensors")
    return Exported(to, name, imported.write(to, found, about))


def _network(settings: dict[str, Any]) -> dict[str, Any]:
    """What the network is made of: how it was trained may have changed."""
    return {table: value for table, value in settings.items() if table not in _TRAINING}


def _state(snapshot: Path) -> _State:
    try:
        return _State.model_validate_json((snapshot / "state.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise BenchError(
            "no snapshot here", where=snapshot, fix="name the folder that `fhpt-bench train` printed"
        ) from error


def _goes_on(folder: Path, config: str) -> str:
    """The later stage that goes on from the weights of ``config``; empty where there is none."""
    stage, plus, over = config.partition("+")
    for name in train_config.staged(folder):
        chain = train_config.stages(folder, name.partition("+")[0] + plus + over)
        for later in chain[chain.index(config) + 1 :] if config in chain else ():
            if f'"{stage}"' in json.dumps(train_config.read(folder, later)):
                return later
    return ""


def _data(identity: _Identity) -> str:
    size = identity.settings.get("model", {}).get("size")
    catwalk = datasets.load("catwalk", "train", size=tuple(size) if size else None)
    return "catwalk/train" if catwalk.sha256 == identity.data else f"the data of sha256 {identity.data[:12]}"
