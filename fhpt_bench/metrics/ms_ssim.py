"""MS-SSIM: SSIM over five scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench.errors import BenchError
from fhpt_bench.intervals import mean_score
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.metrics.ssim import Constants, Floats, Window, ssim_terms
from fhpt_bench.types import Batch, Context, Need, Rows, Score

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang et al. 2003)."""
WINDOW = Window("gauss1.5")
MIRRORED = Constants(mode="mirror")


@dataclass(frozen=True)
class MSSSIM:
    """Multi-scale structural similarity, 0..1, 1 where the images are the same (Wang, Simoncelli and Bovik 2003).

    The numbers are torchmetrics' ``multiscale_structural_similarity_index_measure`` at its defaults (Gaussian 1.5, 2 x
    2 mean between scales, negative terms raised to 0) with data_range 255, on float64 images; on float32 its rounding
    costs it up to 5e-5 where a background is white. The scales have no common map, so there are no regions. Rows:
    [whole].
    """

    name: str
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to both images first."""

    needs: ClassVar[Sequence[Need]] = ()
    columns: ClassVar[int] = 1
    better: ClassVar[Literal["higher"]] = "higher"

    def __post_init__(self) -> None:
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))

    def measure(self, batch: Batch) -> Rows:
        """N x 1 float32. BenchError where a side has fewer than 176 px: the coarsest scale would be smaller than the
        window."""
        prepare = Prepare.of(self.prepare)
        generated, target = prepare.images(batch.generated), prepare.images(batch.target)
        pairs = zip(generated, target, strict=True)
        return np.array([[ms_ssim(g, t)] for g, t in pairs], np.float32).reshape(-1, 1)

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score."""
        return [mean_score(self.name, rows[:, 0], context, self.better)]


def ms_ssim(prediction: NDArray[np.uint8], target: NDArray[np.uint8]) -> float:
    """MS-SSIM of one pair, each H x W x C, values 0..255; 176 px or more on each side, else a BenchError."""
    scales = 2 ** (len(WEIGHTS) - 1)
    if min(prediction.shape[:2]) // scales < WINDOW.width:
        raise BenchError(
            f"MS-SSIM needs {WINDOW.width * scales} px or more on each side, the images are {prediction.shape[:2]}",
            fix="leave ms-ssim out of the protocol for images of this size",
        )
    x, y = (np.ascontiguousarray(image.transpose(2, 0, 1), np.float64) for image in (prediction, target))
    product = 1.0
    for scale, weight in enumerate(WEIGHTS, 1):
        last = scale == len(WEIGHTS)
        term = np.mean([_term(*planes, last=last) for planes in zip(x, y, strict=True)])
        product *= max(float(term), 0.0) ** weight
        x, y = _halve(x), _halve(y)
    return product


def _term(x: Floats, y: Floats, *, last: bool) -> float:
    luminance, contrast = ssim_terms(x, y, WINDOW, MIRRORED)
    if last:  # torchmetrics keeps the borders here and nowhere else
        return float(np.multiply(luminance, contrast).mean())
    edge = (WINDOW.width - 1) // 2
    return float(contrast[edge:-edge, edge:-edge].mean())


def _halve(planes: Floats) -> Floats:
    """C x H x W: mean of every 2 x 2 block; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in planes.shape[1:])
    quarters = [planes[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    halved: Floats = (quarters[0] + quarters[1] + quarters[2] + quarters[3]) / 4
    return halved
