"""SPGNet: the target's parsing first, then a style for each of its regions. README.md is its model card."""

from fhpt_bench.baselines.spgnet.training import build

__all__ = ["build"]
