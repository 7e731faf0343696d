"""SSIM in every variant this field uses, whole and by region, and the masked SSIM of the Market-1501 papers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.pose_mask import check_source, least_pixels, masks_of, why_none
from fhpt_bench.metrics.prepare import Prepare, by_role, check_rounded
from fhpt_bench.metrics.regions import region_means, region_names, region_scores
from fhpt_bench.types import Batch, Context, Need, Rows, Score

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """The weights over which SSIM takes local means: ``uniform<odd width>`` or ``gauss<sigma>``."""

    text: str
    truncate: float = 3.5
    """A Gaussian ends at this many sigmas; scikit-image's default."""
    uniform: int | None = field(init=False, default=None)
    sigma: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        found = re.fullmatch(r"(uniform)(\d+)|(gauss)(\d+\.?\d*)", str(self.text))
        if found and found[1] and int(found[2]) % 2 and int(found[2]) >= 3:
            object.__setattr__(self, "uniform", int(found[2]))
        elif found and found[3] and float(found[4]) > 0:
            object.__setattr__(self, "sigma", float(found[4]))
        else:
            raise BenchError(
                f"window = {self.text!r}", fix='"gauss1.5" (any sigma), or "uniform7" (any odd width from 3)'
            )
        if not _is_number(self.truncate) or self.truncate <= 0:
            raise BenchError(f"truncate = {self.truncate!r}", fix="how many sigmas wide the Gaussian is, such as 3.5")

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.uniform or 2 * int(self.truncate * (self.sigma or 0) + 0.5) + 1

    def mean(self, plane: Floats, mode: Literal["reflect", "mirror"]) -> Floats:
        """Local means of an H x W plane; the borders continue as ``mode`` of scipy.ndimage says."""
        if self.uniform:
            means: Floats = ndimage.uniform_filter(plane, self.uniform, mode=mode)
        else:
            means = ndimage.gaussian_filter(plane, self.sigma, mode=mode, truncate=self.truncate)
        return means

    def check(self, height: int, width: int) -> None:
        """BenchError where an image of that size is smaller than the window."""
        if min(height, width) < self.width:
            raise BenchError(
                f"SSIM's window {self.text} is {self.width} px wide, the images are {height}x{width}",
                fix="choose a protocol for images of this size, or a smaller window",
            )


@dataclass(frozen=True)
class Constants:
    """What SSIM takes beside its window."""

    data_range: float = 255
    sample_covariance: bool = False
    mode: Literal["reflect", "mirror"] = "reflect"
    """How the borders continue, in scipy.ndimage's words: reflect is scikit-image's way, mirror torchmetrics'."""


def ssim_terms(x: Floats, y: Floats, window: Window, how: Constants) -> tuple[Floats, Floats]:
    """Luminance and contrast-structure maps, H x W each, of one channel: x generated, y true, H x W float64.

    Wang et al. 2004, Eq. 6 and 13 with K1 = 0.01, K2 = 0.03. Their product is the map of scikit-image's
    ``structural_similarity(..., full=True)``. For equal x and y both are exactly 1. Plane by plane and in place: what
    fits the processor's cache is three times as fast as the same sums over all channels at once.
    """
    squares = x * x
    squares += y * y  # only the sum of the variances is needed: four filters, not five
    mean_x, mean_y, product, squares = (window.mean(plane, how.mode) for plane in (x, y, x * y, squares))
    means = mean_x * mean_y
    np.square(mean_x, out=mean_x)
    mean_x += np.square(mean_y, out=mean_y)
    pixels = window.width**2
    unbias = pixels / (pixels - 1) if how.sample_covariance else 1.0
    c1, c2 = (0.01 * how.data_range) ** 2, (0.03 * how.data_range) ** 2
    product -= means
    product *= 2 * unbias
    product += c2
    squares -= mean_x
    squares *= unbias
    squares += c2
    means *= 2
    means += c1
    mean_x += c1
    return np.divide(means, mean_x, out=means), np.divide(product, squares, out=product)


@dataclass(frozen=True)
class SSIM:
    """Structural similarity of the generated to the true image, -1..1, 1 where they are the same (Wang et al. 2004).

    RGB, each channel alone, then averaged; float64 inside. The numbers are scikit-image's ``structural_similarity``
    with the same settings. ``name/region``: the mean of the map over the truth's mask, borders included. Rows: [whole,
    *regions].
    """

    name: str
    window: str = "gauss1.5"
    """``gauss<sigma>`` or ``uniform<odd width>``. PATN: gauss1.5; Intr-Flow: uniform7; GFLA, PIDM, CFLD: uniform51 as
    well."""
    truncate: float = 3.5
    data_range: float | Literal["prediction"] = 255
    """Of 8-bit values: 255 (the scripts' "range 1" on 0..1 images), or ``prediction``: max - min of the generated
    image, as PATN measures. A generated image of one colour has range 0, where scikit-image gives NaN: it counts as
    one grey level here."""
    sample_covariance: bool = False
    """Divide by n - 1 instead of n; scikit-image's own default is True."""
    border: Literal["crop", "all"] = "crop"
    """``crop``: half a window is left out on each side when the whole image is averaged, as scikit-image does;
    ``all``: nothing is, as a mean over the full map (reflected at the borders)."""
    prepare: Prepare | Mapping[str, Any] | None = None
    """What is done to both images first."""
    prepare_generated: Prepare | Mapping[str, Any] | None = None
    """What is done to generated images instead, where a script treats them otherwise than true ones (a defect)."""
    regions: Sequence[str] | bool = True
    """True: all; False: none; or names of ``metrics.regions.REGIONS``."""

    needs: ClassVar[Sequence[Need]] = ()
    better: ClassVar[Literal["higher"]] = "higher"

    def __post_init__(self) -> None:
        Window(self.window, self.truncate)  # refuses what it cannot read
        for name, how in {"prepare": self.prepare or {}, "prepare_generated": self.prepare_generated}.items():
            object.__setattr__(self, name, None if how is None else check_rounded(self.name, Prepare.of(how)))
        object.__setattr__(self, "regions", region_names(self.regions))
        if self.data_range != "prediction" and not (_is_number(self.data_range) and self.data_range > 0):
            raise BenchError(f"data_range = {self.data_range!r}", where=self.name, fix='255, or "prediction"')
        if self.border not in ("crop", "all"):
            raise BenchError(f"border = {self.border!r}", where=self.name, fix='"crop" or "all"')
        if not isinstance(self.sample_covariance, bool):
            raise BenchError(f"sample_covariance = {self.sample_covariance!r}", where=self.name, fix="true or false")

    @property
    def columns(self) -> int:
        return 1 + len(region_names(self.regions))

    def map(self, prediction: NDArray[np.uint8], target: NDArray[np.uint8]) -> Floats:
        """H x W: the SSIM map of one prepared pair, averaged over the channels. Both are H x W x C uint8."""
        window = Window(self.window, self.truncate)
        window.check(*target.shape[:2])
        if self.data_range == "prediction":
            data_range = float(max(1, int(prediction.max()) - int(prediction.min())))
        else:
            data_range = self.data_range
        how = Constants(data_range, self.sample_covariance)
        total = np.zeros(target.shape[:2])
        for channel in range(target.shape[2]):
            x, y = (image[:, :, channel].astype(np.float64, order="C") for image in (prediction, target))
            luminance, contrast = ssim_terms(x, y, window, how)
            total += np.multiply(luminance, contrast, out=contrast)
        total /= target.shape[2]
        return total

    def measure(self, batch: Batch) -> Rows:
        """N x (1 + regions) float32; NaN for a region that is absent or smaller than 64 px."""
        how, names = by_role(self.prepare, self.prepare_generated), region_names(self.regions)
        prepare = how["target"]
        generated, target = how["generated"].images(batch.generated), prepare.images(batch.target)
        maps = np.stack([self.map(g, t) for g, t in zip(generated, target, strict=True)])
        masks = {name: prepare.masks(batch.regions[name]) for name in names if name in batch.regions}
        return np.column_stack([self._whole(maps), region_means(maps, masks, names)])

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """One Score of the whole image and one of each region."""
        return region_scores(self.name, region_names(self.regions), rows, context, self.better)

    def _whole(self, maps: Floats) -> NDArray[np.float32]:
        edge = (Window(self.window, self.truncate).width - 1) // 2 if self.border == "crop" else 0
        inner = maps[:, edge : maps.shape[1] - edge, edge : maps.shape[2] - edge]
        return np.array([each.mean() for each in inner], np.float32)


@dataclass(frozen=True)
class MaskSSIM(SSIM):
    """SSIM after both images are multiplied by a mask of the true person: the background becomes black in both.

    The published masked score (Ma et al. 2017, and every Market-1501 table since). The black background counts as
    perfectly drawn, so it lies far above ``ssim/foreground``, the more so the smaller the person. Masked after
    ``prepare``, as released scripts mask the images that they have read. Rows: [whole, *regions].
    """

    regions: Sequence[str] | bool = False
    mask: Literal["foreground", "pose"] = "foreground"
    """``foreground``: the data set's; pairs where it has fewer than 64 px are excluded. ``pose``: drawn from the
    target's body points (``metrics.pose_mask``), as papers do on Market-1501; pairs without a point are excluded."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_source(self.name, self.mask)

    def measure(self, batch: Batch) -> Rows:
        """N x (1 + regions) float32; NaN for pairs without a mask."""
        mask = masks_of(batch, self.mask)
        if mask is None:
            return np.full((len(batch.ids), self.columns), np.nan, np.float32)
        how = by_role(self.prepare, self.prepare_generated)
        prepare = how["target"]
        inside = prepare.masks(mask)[..., None].astype(np.uint8)
        generated, target = how["generated"].images(batch.generated) * inside, prepare.images(batch.target) * inside
        regions = {name: prepare.masks(masks) for name, masks in batch.regions.items()}
        masked = replace(batch, generated=generated, target=target, regions=regions)
        rows = SSIM.measure(replace(self, prepare=None, prepare_generated=None), masked)
        rows[np.count_nonzero(mask, axis=(1, 2)) < least_pixels(self.mask)] = np.nan
        return rows

    def summarise(self, rows: Rows, context: Context) -> list[Score]:
        """As SSIM; unavailable, with the reason, where the data set has nothing to make masks of."""
        whole, *regions = super().summarise(rows, context)
        if whole.value is None:
            whole = whole.model_copy(update={"unavailable": why_none(self.mask)})
        return [whole, *regions]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
