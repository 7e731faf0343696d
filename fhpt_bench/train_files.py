"""The folder of a training run: snapshots, log, sample grids. Only the first process writes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from fhpt_bench.errors import BenchError
from fhpt_bench.paths import atomic, write_json
from fhpt_bench.train_data import TrainingPairs

GRID_ROWS = 6
"""Validation pairs shown in a grid."""


class RunFolder:
    """``out`` of one training run, which owns it: another model, data set or seed is refused."""

    def __init__(self, out: Path, identity: Mapping[str, Any], *, writes: bool) -> None:
        self.out, self.writes = Path(out), writes
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))  # as it will read back: tuples are lists
        self._board: Any = None

    @property
    def snapshots(self) -> list[Path]:
        """Whole snapshots, oldest first. A folder gets its name only once everything is in it."""
        return sorted(p for p in (self.out / "snapshots").glob("[0-9]*") if (p / "state.json").is_file())

    def fresh(self) -> tuple[int, float]:
        """Begin anew; refuses a folder that already holds a run."""
        if self.snapshots:
            raise BenchError(
                "this folder holds a training run", where=self.out, fix="choose another --out, or resume it"
            )
        self._cut_log(0)
        return 0, 0.0

    def resume(self, model: nn.Module, optimizers: Mapping[str, Any], device: torch.device) -> tuple[int, float]:
        """Load the latest snapshot into model and optimisers; returns samples seen and seconds spent.

        No snapshot: 0, 0.
        """
        if not self.snapshots:
            return self.fresh()
        latest = self.snapshots[-1]
        state = json.loads((latest / "state.json").read_text("utf-8"))
        # A run may be given more time or samples; everything else makes it another run.
        changed = [k for k, v in state["identity"].items() if k not in ("budget", "samples") and self.identity[k] != v]
        if changed:
            raise BenchError(
                f"another run lives here: its {' and '.join(changed)} differ",
                where=self.out,
                fix="choose another --out",
            )
        load_model(model, latest / "model.safetensors")
        try:
            kept = torch.load(latest / "optimisers.pt", map_location=device, weights_only=True)
            for name, optimizer in optimizers.items():
                optimizer.load_state_dict(kept[name])
        except Exception as error:  # torch.load raises whatever the damage makes it raise
            raise BenchError(
                f"the optimiser state cannot be read: {error}",
                where=latest / "optimisers.pt",
                fix="delete this snapshot's folder to go on from the one before",
            ) from error
        self._cut_log(state["seen"])
        return state["seen"], state["elapsed"]

    def log(self, seen: int, values: Mapping[str, float]) -> None:
        """Append a line to ``log.jsonl`` and to TensorBoard; a BenchError where a value is not finite."""
        if bad := [name for name, value in values.items() if not np.isfinite(value)]:
            raise BenchError(
                f"training has diverged: {bad[0]} is not finite after {seen} samples",
                where=self.out,
                fix="lower the learning rate, start again from a snapshot",
            )
        if not self.writes:
            return
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seen": seen, **values}) + "\n")
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.out / "tensorboard"), purge_step=seen)
        for name, value in values.items():
            self._board.add_scalar(name, value, seen)

    def snapshot(
        self,
        model: Any,
        optimizers: Mapping[str, Any],
        validation: TrainingPairs,
        fabric: Fabric,
        *,
        seen: int,
        elapsed: float,
    ) -> None:
        """Validate, write a snapshot whole or not at all, draw a grid.

        Remove all snapshots but the best and the latest.
        """
        if not self.writes:
            return
        distance = validate(model, validation, fabric)
        self.log(seen, {"validation": distance})
        state = {"identity": self.identity, "seen": seen, "elapsed": elapsed, "validation": distance}
        home = self.out / "snapshots"
        part, whole = home / f".{seen:09d}.part", home / f"{seen:09d}"
        for old in (part, whole):  # the same place of an earlier, longer run
            shutil.rmtree(old, ignore_errors=True)
        part.mkdir(parents=True)
        with atomic(part / "model.safetensors") as file:
            file.write(save_bytes({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}))
        with atomic(part / "optimisers.pt") as file:
            torch.save({name: optimizer.state_dict() for name, optimizer in optimizers.items()}, file)
        write_json(part / "state.json", state)
        os.replace(part, whole)
        best = self.best()
        for old in self.snapshots:
            if old not in (best, whole):
                shutil.rmtree(old)
        draw_grid(model, validation, fabric, self.out / "grids" / f"{seen:09d}.png")
        print(
            f"{seen} samples, {elapsed / 60:.1f} min: validation {distance:.4f}, best {best.name}",
            file=sys.stderr,
            flush=True,
        )

    def best(self) -> Path:
        """Folder of the snapshot with the least validation distance; the later one of equals."""
        if not self.snapshots:
            raise BenchError("this run has no snapshot yet", where=self.out, fix="train longer")
        distance = {p: json.loads((p / "state.json").read_text("utf-8"))["validation"] for p in self.snapshots}
        return min(reversed(self.snapshots), key=distance.__getitem__)

    def _cut_log(self, seen: int) -> None:
        """Drop what was logged after the snapshot that training goes on from."""
        if not self.writes:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / "log.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        kept = []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # the line that a kill cut short
                continue
            if entry["seen"] < seen or ("validation" in entry and entry["seen"] == seen):
                kept.append(line)
        with atomic(path, "w") as file:
            file.write("".join(line + "\n" for line in kept))


def load_model(model: nn.Module, path: Path) -> None:
    """Fill ``model`` from a snapshot's safetensors; a BenchError where it is damaged or of another network."""
    try:
        model.load_state_dict(load_bytes(path.read_bytes()))
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise BenchError(
            f"this snapshot cannot be loaded: {str(error).splitlines()[0]}",
            where=path,
            fix="delete its folder to go on from the one before",
        ) from error


@torch.no_grad()
def validate(model: Any, pairs: TrainingPairs, fabric: Fabric, batch: int = 8) -> float:
    """Mean of ``model.validate`` over all validation pairs, at full size."""
    distances = []
    for first in range(0, len(pairs), batch):
        part = pairs.batch(range(first, min(first + batch, len(pairs))))
        with fabric.autocast():
            distances.append(model.validate({k: v.to(fabric.device) for k, v in part.items()}).float().cpu())
    return float(torch.cat(distances).mean())


@torch.no_grad()
def draw_grid(model: Any, pairs: TrainingPairs, fabric: Fabric, path: Path) -> None:
    """PNG with a row a pair, spread over the validation people.

    Source, pose, truth, then what ``model.sample`` gives.
    """
    chosen = np.linspace(0, len(pairs) - 1, min(GRID_ROWS, len(pairs))).astype(int).tolist()
    batch = pairs.batch(chosen)
    with fabric.autocast():
        made = model.sample({k: v.to(fabric.device) for k, v in batch.items()})
    columns = [batch["source"], draw_points(batch["target_points"], pairs.size), batch["target"], *made.values()]
    strips = torch.cat([column.float().cpu().clamp(-1, 1) for column in columns], 3)
    sheet = torch.cat(list(strips), 1).permute(1, 2, 0).add(1).mul(127.5).round().to(torch.uint8).numpy()
    with atomic(path) as file:
        PIL.Image.fromarray(sheet).save(file, format="PNG")


def draw_points(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Body points N x K x 2 as white dots on black: N x 3 x H x W in [-1, 1]."""
    rows, columns = (torch.arange(n, dtype=torch.float32) for n in size)
    near = (rows - points[..., 1:].cpu()).square()[..., :, None] + (columns - points[..., :1].cpu()).square()[
        ..., None, :
    ]
    dots = (near < (size[0] / 100) ** 2).any(1)  # NaN compares false
    return dots[:, None].expand(-1, 3, -1, -1).float() * 2 - 1
