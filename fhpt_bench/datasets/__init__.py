"""The data sets."""

from __future__ import annotations

from pathlib import Path

from fhpt_bench import registry
from fhpt_bench.types import Dataset


def load(name: str, split: str) -> Dataset:
    """A data set by name, or the folder that `fhpt-bench data render` wrote; BenchError where there is neither."""
    if (Path(name) / "manifest.json").is_file():
        from fhpt_bench.datasets.catwalk import Catwalk

        rendered: Dataset = Catwalk(split, root=Path(name))
        return rendered
    found: Dataset = registry.find("datasets", name)(split)
    return found
