"""What some baselines read beside images and points: it lies where the images say, at any scale, in the mirror too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from fhpt_bench import train_config
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.datasets.skeletons import CIHP20, FACE_POINTS
from fhpt_bench.errors import BenchError
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.train_extras import FACE_FLIP, PARSING_FLIP

sys.path.insert(0, str(Path(__file__).parent))
from stick_figures import Sticks

MIRROR = torch.tensor([True, True])


@pytest.fixture(scope="module")
def pairs() -> TrainingPairs:
    return TrainingPairs(Catwalk("val"), reads=("flow", "parsing", "face"))


def warped(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    height, width = image.shape[2:]
    grid = torch.stack([(flow[:, 0] + 0.5) / width * 2 - 1, (flow[:, 1] + 0.5) / height * 2 - 1], -1)
    return F.grid_sample(image, grid, align_corners=False)


@pytest.mark.parametrize(("scale", "flips"), [(1.0, None), (1.0, MIRROR), (0.5, None), (0.5, MIRROR)])
def test_flow_leads_to_the_same_surface(pairs: TrainingPairs, scale: float, flips: torch.Tensor | None) -> None:
    batch = pairs.batch([0, 5], scale, flips)
    seen = (batch["visibility"] == 0)[:, None]
    assert seen.any() and batch["flow"].shape == (2, 2, *batch["source"].shape[2:])

    def distance(image: torch.Tensor) -> float:
        return float(((image - batch["target"]).abs() * seen).sum() / seen.sum() / 3)

    assert distance(warped(batch["source"], batch["flow"])) < distance(batch["source"]) / 4
    assert (batch["flow"].permute(0, 2, 3, 1)[batch["visibility"] == 2] == -1).all()


def test_parsing_is_the_photographs(pairs: TrainingPairs) -> None:
    plain, mirror = pairs.batch([3, 7]), pairs.batch([3, 7], 1.0, MIRROR)
    for role in ("source", "target"):
        person = plain[f"{role}_parsing"] > 0
        # Where nobody stands it is white, but for pixels on the edge (the photographs are stored with loss).
        white = (plain[role] > 0.9).all(1)
        assert white[~person].float().mean() > 0.95 and white[person].float().mean() < 0.05
        turned = torch.tensor(PARSING_FLIP)[plain[f"{role}_parsing"]].flip(2)
        assert torch.equal(mirror[f"{role}_parsing"], turned)
        half = pairs.batch([3, 7], 0.5)[f"{role}_parsing"]
        assert half.shape[1:] == (128, 88) and torch.equal(half, plain[f"{role}_parsing"][:, 1::2, 1::2])
    assert PARSING_FLIP[CIHP20.index("left_arm")] == CIHP20.index("right_arm")
    assert PARSING_FLIP[CIHP20.index("face")] == CIHP20.index("face")


def test_faces_stay_on_their_pixels(pairs: TrainingPairs) -> None:
    number = next(i for i in range(len(pairs)) if pairs.dataset[pairs.numbers[i]].source.pose.face.frontal)
    plain, mirror, half = (pairs.batch([number], s, f) for s, f in ((1.0, None), (1.0, MIRROR[:1]), (0.5, None)))
    points, box = plain["source_face"][0], plain["source_face_box"][0]
    assert (points[:, 0] >= box[0] - 1).all() and (points[:, 0] <= box[2] + 1).all()
    right, left = FACE_POINTS.index("mouth_right"), FACE_POINTS.index("mouth_left")
    assert FACE_FLIP[right] == left and sorted(FACE_FLIP) == list(range(30))
    # The mirror's right corner of the mouth is the mirrored left one.
    torch.testing.assert_close(mirror["source_face"][0, right, 0], 175 - points[left, 0])
    torch.testing.assert_close(mirror["source_face_box"][0, 0], 175 - box[2])
    torch.testing.assert_close(half["source_face"][0], (points + 0.5) / 2 - 0.5)


def test_what_a_data_set_has_not_is_said() -> None:
    with pytest.raises(BenchError, match="trains on the flow"):
        TrainingPairs(Sticks("train"), reads=("flow",))
    with pytest.raises(BenchError, match="cannot read 'depth'"):
        TrainingPairs(Sticks("train"), reads=("depth",))


def test_refused_pairs_are_named_and_left_out() -> None:
    data = Sticks("train")
    some = TrainingPairs(data, accepts=lambda pair: pair.source.person != "p0")
    assert {name.partition("-")[0] for name in some.refused} == {"p0"}
    assert len(some) + len(some.refused) == len(data)
    whole = TrainingPairs(data)
    assert torch.equal(some.batch([0])["target"], whole.batch([some.numbers[0]])["target"])
    with pytest.raises(BenchError, match="none of the 18 pairs"):
        TrainingPairs(data, accepts=lambda pair: False)


def test_stages_of_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[stages]\nsmall = ["small-flow", "small-image"]\n"small+no-flow" = ["small-image+no-flow"]\n[tiny.model]\n'
    )
    assert train_config.stages(tmp_path, "tiny") == ["tiny"]
    assert train_config.stages(tmp_path, "small") == ["small-flow", "small-image"]
    assert train_config.stages(tmp_path, "small+wide") == ["small-flow+wide", "small-image+wide"]
    assert train_config.stages(tmp_path, "small+no-flow") == ["small-image+no-flow"]
    assert train_config.earlier({"earlier": {"small-flow": "a/b"}}, "small-flow") == Path("a/b")
    with pytest.raises(BenchError, match="goes on from the weights of 'small-flow'"):
        train_config.earlier({}, "small-flow")
