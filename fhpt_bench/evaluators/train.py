"""``fhpt-bench train protocols/evaluators/<name>``: from training people to one small file of weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fhpt_bench import datasets, paths, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators import Found, installed, note_of
from fhpt_bench.evaluators import config as configs
from fhpt_bench.evaluators.accuracy import measure
from fhpt_bench.evaluators.config import Config
from fhpt_bench.evaluators.heads import Heads
from fhpt_bench.evaluators.network import build
from fhpt_bench.evaluators.samples import Samples, fresh, stored
from fhpt_bench.harness.job import pick_device
from fhpt_bench.harness.models import slug
from fhpt_bench.progress import progress
from fhpt_bench.types import Photo

WARM_UP = 50
"""Steps over which the learning rate rises (a tenth of all, if that is less)."""
STANDARDISED = 128
"""About so many photographs give each channel's mean and deviation."""


def train(
    name: str,
    *,
    config: str = "small",
    data: str = "catwalk",
    out: Path | None = None,
    device: str = "auto",
    seed: int = 0,
    show: bool | None = None,
) -> Found:
    """Train the evaluator ``name`` on the training people of ``data`` (a name or a folder), measure it on validation.

    ``out`` receives ``weights-<data>.safetensors`` (float16) and ``accuracy-<data>.json``; without it they are
    installed where ``evaluators.find`` looks (``paths.cache()/evaluators``). The same seed gives the same file on one
    machine. What the trunk gives for each photograph is kept, so that a run that was stopped goes on. Raises BenchError
    for a label that the data set does not have.
    """
    settings, device = configs.read(name, config), pick_device(device)
    training, validation = datasets.load(data, "train"), datasets.load(data, "val")
    labels, targets = _targets(training.photos(), settings.groups, training.name)
    trunk, copies = settings.task.trunk, settings.training.copies
    keeps = settings.training.store
    inputs = stored(training, trunk, copies, device, show) if keeps else fresh(training, trunk, device)
    network = _fit(settings, inputs, targets, labels, device, seed, show)
    about = {
        "name": name, "data": training.name, "data_sha256": training.sha256, "config": config, "seed": seed,
        "settings": settings.model_dump(mode="json"), "labels": [] if settings.task.kind == "retrieve" else labels,
        "trunk_digest": "" if trunk == "none" else weights.digest(trunk),
        "grid": list(inputs.inputs([0]).shape[2:]),
    }  # fmt: skip
    path = out / f"weights-{slug(training.name)}.safetensors" if out else installed(name, training.name)
    found = Found(name, training.name, path, _write(path, network, about))
    if out is None:
        paths.write_json(note_of(name, training.name), {"sha256": found.sha256})
    held_out = [score.model_dump(mode="json", exclude_none=True) for score in measure(found, validation, device, show)]
    paths.write_json(found.accuracy, {**about, "sha256": found.sha256, "val": held_out})
    return found


def _targets(photos: Sequence[Photo], groups: Sequence[str], data: str) -> tuple[list[tuple[str, str]], Tensor]:
    """(group, value) of every output, and each photograph's value in each group: N x groups, place within the group."""
    labels, columns = [], []
    for group in groups:
        lacking = next((photo.id for photo in photos if not photo.labels.get(group)), None)
        if lacking is not None:
            raise BenchError(
                f"{data} has no label {group!r} for every training photograph", where=lacking,
                fix="name labels that it has in config.toml, table network, heads",
            )  # fmt: skip
        values = sorted({photo.labels[group] for photo in photos})
        labels += [(group, value) for value in values]
        columns.append([values.index(photo.labels[group]) for photo in photos])
    return labels, torch.tensor(columns).T.contiguous()


def _fit(
    settings: Config, inputs: Samples, targets: Tensor, labels: Sequence[tuple[str, str]], device: str, seed: int,
    show: bool | None,
) -> nn.Module:  # fmt: skip
    """Train the network of ``settings`` from scratch: AdamW on cross entropy."""
    recipe = settings.training
    torch.manual_seed(seed)
    first = inputs.inputs([0])
    network = build(settings, (first.shape[2], first.shape[3]), labels)
    if isinstance(network, Heads):
        network.standardise(inputs.inputs(range(0, len(inputs), max(1, len(inputs) // STANDARDISED))))
    network.to(device).train()
    loss = _Loss(settings, labels).to(device)
    optimizer = torch.optim.AdamW([*network.parameters(), *loss.parameters()], weight_decay=recipe.weight_decay)
    rng = np.random.default_rng(seed)
    steps = max(1, recipe.epochs * len(inputs) // recipe.batch)
    warm_up = min(WARM_UP, steps // 10 + 1)
    draws = _draws(targets[:, 0].numpy(), recipe.batch, recipe.balanced, rng)
    with progress("training", steps, unit="steps", show=show) as advance:
        for step in range(steps):
            indices, copy = next(draws), int(rng.integers(recipe.copies + 1))
            rate = recipe.lr * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + np.cos(np.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = rate
            raw = network(inputs.inputs(indices, copy).to(device))
            optimizer.zero_grad()
            loss(raw, targets[indices].to(device)).backward()
            optimizer.step()
            advance(1)
    return network.eval()


class _Loss(nn.Module):
    """Cross entropy of every label group, or of the cosines to one learnt proxy an item.

    The second: Movshovitz-Attias et al., No Fuss Distance Metric Learning using Proxies, ICCV 2017, in the form of Zhai
    and Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019. Proxies are dropped afterwards.
    """

    def __init__(self, settings: Config, labels: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.settings, groups = settings, [group for group, _ in labels]
        self.sizes = [groups.count(group) for group in dict.fromkeys(groups)]
        if settings.task.kind == "retrieve":
            self.proxies = nn.Parameter(torch.randn(len(labels), settings.network.embedding))

    def forward(self, raw: Tensor, targets: Tensor) -> Tensor:
        recipe = self.settings.training
        if self.settings.task.kind == "retrieve":
            raw = recipe.scale * F.normalize(raw, dim=1) @ F.normalize(self.proxies, dim=1).T
        parts = torch.split(raw, self.sizes, 1)
        losses = [
            F.cross_entropy(part, targets[:, place], label_smoothing=recipe.smoothing)
            for place, part in enumerate(parts)
        ]
        return torch.stack(losses).sum()


def _draws(values: NDArray[np.int64], batch: int, balanced: bool, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches without end: epoch after epoch in a new order, or each value as likely as any other."""
    if balanced:
        chance = 1.0 / np.bincount(values)[values]
        while True:
            yield sorted(rng.choice(len(values), batch, p=chance / chance.sum()).tolist())
    while True:
        order = rng.permutation(len(values))
        for start in range(0, max(1, len(order) - batch + 1), batch):
            yield sorted(order[start : start + batch].tolist())


def _write(path: Path, network: nn.Module, about: dict[str, Any]) -> str:
    """float16 safetensors with ``about`` in its header, whole or not at all; returns the sha256."""
    from safetensors.torch import save

    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    tensors = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    content = save(tensors, {"evaluator": json.dumps(about, sort_keys=True)})
    with paths.atomic(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()
