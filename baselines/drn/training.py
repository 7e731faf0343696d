"""How DRN is trained: Eq. 5-8 and the alternating 1-1-3 cycle (``_parts/cycle.py``), and its face module likewise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from fhpt_bench.baselines._parts.cycle import KINDS, CycleLosses, CycleTraining, losses_of
from fhpt_bench.baselines._parts.discriminators import Judges
from fhpt_bench.baselines._parts.fold import check_phases
from fhpt_bench.baselines.drn import face
from fhpt_bench.baselines.drn.model import DRN, Shape
from fhpt_bench.errors import BenchError
from fhpt_bench.train_config import Batch, Recipe, Update, parse
from fhpt_bench.types import Pair


def build(config: Mapping[str, Any]) -> CycleTraining:
    """The trainable of one configuration (as ``train_config.read`` gives it).

    DRN; or its face module, where the configuration has a table ``crop``.
    """
    judges, losses = parse(Judges, config, "judges"), losses_of(config)
    recipe = parse(Recipe, config, "training")
    if "crop" in config:
        # The ablation "PB fixed" is about DRN's transfer branch, whose weights are not the face module's.
        losses = losses.model_copy(update={"train_transfer": True, "transfer_weights": ""})
        return FaceTraining(*face.tables(config), judges, losses, recipe)
    return DRNTraining(parse(Shape, config, "model"), judges, losses, recipe)


class DRNTraining(CycleTraining):
    """DRN, its two discriminators D_A (appearance: image pair) and D_S (shape: image and pose), and their losses."""

    def __init__(self, shape: Shape, judges: Judges, losses: CycleLosses, recipe: Recipe) -> None:
        check_phases("DRN", KINDS, shape.size, len(shape.widths) - 1, shape.fold, recipe.phases)
        super().__init__(DRN(shape), judges, losses, recipe)


class FaceTraining(DRNTraining):
    """The same on crops of frontal faces, with sketches for poses: D_A sees two crops, D_S a crop and a sketch."""

    reads = ("face",)

    def __init__(self, crop: face.Crop, shape: Shape, judges: Judges, losses: CycleLosses, recipe: Recipe) -> None:
        if any(phase.scale != 1 for phase in recipe.phases):
            raise BenchError(
                "the face module is trained on crops of the full image", where="training.phases", fix="leave out scale"
            )
        super().__init__(shape, judges, losses, recipe)
        self.crop = crop

    def accepts(self, pair: Pair) -> bool:
        """Whether both photographs show a frontal face: no other pair trains it."""
        return face.accepts(pair)

    def step(self, batch: Batch, update: Update, kind: str) -> dict[str, Tensor]:
        """One batch of photographs with their faces; see ``CycleTraining.step``."""
        return super().step(face.crops(batch, self.crop), update, kind)

    def validate(self, batch: Batch) -> Tensor:
        """Distance of the made crop from the true one, N."""
        return super().validate(face.crops(batch, self.crop))

    def sample(self, batch: Batch) -> dict[str, Tensor]:
        """Crops as high as the images: the source's, the target's sketch, what is made, the truth."""
        small = face.crops(batch, self.crop)
        _, made = self.network(small["source"], small["source_points"], small["target_points"])
        drawn = self.network.maps(small["target_points"], self.crop.side, small["target"].shape[2:])
        columns = {
            "source": small["source"], "sketch": drawn.expand(-1, 3, -1, -1) * 2 - 1, "made": made,
            "truth": small["target"],
        }  # fmt: skip
        side = int(batch["source"].shape[2])
        return {name: F.interpolate(image.float(), (side, side), mode="nearest") for name, image in columns.items()}
