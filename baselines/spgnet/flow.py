"""The flow that stage 2 warps by: Intr-Flow's flow network, trained before and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from fhpt_bench.baselines import intr_flow
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.flow_net import Flow, FlowNet, FlowShape
from fhpt_bench.baselines._parts.fold import poses
from fhpt_bench.baselines.intr_flow.model import Shape
from fhpt_bench.train_config import parse, read

FOLDER = Path(intr_flow.__file__).resolve().parent


class FlowTable(BaseModel):
    """Table ``flow`` of config.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: str
    """Intr-Flow's configuration whose flow network, and heatmaps, these are."""
    stage: str
    """Stage of Intr-Flow's training whose weights are used where training is told of them (``--earlier``); else those
    that ship. ``random``: untrained ones, always the same, for tests."""


class FrozenFlow:
    """Both poses -> where each place of the target lies in the source, and whether it shows there.

    No torch module, on purpose: its weights are Intr-Flow's, no part of SPGNet's state. Raises BenchError where there
    are none, or the file is not the one that Intr-Flow's config.toml names.
    """

    def __init__(self, table: FlowTable, earlier: Mapping[str, str] | None = None) -> None:
        settings: dict[str, Any] = read(FOLDER, table.config)
        self.shape = parse(Shape, settings, "model")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            flow = parse(FlowShape, settings, "flow")
            self.net, self.halvings = FlowNet(flow), flow.halvings
            # Untrained, one state would be the likeliest everywhere; without this bias each of the three is somewhere.
            nn.init.zeros_(self.net.net.visibility[-1].bias)
        self.origin = "untrained, for tests"
        """Where the weights are from, for a card."""
        if table.stage in (earlier or {}):
            self.origin = (earlier or {})[table.stage]
            shipped.take(self.net, Path(self.origin), "network.flow.")
        elif table.stage != "random":
            card = read(FOLDER, "shipped")
            shipped.load(self.net, FOLDER / card["flow"], card["flow_sha256"])
            self.origin = f"Intr-Flow's {card['flow']}, sha256 {card['flow_sha256']}"
        self.net.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def predict(
        self, source_points: Tensor, target_points: Tensor, height: int, full_height: int, folded: tuple[int, int]
    ) -> Flow:
        """Points N x 18 x 2 in an image of ``height`` -> flow of ``folded`` size.

        ``full_height``: of the images whose heatmaps have the radius of Intr-Flow's configuration.
        """
        if next(self.net.parameters()).device != source_points.device:
            self.net.to(source_points.device)
        points = torch.cat([source_points, target_points], 1)
        flow: Flow = self.net.predict(poses(points, height, folded, full_height, self.shape.sigma, self.shape.heatmap))
        return flow
