"""How well the flow network knows the flow: end-point error and visibility, with intervals over people.

``python -m fhpt_bench.baselines.intr_flow.measure`` measures the network that ships on Catwalk's test pairs and prints
JSON; ``--weights`` another one (a snapshot's ``model.safetensors``).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fhpt_bench import datasets, intervals
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines._parts.flow_net import Flow
from fhpt_bench.baselines._parts.warping import BACKGROUND, VISIBLE, enlarged, own_places
from fhpt_bench.baselines.intr_flow.model import IntrFlow, network
from fhpt_bench.train_config import read
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Context, Dataset, Pair, Score

FOLDER = Path(__file__).resolve().parent


@torch.inference_mode()
def flow_scores(net: IntrFlow, dataset: Dataset, numbers: Sequence[int] | None = None) -> list[Score]:
    """Four scores over the pairs ``numbers`` (all where None) of a data set with flow, at the images' full size.

    ``epe[flow]``: mean distance in pixels between predicted and true places, over all pixels that are truly visible;
    ``epe[zero]``: the same where nothing moves. ``visibility[flow]``: share of all pixels whose state (visible,
    invisible, background) is right; ``visibility[background]``: the same where all is background. Intervals: 95 %.
    """
    assert net.flow is not None
    net.eval()
    pairs = TrainingPairs(dataset, reads=("flow",))
    chosen = list(range(len(dataset)) if numbers is None else numbers)
    rows = []
    for number in chosen:
        given = pairs.batch([number])
        poses = net.poses(given["source"], given["source_points"], given["target_points"])
        size = given["source"].shape[2:]
        rows.append(_row(at_size(net.flow.predict(poses), (size[0], size[1])), given["flow"], given["visibility"]))
    return _scores(np.array(rows), [dataset[number] for number in chosen])


def at_size(flow: Flow, size: tuple[int, int]) -> Flow:
    """A flow at the networks' resolution -> at that of the images."""
    times = size[0] // int(flow.places.shape[2])
    seen = flow.visibility.repeat_interleave(times, 1).repeat_interleave(times, 2)
    return Flow(enlarged(flow.places, flow.visibility != BACKGROUND, times), seen)


def _row(made: Flow, places: Tensor, visibility: Tensor) -> list[float]:
    """Summed error, summed error of no motion, visible pixels, right states, background, pixels."""
    visible = visibility == VISIBLE
    still = own_places(int(places.shape[2]), int(places.shape[3]))
    errors = [torch.linalg.vector_norm(there - places, dim=1)[visible].sum() for there in (made.places, still)]
    right = (made.visibility == visibility).sum()
    counts = (visible.sum(), right, (visibility == BACKGROUND).sum(), torch.tensor(visibility.numel()))
    return [float(value) for value in (*errors, *counts)]


def _scores(rows: NDArray[np.float64], pairs: Iterable[Pair]) -> list[Score]:
    chosen = list(pairs)
    context = Context(
        pair_ids=[pair.id for pair in chosen],
        people=[pair.target.person for pair in chosen],
        target_ids=[pair.target.id for pair in chosen],
        source_ids=[pair.source.id for pair in chosen],
    )
    error, still, visible, right, background, pixels = rows.T
    return [
        intervals.ratio_score("epe[flow]", error, visible, context, "lower"),
        intervals.ratio_score("epe[zero]", still, visible, context, "lower"),
        intervals.ratio_score("visibility[flow]", right, pixels, context, "higher"),
        intervals.ratio_score("visibility[background]", background, pixels, context, "higher"),
    ]


def with_flow(config: str, weights: Path | None) -> IntrFlow:
    """The network of a configuration with a trained flow: that of ``weights``, or the one that ships."""
    made = network(read(FOLDER, config))
    assert made.flow is not None
    if weights is not None:
        shipped.take(made.flow, weights, "network.flow.")
    else:
        card = read(FOLDER, "shipped")
        shipped.load(made.flow, FOLDER / card["flow"], card["flow_sha256"])
    return made


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="end-point error and visibility of the flow network")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--config", default="small")
    parser.add_argument("--data", default="catwalk")
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    net = with_flow(given.config, given.weights)
    scores = flow_scores(net, datasets.load(given.data, given.split, size=net.shape.size))
    json.dump([s.model_dump(include={"name", "value", "low", "high", "pairs"}) for s in scores], sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
