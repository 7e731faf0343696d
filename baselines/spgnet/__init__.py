"""SPGNet, semantic person image generation: parsing first, then a style for each region. README.md is its model card."""

from fhpt_bench.baselines.spgnet.training import build

__all__ = ["build"]
