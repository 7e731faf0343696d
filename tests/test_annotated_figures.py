"""The annotated stick figures: their annotations are those of the picture."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from annotated_figures import BONES, TRUNK, AnnotatedSticks, parts

from fhpt_bench.datasets.skeletons import CIHP20
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.train_extras import READS


@pytest.fixture(scope="module")
def data() -> AnnotatedSticks:
    return AnnotatedSticks("train")


def test_the_parsing_is_the_figure_that_is_drawn(data: AnnotatedSticks) -> None:
    for photo in data.photos():
        person = (photo.image != 255).any(2)
        assert np.array_equal(data.parsing(photo) > 0, person)
        clothes = data.parsing(photo) == CIHP20.index("upper_clothes")
        assert len(np.unique(photo.image[clothes], axis=0)) == 1, "one garment, one colour"


def test_flow_to_oneself_stays_where_it_is(data: AnnotatedSticks) -> None:
    photo = data.photos()[0]
    flow, state = data.flow(photo, photo)
    rows, columns = np.nonzero(data.parsing(photo))
    np.testing.assert_allclose(flow[rows, columns], np.stack([columns, rows], 1), atol=1e-3)
    assert set(np.unique(state)) == {0, 2}


def test_warping_by_the_flow_gives_the_targets_parts(data: AnnotatedSticks) -> None:
    seen = 0
    for pair in (data[i] for i in range(len(data))):
        flow, state = data.flow(pair.source, pair.target)
        there, here = (parts(photo.pose.keypoints, data.size) for photo in (pair.source, pair.target))
        rows, columns = np.nonzero(state == 0)
        x, y = np.rint(flow[rows, columns]).astype(int).T
        assert np.array_equal(there[y, x], here[rows, columns])
        assert (flow[state == 2] == -1).all()
        seen += len(rows) / (here > 0).sum()
    assert seen / len(data) > 0.6, "most of a figure is seen from every pose"
    a, b = next(iter(BONES))
    assert here[tuple(np.rint(pair.target.pose.keypoints[[a, b]].mean(0)[::-1]).astype(int))] in (1, TRUNK)


def test_faces_mirror_onto_themselves(data: AnnotatedSticks) -> None:
    pairs = TrainingPairs(data, reads=READS)
    plain, flipped = pairs.batch([0]), pairs.batch([0], flips=torch.tensor([True]))
    nose = plain["source_points"][0, 0, 0]
    torch.testing.assert_close(
        flipped["source_face"][0, :, 0] - (data.size[1] - 1 - nose), plain["source_face"][0, :, 0] - nose
    )
    assert plain["source_face"].isfinite().all()
    assert plain["source_face_box"].isfinite().all()
