"""DSC, deformable skip connections for pose transfer. README.md is its model card."""

from fhpt_bench.baselines.dsc.generator import DSCGenerator
from fhpt_bench.baselines.dsc.training import build

generator = DSCGenerator
"""What ``--model dsc`` calls."""

__all__ = ["build", "generator"]
