"""DRN, the detail-replenishing network for pose transfer. README.md is its model card."""

from fhpt_bench.baselines.drn.generator import DRNCoarse, DRNGenerator, DRNNoFace
from fhpt_bench.baselines.drn.training import build

generator = DRNGenerator
"""What ``--model drn`` calls."""

__all__ = ["DRNCoarse", "DRNGenerator", "DRNNoFace", "build", "generator"]
