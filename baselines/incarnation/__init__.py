"""The Incarnation network for pose transfer (patch generation and patch transfer). README.md is its model card."""

from fhpt_bench.baselines.incarnation.generator import IncarnationGenerator
from fhpt_bench.baselines.incarnation.training import build

generator = IncarnationGenerator
"""What ``--model incarnation`` calls."""

__all__ = ["build", "generator"]
