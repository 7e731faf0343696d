"""SPGNet's weights that ship: the parsings they make, against what was measured when the card was written."""

from __future__ import annotations

import pytest

from fhpt_bench.baselines.spgnet import generator
from fhpt_bench.baselines.spgnet.measure import parsing_scores
from fhpt_bench.datasets.catwalk import Catwalk

STEP = 40
"""Every so manieth test pair: 15 of 600."""
MEASURED = {"miou[source]": 0.553, "miou[target]": 0.418}


def test_parsings_overlap_the_truth_as_measured() -> None:
    data = Catwalk("test")
    for score in parsing_scores(generator().net.parsings, data, range(0, len(data), STEP)):
        assert score.value == pytest.approx(MEASURED[score.name], abs=0.01), score.name
