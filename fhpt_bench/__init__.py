"""fhpt-bench: the measuring stick of human pose transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["BenchError", "compare", "run", "score"]

if TYPE_CHECKING:
    from fhpt_bench.api import compare, run, score
    from fhpt_bench.errors import BenchError


def __getattr__(name: str) -> Any:
    # Lazy: `import fhpt_bench` (and so `fhpt-bench --help`) must not import torch.
    if name == "BenchError":
        from fhpt_bench.errors import BenchError

        return BenchError
    if name in __all__:
        from fhpt_bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'fhpt_bench' has no attribute {name!r}")
