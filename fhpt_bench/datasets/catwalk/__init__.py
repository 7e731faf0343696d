"""Catwalk, the embedded data set: rendered people, exact ground truth. See ``docs/catwalk.md``."""

from fhpt_bench.datasets.catwalk.dataset import Catwalk

__all__ = ["Catwalk"]
