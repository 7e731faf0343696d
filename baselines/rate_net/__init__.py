"""RATE-Net: region-adaptive texture enhancement for pose transfer. README.md is its model card."""

from fhpt_bench.baselines.rate_net.generator import Coarse, RATEGenerator
from fhpt_bench.baselines.rate_net.training import build

generator = RATEGenerator
"""What ``--model rate-net`` calls."""

__all__ = ["Coarse", "build", "generator"]
