"""Which of a run's rows are a pair's own scores, for the pictures of the best and the worst pairs."""

from __future__ import annotations

import numpy as np

from fhpt_bench.intervals import jackknife_score, mean_score
from fhpt_bench.pictures import _is_mean_of
from fhpt_bench.types import Context

VALUES = np.array([0.1, 0.4, np.nan, 0.7, 0.2, 0.9], np.float32)
IDS = [f"pair{i}" for i in range(6)]
ABOUT = Context(IDS, ["a", "a", "b", "b", "c", "c"], IDS, IDS)


def test_a_mean_is_known_by_its_own_values_only():
    score = mean_score("s", VALUES, ABOUT, "higher")
    assert _is_mean_of(score, VALUES)
    assert not _is_mean_of(score, VALUES[::-1] + np.float32(0.01))
    assert not _is_mean_of(score, np.nan_to_num(VALUES, nan=0.0)), "as many pairs as the score counts"


def test_what_is_no_mean_has_no_values_of_pairs():
    score = jackknife_score("s", lambda keep: float(np.nanmax(VALUES[keep])), ABOUT, "higher")
    assert not _is_mean_of(score, VALUES)
