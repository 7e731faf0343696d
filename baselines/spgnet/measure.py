"""How well the parsings are predicted: mean intersection over union, with its interval over people.

``python -m fhpt_bench.baselines.spgnet.measure WEIGHTS --config small-parsing`` prints both scores as JSON. WEIGHTS:
the ``model.safetensors`` of a snapshot of stage 1, or the file that ships.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fhpt_bench import datasets, intervals
from fhpt_bench.baselines._parts import shipped
from fhpt_bench.baselines.spgnet.model import Shape, Stage1
from fhpt_bench.baselines.spgnet.parsing import overlap
from fhpt_bench.baselines.spgnet.stage1 import true_parsings
from fhpt_bench.train_config import parse, read
from fhpt_bench.train_data import TrainingPairs
from fhpt_bench.types import Context, Dataset, Score


def mean_iou(both: NDArray[np.float64], either: NDArray[np.float64]) -> float:
    """N x 20 counts of cells (``parsing.overlap``) -> 0..1.

    Cells are summed over the pairs first; the mean is over the classes that any parsing, predicted or true, has.
    """
    united = either.sum(0)
    return float((both.sum(0)[united > 0] / united[united > 0]).mean())


@torch.inference_mode()
def parsing_scores(network: Stage1, dataset: Dataset, numbers: range | None = None, batch: int = 8) -> list[Score]:
    """``miou[source]`` (the parser) and ``miou[target]`` (SPATN on what the parser finds), 0..1, higher is better.

    Measured on the cells that the network works on (fold x fold pixels), all from what a generator may see. Intervals:
    95 %, delete-one-person jackknife. ``numbers``: which pairs; all of them where None. Raises BenchError for a data
    set without parsings.
    """
    pairs = TrainingPairs(dataset, reads=("parsing",))
    numbers = numbers or range(len(dataset))
    counts: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {"source": [], "target": []}
    network.eval()
    for first in range(0, len(numbers), batch):
        given = pairs.batch(numbers[first : first + batch])
        found = network(given["source"], given["source_points"], given["target_points"])
        truths = true_parsings(given, (int(found[0].shape[2]), int(found[0].shape[3])))
        for role, logits, truth in zip(counts, found, truths, strict=True):
            counts[role].append(overlap(logits, truth))
    chosen = [dataset[number] for number in numbers]
    context = Context(
        pair_ids=[pair.id for pair in chosen],
        people=[pair.target.person for pair in chosen],
        target_ids=[pair.target.id for pair in chosen],
        source_ids=[pair.source.id for pair in chosen],
    )
    scores = []
    for role, parts in counts.items():
        both, either = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        scores.append(
            intervals.jackknife_score(
                f"miou[{role}]", lambda keep, b=both, e=either: mean_iou(b[keep], e[keep]), context, "higher"
            )
        )
    return scores


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="mean IoU of predicted parsings")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--config", default="small-parsing")
    parser.add_argument("--data", default="catwalk")
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    network = Stage1(parse(Shape, read(Path(__file__).resolve().parent, given.config), "model"))
    shipped.take(network, given.weights, "parsings.")
    scores = parsing_scores(network, datasets.load(given.data, given.split))
    json.dump([score.model_dump(exclude={"without", "sums", "counts"}) for score in scores], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
