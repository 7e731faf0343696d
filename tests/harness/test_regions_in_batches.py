"""A pair whose data set cannot tell a region must not take it from the pairs that share its batch."""

from __future__ import annotations

from pathlib import Path

import mini
import numpy as np
import pytest

from fhpt_bench import score
from fhpt_bench.types import Mask, Pair


class Patchy(mini.Mini):
    """Knows the face in every third pair only."""

    def regions(self, pair: Pair) -> dict[str, Mask]:
        masks = super().regions(pair)
        if int(pair.id.rpartition("_")[2]) % 3 == 0:
            masks["face"] = masks["foreground"]
        return masks


def test_a_region_that_some_pairs_lack_scores_alike_in_every_batch(tmp_path: Path) -> None:
    data, protocol = Patchy(), mini.write_protocol(tmp_path)
    images = [np.roll(data[i].target.image, 3, axis=1) for i in range(len(data))]
    singly, together = (
        score(images, protocol=protocol, data=data, batch_size=size, show=False).score("ssim/face") for size in (1, 8)
    )
    assert (singly.pairs, singly.excluded) == (together.pairs, together.excluded) == (14, 28)
    assert singly.value == pytest.approx(together.value, rel=1e-9)
