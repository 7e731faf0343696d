"""DRN, the detail-replenishing network for pose transfer. README.md is its model card."""

from fhpt_bench.baselines.drn.generator import DRNGenerator
from fhpt_bench.baselines.drn.training import build

generator = DRNGenerator
"""What ``--model drn`` calls."""

__all__ = ["build", "generator"]
