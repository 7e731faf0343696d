"""The baselines: this package's path is the shipped folder ``baselines/`` and ``$FHPT_BENCH_BASELINES``."""

import os

from fhpt_bench.paths import shipped

__path__ = [str(shipped("baselines"))]
if os.environ.get("FHPT_BENCH_BASELINES"):
    __path__.append(os.environ["FHPT_BENCH_BASELINES"])
