"""Detection score: does a person detector see a person in the generated image?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from fhpt_bench import features
from fhpt_bench.intervals import mean_score
from fhpt_bench.metrics.fid import stack
from fhpt_bench.types import Batch, Context, Need, Rows, Score


@dataclass(frozen=True)
class DetectionScore:
    """Mean over generated images of the highest score that a detector gives a person, 0..1; 0 where it sees none.

    Siarohin et al., Deformable GANs for Pose-based Human Image Generation, CVPR 2018 ("DS"), by the rule of their
    released evaluation. Theirs is SSD300 trained on Pascal VOC 2007 + 2012; this is torchvision's, trained on COCO, so
    the numbers do not compare with the paper's. Never sees the target: a sharp person in the wrong pose and the wrong
    clothes scores like the truth, as does a copy of the source, and good models differ in the third digit. Rows: the
    score of each generated image.
    """

    name: str
    detector: str = "ssd"
    """Setting of the feature ``detection[...]``."""

    columns: ClassVar[int] = 1
    better: ClassVar[Literal["higher"]] = "higher"

    @property
    def needs(self) -> Sequence[Need]:
        return (Need(features.feature_name("detection", self.detector), ("generated",)),)

    def measure(self, batch: Batch) -> Rows:
        """N x 1 float32."""
        return stack(self.needs[0], batch)

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """The mean, with a bootstrap over people."""
        return [mean_score(self.name, rows[:, 0], context, self.better)]
