"""DRN: region-adaptive texture enhancement / detail replenishing network for pose transfer. See README.md, the model card."""

from fhpt_bench.baselines.drn.generator import DRNGenerator as generator
from fhpt_bench.baselines.drn.training import build

__all__ = ["build", "generator"]
