"""A trained evaluator, ready to be applied to images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators import Found, read
from fhpt_bench.evaluators.cells import cells
from fhpt_bench.evaluators.config import Config
from fhpt_bench.evaluators.heads import REDUCTION, FromPixels, Heads, PartsHead
from fhpt_bench.evaluators.trunks import TRUNKS, Trunk, refuse_other, trunk
from fhpt_bench.features import exact

Labels = Sequence[tuple[str, str]]


def build(settings: Config, grid: tuple[int, int], labels: Labels) -> Heads | FromPixels:
    """The network that is trained, untrained: inputs of ``samples.Samples`` -> N x outputs, raw.

    ``grid``: height and width of those inputs.
    """
    task, shapes, dropout = settings.task, settings.network.heads, settings.training.dropout
    outputs = [sum(group in shape.groups for group, _ in labels) for shape in shapes]
    if task.kind == "retrieve":
        outputs = [settings.network.embedding]
    if task.trunk == "none":
        coarse = ceil(grid[0] / REDUCTION), ceil(grid[1] / REDUCTION)
        return FromPixels(coarse, shapes[0], outputs[0], dropout)
    return Heads(
        [
            PartsHead(_channels(task.trunk, shape.layers), grid, shape, count, dropout)
            for shape, count in zip(shapes, outputs, strict=True)
        ]
    )


def _channels(trunk_name: str, layers: Sequence[int]) -> list[slice]:
    """Where the layers, counted from 1, stand in the trunk's cells; all of them for none named."""
    ends = list(accumulate(TRUNKS[trunk_name].layers, initial=0))
    return [slice(ends[layer - 1], ends[layer]) for layer in layers or range(1, len(ends))]


def finish(raw: Tensor, settings: Config, labels: Labels) -> Tensor:
    """Raw outputs -> what the feature gives: the positive label's probability (N x 1); log-probabilities, softmax'ed
    within each label group (N x labels); or an embedding of length 1 (N x D)."""
    task = settings.task
    if task.kind == "retrieve":
        return F.normalize(raw, dim=1)
    sizes = [len(list(group)) for _, group in groupby(labels, key=lambda label: label[0])]
    found = torch.cat([part.log_softmax(1) for part in torch.split(raw, sizes, 1)], 1)
    if task.positive:
        place = [value for _, value in labels].index(task.positive)
        return found[:, place : place + 1].exp()
    return found


class Evaluator:
    """One trained evaluator. Raises BenchError where its file, or the trunk that it was trained on, cannot be had."""

    def __init__(self, found: Found, device: str = "cpu") -> None:
        tensors, about = read(found)
        self.found, self.device = found, device
        self.settings = Config.model_validate(about["settings"])
        self.labels: tuple[tuple[str, str], ...] = tuple((group, value) for group, value in about["labels"])
        self.digest = str(about["trunk_digest"])
        if self.settings.task.trunk != "none":
            refuse_other(self.settings.task.trunk, self.digest, found.path)
        rows, columns = about["grid"]
        self.network = build(self.settings, (rows, columns), self.labels)
        try:
            self.network.load_state_dict(tensors)
        except RuntimeError as error:
            fix = f"fhpt-bench train protocols/evaluators/{found.name} --data {found.data}"
            raise BenchError("these weights are of another network", where=found.path, fix=fix) from error
        self.network.eval().requires_grad_(False).to(device)
        self._trunk: Trunk | None = None

    def extract(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """N x H x W x 3 uint8 -> N x D float32, through the trunk (or from the pixels)."""
        name = self.settings.task.trunk
        if name == "none":
            return self._outputs(torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32, order="C")))
        if self._trunk is None:
            self._trunk = trunk(name, self.device)
        return self._outputs(self._trunk.cells(images))

    def reduce(self, taps: Sequence[Tensor]) -> NDArray[np.float32]:
        """The same from the trunk's taps, where another metric has them already."""
        with exact():
            return self._outputs(cells(taps))

    def _outputs(self, inputs: Tensor) -> NDArray[np.float32]:
        with exact():
            # One at a time: kernels round differently at other batch sizes, and no number may depend on the batch.
            raw = torch.cat([self.network(inputs[i : i + 1].to(self.device)) for i in range(len(inputs))])
            found: NDArray[np.float32] = finish(raw, self.settings, self.labels).float().cpu().numpy()
        return found
