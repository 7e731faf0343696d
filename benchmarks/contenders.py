"""Each way to measure the same images: ours, the tools people run today, and the networks alone.

A contender takes the folder of pictures and returns (seconds of its parts, scores by name). Loading of code and
weights is not counted, for anyone: it happens before the clock starts.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import catwalk, files

if TYPE_CHECKING:
    from torch import Tensor

Time = tuple[float, float]
"""Seconds on the clock, and of all the process's threads on a core: the second hardly feels what else the machine
does."""
Result = tuple[dict[str, Time], dict[str, float]]
PROTOCOL = Path(__file__).with_name("perceptual.toml")
BATCH = 8


def ours(folder: Path) -> Result:
    """``fhpt_bench.score`` on the folder: all metrics, all regions, all intervals, with no cached feature."""
    from fhpt_bench import score

    start = clock()
    with empty_feature_cache(), tempfile.TemporaryDirectory() as out:
        record = score(
            folder / "generated",
            protocol=PROTOCOL,
            data=catwalk(),
            limit=len(files(folder)),
            out=out,
            batch_size=BATCH,
            device="cpu",
            show=False,
        )
    whole = since(start)
    seconds = record.provenance.seconds
    # The processor's time cannot be told apart by stage; with it goes the loading of the networks, about a second.
    times = {"measure": (seconds["measure"], whole[1]), "summarise": (seconds["summarise"], 0.0)}
    return times, {s.name: s.value for s in record.scores if s.value is not None and "/" not in s.name}


def scikit_image(folder: Path) -> Result:
    """SSIM and PSNR of scikit-image in a loop, whole images only."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    start, found = clock(), []
    for pair in files(folder):
        generated, target = (_read(path) for path in pair)
        ssim = structural_similarity(
            target,
            generated,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        found.append((ssim, peak_signal_noise_ratio(target, generated, data_range=255)))
    ssim, psnr = np.mean(found, axis=0)
    return {"ssim, psnr": since(start)}, {"ssim": float(ssim), "psnr": float(psnr)}


def torchmetrics_ms_ssim(folder: Path) -> Result:
    """MS-SSIM of torchmetrics in a loop."""
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    start, found = clock(), []
    for pair in files(folder):
        x, y = (torch.from_numpy(_read(path)).permute(2, 0, 1)[None].float() for path in pair)
        found.append(float(multiscale_structural_similarity_index_measure(x, y, data_range=255.0)))
    return {"ms-ssim": since(start)}, {"ms-ssim": float(np.mean(found))}


def lpips_alex(folder: Path) -> Result:
    """The ``lpips`` package, one pair at a time as its README shows, AlexNet."""
    return _lpips(folder, "alex")


def lpips_vgg(folder: Path) -> Result:
    """The ``lpips`` package, one pair at a time as its README shows, VGG16."""
    return _lpips(folder, "vgg")


def torch_fidelity(folder: Path) -> Result:
    """FID and KID of torch-fidelity on the two folders, its own options as they are."""
    from torch_fidelity import calculate_metrics

    with inception_pth() as weights:
        start = clock()
        with contextlib.redirect_stderr(io.StringIO()):
            found = calculate_metrics(
                input1=str(folder / "generated"),
                input2=str(folder / "target"),
                feature_extractor_weights_path=str(weights),
                fid=True,
                kid=True,
                kid_subset_size=min(1000, len(files(folder))),
                batch_size=BATCH,
                cuda=False,
                cache=False,
                save_cpu_ram=True,
                verbose=False,
            )
        time = since(start)
    fid, kid = found["frechet_inception_distance"], found["kernel_inception_distance_mean"]
    return {"fid, kid": time}, {"fid": float(fid), "kid": float(kid)}


def bare(folder: Path) -> Result:
    """The networks alone, as their libraries hold them: every distinct image once, decoded already, in batches.

    The least that LPIPS (both networks) and FID cost with torchvision's and torch-fidelity's modules on this machine.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torchvision.models import alexnet, vgg16

    with inception_pth() as weights:
        inception = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))
    trunks = {"alexnet": alexnet().features[:12], "vgg16": vgg16().features[:30]}
    for name, trunk in trunks.items():
        trunk.load_state_dict(_trunk(name))
        trunk.eval()
    networks: dict[str, Callable[[NDArray[np.uint8]], object]] = {
        "inception": lambda images: inception(_tensor(images)),
        "alexnet": lambda images: trunks["alexnet"](_tensor(images).float() / 127.5 - 1),
        "vgg16": lambda images: trunks["vgg16"](_tensor(images).float() / 127.5 - 1),
    }
    return _forward(folder, networks)


def own_networks(folder: Path) -> Result:
    """As ``bare``, through our own forms of the three networks: what of our time is networks."""
    from fhpt_bench import features

    names = {"inception": "inception.pool3", "alexnet": "alexnet.taps", "vgg16": "vgg16.taps"}
    return _forward(folder, {name: features.build(feature, "cpu").extract for name, feature in names.items()})


CONTENDERS: dict[str, Callable[[Path], Result]] = {
    "bare": bare,
    "own networks": own_networks,
    "ours": ours,
    "scikit-image": scikit_image,
    "torchmetrics": torchmetrics_ms_ssim,
    "lpips alex": lpips_alex,
    "lpips vgg": lpips_vgg,
    "torch-fidelity": torch_fidelity,
}


def clock() -> Time:
    """Now."""
    return perf_counter(), process_time()


def since(start: Time) -> Time:
    """Between ``start`` and now."""
    return perf_counter() - start[0], process_time() - start[1]


def _lpips(folder: Path, net: str) -> Result:
    import lpips
    import torch

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls torchvision as torchvision no longer likes
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    given = _trunk({"alex": "alexnet", "vgg": "vgg16"}[net])
    # slice2.7.weight of theirs is torchvision's 7.weight; the scaling layer and the heads come with the package.
    model.net.load_state_dict({key: given[key.partition(".")[2]] for key in model.net.state_dict()})
    start, found = clock(), []
    with torch.no_grad():
        for pair in files(folder):
            found.append(float(model(*(lpips.im2tensor(_read(path)) for path in pair))))
    return {f"lpips[{net}]": since(start)}, {f"lpips[{net}]": float(np.mean(found))}


def _forward(folder: Path, networks: dict[str, Callable[[NDArray[np.uint8]], object]]) -> Result:
    """Time of each network over the distinct images of all pairs."""
    import torch

    images = {image.tobytes(): image for pair in files(folder) for image in (_read(path) for path in pair)}
    stack, times = np.stack(list(images.values())), {}
    with torch.inference_mode():
        for name, network in networks.items():
            network(stack[:BATCH])
            start = clock()
            for at in range(0, len(stack), BATCH):
                network(stack[at : at + BATCH])
            times[name] = since(start)
    return times, {"distinct images": float(len(stack))}


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _trunk(network: str) -> dict[str, Tensor]:
    from fhpt_bench.weights import load

    return {key.removeprefix("features."): value for key, value in load(network).items()}


def _read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


@contextlib.contextmanager
def empty_feature_cache() -> Iterator[Path]:
    """A cache with the weights of the real one and nothing else, so that nothing is measured before the clock
    starts."""
    from fhpt_bench import paths

    real, before = paths.cache(), os.environ.get("FHPT_BENCH_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "weights").symlink_to(real.resolve() / "weights")
        os.environ["FHPT_BENCH_CACHE"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["FHPT_BENCH_CACHE"]
            else:
                os.environ["FHPT_BENCH_CACHE"] = before


@contextlib.contextmanager
def inception_pth() -> Iterator[Path]:
    """Our Inception weights in the form that torch-fidelity reads."""
    import torch

    from fhpt_bench.weights import load

    parts = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}
    state = {}
    for key, value in load("inception-fid").items():
        layer, _, part = key.rpartition(".")
        state[f"{layer}.{parts[part]}"] = value
        if part == "beta":
            state[f"{layer}.bn.weight"] = torch.ones_like(value)
    # It builds the classifier too, which pool3 features do not need.
    state |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inception.pth"
        torch.save(state, path)
        yield path
