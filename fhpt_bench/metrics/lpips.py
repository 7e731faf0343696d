"""LPIPS, whole, inside regions, and inside a mask of the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import features, weights
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.batches import check_batch, measured
from fhpt_bench.metrics.pose_mask import check_source, least_pixels, masks_of, why_none
from fhpt_bench.metrics.prepare import Prepare, by_role
from fhpt_bench.metrics.regions import region_means, region_names, region_scores
from fhpt_bench.types import Batch, Context, Feature, Need, Rows, Score

if TYPE_CHECKING:
    import torch

Net = Literal["alex", "vgg"]
Role = Literal["generated", "target"]
TRUNKS: Mapping[str, str] = {"alex": "alexnet.taps", "vgg": "vgg16.taps"}
_PIXELS_AT_ONCE = 4096
"""Pixels of a layer compared in one go on a CPU: few enough that what is computed between stays in its cache."""


@dataclass(frozen=True)
class LPIPS:
    """Learned perceptual distance, v0.1: 0 for equal images, rarely above 1.

    R. Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018, Eq. 1. The
    numbers are those of the package ``lpips`` with images in [-1, 1] (some released scripts feed [0, 1]: another
    measure). ``name/region``: the package's spatial map (layers upsampled to the image, bilinear) averaged in the
    truth's mask; its mean over the whole image differs slightly from LPIPS, as there. Rows: [whole, *regions].
    """

    name: str
    net: Net = "alex"
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to both images first."""
    prepare_generated: Prepare | Mapping[str, Any] | None = None
    """What is done to generated images instead, where a script treats them otherwise than true ones (a defect)."""
    drop_last: int = 0
    """Pairs beyond the last full batch of so many, by id, are excluded and counted (a defect: 64 in GFLA and those
    after it); 0: none."""
    regions: Sequence[str] | bool = True
    """True: all; False: none; or names of ``metrics.regions.REGIONS``."""

    better: ClassVar[Literal["lower"]] = "lower"

    def __post_init__(self) -> None:
        _known(self.net)
        check_batch(self.name, self.drop_last)
        object.__setattr__(self, "prepare", Prepare.of(self.prepare))
        if self.prepare_generated is not None:
            object.__setattr__(self, "prepare_generated", Prepare.of(self.prepare_generated))
        object.__setattr__(self, "regions", region_names(self.regions))

    @property
    def needs(self) -> Sequence[Need]:
        if self._features["generated"] == self._features["target"]:
            return (Need(self._features["target"]),)
        return (Need(self._features["generated"], ("generated",)), Need(self._features["target"], ("target",)))

    @property
    def weights(self) -> tuple[str, ...]:
        """Networks read besides the features': the linear heads."""
        return (f"lpips-{self.net}",)

    @property
    def columns(self) -> int:
        return 1 + len(region_names(self.regions))

    @property
    def _prepared(self) -> Mapping[Role, Prepare]:
        return by_role(self.prepare, self.prepare_generated)

    @property
    def _features(self) -> Mapping[Role, str]:
        return {role: features.feature_name(TRUNKS[self.net], prepare=how) for role, how in self._prepared.items()}

    def measure(self, batch: Batch) -> Rows:
        """N x (1 + regions) float32; NaN for a region that is absent or smaller than 64 px."""
        prepare, names = Prepare.of(self.prepare), region_names(self.regions)
        masks = {name: prepare.masks(batch.regions[name]) for name in names if name in batch.regions}
        size = next(iter(masks.values())).shape[1:] if masks else None
        generated, target = (batch.features[name, role] for role, name in self._features.items())
        rows: Rows = np.full((len(batch.ids), self.columns), np.nan, np.float32)
        for i in range(len(batch.ids)):
            layers = layer_maps([tap[i] for tap in generated], [tap[i] for tap in target], self.net)
            rows[i, 0] = sum(float(layer.mean()) for layer in layers)
            if size:
                one = {name: mask[i : i + 1] for name, mask in masks.items()}
                rows[i, 1:] = region_means(spatial_map(layers, size)[None], one, names)[0]
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score of the whole image and one of each region."""
        if self.drop_last:
            rows = np.where(measured(context.pair_ids, self.drop_last)[:, None], rows, np.float32(np.nan))
        return region_scores(self.name, region_names(self.regions), rows, context, self.better)


@dataclass(frozen=True)
class MaskLPIPS(LPIPS):
    """LPIPS after both images are multiplied by a mask of the true person: the background is the same in both.

    The published masked score (SPGNet, CVPR 2021, after Ma et al., NeurIPS 2017, who masked SSIM). Masked after
    ``prepare``. Rows: [whole, *regions].
    """

    regions: Sequence[str] | bool = False
    mask: Literal["foreground", "pose"] = "foreground"
    """``foreground``: the data set's; pairs where it has fewer than 64 px are excluded. ``pose``: drawn from the
    target's body points (``metrics.pose_mask``), as papers do on Market-1501; pairs without a point are excluded."""
    outside: Literal["black", "grey"] = "black"
    """What stands in place of the background. ``grey``: 127.5, the 0 of images in [-1, 1], which the scripts of GFLA
    and SPGNet multiply by the mask."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_source(self.name, self.mask)
        if self.outside not in ("black", "grey"):
            raise BenchError(f"outside = {self.outside!r}", where=self.name, fix="black or grey")

    def measure(self, batch: Batch) -> Rows:
        """N x (1 + regions) float32; NaN for pairs without a mask."""
        mask = masks_of(batch, self.mask)
        if mask is None:
            return np.full((len(batch.ids), self.columns), np.nan, np.float32)
        # The masked images are this metric's own, so it runs the network itself, where the plain features came from.
        [device] = {str(batch.features[name, role][0][0].device) for role, name in self._features.items()}
        trunk = _trunk(TRUNKS[self.net], device)
        fill = np.float32(127.5 if self.outside == "grey" else 0)
        found: dict[tuple[str, str], Any] = {}
        for (role, how), images in zip(self._prepared.items(), (batch.generated, batch.target), strict=True):
            masked = np.where(how.masks(mask)[..., None], how.images(images), fill)
            found[self._features[role], role] = trunk.extract(masked)  # float32: 127.5 is no uint8
        rows = super().measure(replace(batch, features=found))
        rows[np.count_nonzero(mask, axis=(1, 2)) < least_pixels(self.mask)] = np.nan
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """As LPIPS; unavailable, with the reason, where the data set has nothing to make masks of."""
        whole, *regions = super().summarise(rows, context)
        if whole.value is None:
            whole = whole.model_copy(update={"unavailable": why_none(self.mask)})
        return [whole, *regions]


@lru_cache(maxsize=2)
def _trunk(name: str, device: str) -> Feature:
    return features.build(name, device)


def _known(net: str) -> None:
    if net not in TRUNKS:
        raise BenchError(f"net = {net!r}", fix=f"one of {', '.join(TRUNKS)}")


@lru_cache(maxsize=4)
def _heads(net: str, device: str) -> tuple[torch.Tensor, ...]:
    tensors = weights.load(f"lpips-{net}")
    return tuple(tensors[f"lin{i}"].to(device) for i in range(len(tensors)))


def layer_maps(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor], net: Net) -> list[torch.Tensor]:
    """Distance at each place of each layer of one pair: tensors C x h x w -> h x w float32."""
    with features.exact():
        return [_layer_map(x, y, head) for x, y, head in zip(a, b, _heads(net, str(a[0].device)), strict=True)]


def _layer_map(a: torch.Tensor, b: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    import torch

    channels, height, width = a.shape
    a, b = (x.permute(1, 2, 0).reshape(-1, channels) for x in (a, b))
    step = _PIXELS_AT_ONCE if a.device.type == "cpu" else len(a)
    parts = []
    for start in range(0, len(a), step):
        x, y = (part[start : start + step] for part in (a, b))
        unit_x, unit_y = (part / (torch.linalg.vector_norm(part, dim=1, keepdim=True) + 1e-10) for part in (x, y))
        parts.append(unit_x.sub_(unit_y).square_() @ head)
    return torch.cat(parts).reshape(height, width)


def spatial_map(layers: Sequence[torch.Tensor], size: Sequence[int]) -> NDArray[np.float32]:
    """The sum of one pair's layers, each upsampled (bilinear) to ``size``: H x W float32."""
    import torch.nn.functional as F

    with features.exact():
        parts = [F.interpolate(layer[None, None], size=tuple(size), mode="bilinear")[0, 0] for layer in layers]
        total: NDArray[np.float32] = sum(parts[1:], parts[0]).cpu().numpy()
    return total
