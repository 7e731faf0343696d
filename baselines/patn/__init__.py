"""PATN, progressive pose attention transfer. README.md is its model card."""

from fhpt_bench.baselines.patn.generator import PATNGenerator
from fhpt_bench.baselines.patn.training import build

generator = PATNGenerator
"""What ``--model patn`` calls."""

__all__ = ["build", "generator"]
