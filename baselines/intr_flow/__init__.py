"""Intr-Flow: dense intrinsic appearance flow. README.md is its model card."""

from fhpt_bench.baselines.intr_flow.generator import IntrFlowGenerator
from fhpt_bench.baselines.intr_flow.training import build

generator = IntrFlowGenerator
"""What ``--model intr-flow`` calls."""

__all__ = ["build", "generator"]
