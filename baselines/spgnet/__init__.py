"""SPGNet: the target's parsing first, then a style for each of its regions. README.md is its model card."""

from fhpt_bench.baselines.spgnet.generator import SPGNetGenerator
from fhpt_bench.baselines.spgnet.training import build

generator = SPGNetGenerator
"""What ``--model spgnet`` calls."""

__all__ = ["build", "generator"]
