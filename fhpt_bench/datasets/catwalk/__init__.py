"""Catwalk, the embedded data set: rendered people, exact ground truth. See ``docs/catwalk.md``."""

from fhpt_bench.datasets.catwalk.dataset import Catwalk
from fhpt_bench.datasets.catwalk.warp import exact_warp

__all__ = ["Catwalk", "exact_warp"]
