"""What the papers' scripts compute, by the calls of the libraries they use and none of ours.

Written from the protocol table and the scripts' public text; scikit-image's functions under their new names.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import linalg
from skimage.draw import disk, polygon
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.morphology import dilation, erosion, footprint_rectangle
from torchvision import transforms

Images = NDArray[np.uint8]
Step = Callable[[NDArray[np.uint8]], NDArray[Any]]


def stored(image: Images, quality: int = 75) -> Images:
    """Saved by Pillow and read again."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, format="JPEG", quality=quality)
    return np.array(Image.open(file))


def bounded(image: Images) -> Images:
    """White columns on both sides of a picture of 176."""
    canvas = np.full((256, 256, 3), 255, np.uint8)
    canvas[:, 40:216] = image
    return canvas


def loaded(image: Images) -> Images:
    """Through torchvision's ToTensor and Normalize, and back by a cast."""
    to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])
    back = (to_tensor(image).numpy().transpose(1, 2, 0) + 1) / 2.0 * 255.0
    return back.astype(np.uint8)


def ssim_patn(generated: Images, true: Images, sigma: float = 1.5) -> float:
    """``compare_ssim`` of pose-gan and its descendants."""
    return float(
        structural_similarity(
            true,
            generated,
            gaussian_weights=True,
            sigma=sigma,
            use_sample_covariance=False,
            channel_axis=2,
            data_range=int(generated.max()) - int(generated.min()),
        )
    )


def ssim_intrflow(generated: Images, true: Images) -> float:
    """scikit-image's defaults for 8-bit images."""
    return float(structural_similarity(generated, true, channel_axis=2))


def ssim_gfla(generated: Images, true: Images) -> float:
    """Images in 0..1, a window of 51."""
    return float(structural_similarity(true / 255.0, generated / 255.0, data_range=1, win_size=51, channel_axis=2))


def psnr(generated: Images, true: Images) -> float:
    return float(peak_signal_noise_ratio(true / 255.0, generated / 255.0, data_range=1))


def mean(score: Callable[..., float], generated: Sequence[Any], true: Sequence[Any]) -> float:
    return float(np.mean([score(g, t) for g, t in zip(generated, true, strict=True)]))


LIMBS = (
    "2-3 2-6 3-4 4-5 6-7 7-8 2-9 9-10 10-11 2-12 12-13 13-14 2-1 1-15 15-17 1-16 16-18 2-17 2-18 9-12 12-6 9-3 17-18"
)
"""Joints joined, counted from 1."""


def mask(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Limbs and joints of radius 4, dilated and eroded by a 5 x 5 square; points x, y."""
    drawn = np.zeros(size, bool)
    rows = points[:, ::-1].astype(float)
    for limb in LIMBS.split():
        a, b = (rows[int(number) - 1] for number in limb.split("-"))
        if np.isnan(a).any() or np.isnan(b).any():
            continue
        normal = np.array([b[1] - a[1], a[0] - b[0]])
        normal = 4 * normal / np.linalg.norm(normal)
        corners = np.array([a + normal, a - normal, b - normal, b + normal])
        drawn[polygon(corners[:, 0], corners[:, 1], shape=size)] = True
    for joint in rows[~np.isnan(rows).any(axis=1)]:
        drawn[disk((joint[0], joint[1]), 4, shape=size)] = True
    square = footprint_rectangle((5, 5))
    return np.asarray(erosion(dilation(drawn, square), square), bool)


def lpips(net: str, trunk: dict[str, torch.Tensor], a: Sequence[Any], b: Sequence[Any]) -> NDArray[np.float32]:
    """The package ``lpips``, its trunk (which it would take from a model hub) given; a, b: H x W x 3 in [-1, 1]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lpips as package
        from torchvision.models import vgg

        kept = package.pretrained_networks.tv.vgg16  # a whole VGG16 draws 138 million random numbers first
        package.pretrained_networks.tv.vgg16 = lambda **_: SimpleNamespace(features=vgg.make_layers(vgg.cfgs["D"]))
        try:
            model = package.LPIPS(net=net, pnet_rand=True, verbose=False)
        finally:
            package.pretrained_networks.tv.vgg16 = kept
    own = model.net.state_dict()
    model.net.load_state_dict({name: trunk[f"features.{name.split('.', 1)[1]}"] for name in own})
    x, y = (torch.from_numpy(np.stack(i).astype(np.float32).transpose(0, 3, 1, 2).copy()) for i in (a, b))
    with torch.no_grad():
        return np.asarray(model(x, y)[:, 0, 0, 0])


def signed(image: NDArray[Any]) -> NDArray[np.float32]:
    """0..255 -> [-1, 1]."""
    return image.astype(np.float32) / np.float32(127.5) - 1


def squeezed(image: Images) -> NDArray[np.float32]:
    """Bilinear to 256 x 176 in float, without antialiasing (OpenCV's ``resize``; here torch's)."""
    x = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None])
    out = F.interpolate(x, size=(256, 176), mode="bilinear", align_corners=False)
    return np.asarray(out[0]).transpose(1, 2, 0)


def legacy_features(network: torch.nn.Module, images: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """torchvision's Inception without its classifier, fed as the early-2019 script feeds it."""
    x = torch.from_numpy(np.stack(images).astype(np.float32).transpose(0, 3, 1, 2).copy()) / 255
    x = F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    for channel, (std, centre) in enumerate(((0.229, 0.485), (0.224, 0.456), (0.225, 0.406))):
        x[:, channel] = x[:, channel] * (std / 0.5) + (centre - 0.5) / 0.5
    with torch.no_grad():
        return np.asarray(network(x)).astype(np.float64)


def frechet(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """SciPy's matrix square root of the covariances' product, in the space that the samples span: few samples in 2048
    dimensions have singular covariances, of whose product a square root is not to be had."""
    together = np.concatenate([a - a.mean(0), b - b.mean(0)])
    _, sizes, basis = np.linalg.svd(together, full_matrices=False)
    basis = basis[sizes > 1e-9 * sizes[0]]
    root = linalg.sqrtm(np.cov(a @ basis.T, rowvar=False) @ np.cov(b @ basis.T, rowvar=False))
    apart = a.mean(0) - b.mean(0)
    spread = float(np.trace(np.cov(a @ basis.T, rowvar=False)) + np.trace(np.cov(b @ basis.T, rowvar=False)))
    return float(apart @ apart) + spread - 2 * float(np.trace(np.real(root)))
