"""One way from a name to a class: a greppable table, then entry points, then ``module:attr`` or ``file.py:attr``."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from fhpt_bench.errors import BenchError

Kind = Literal["generators", "metrics", "datasets", "features"]

BUILT_IN: dict[Kind, dict[str, str]] = {
    "generators": {
        "truth": "fhpt_bench.generators:Truth",
        "copy-source": "fhpt_bench.generators:CopySource",
        "blank": "fhpt_bench.generators:Blank",
        "exact-warp": "fhpt_bench.generators:ExactWarp",
        "stranger": "fhpt_bench.generators:Stranger",
        "drn-noface": "fhpt_bench.baselines.drn:DRNNoFace",
        "drn-coarse": "fhpt_bench.baselines.drn:DRNCoarse",
        "rate-net-coarse": "fhpt_bench.baselines.rate_net:Coarse",
    },
    "datasets": {
        "catwalk": "fhpt_bench.datasets.catwalk:Catwalk",
        "deepfashion": "fhpt_bench.datasets.deepfashion:by_name",
        "market1501": "fhpt_bench.datasets.market1501:by_name",
    },
    "metrics": {
        "face": "fhpt_bench.metrics.face:FaceIdentity",
        "ssim": "fhpt_bench.metrics.ssim:SSIM",
        "psnr": "fhpt_bench.metrics.psnr:PSNR",
        "ms-ssim": "fhpt_bench.metrics.ms_ssim:MSSSIM",
        "mask-ssim": "fhpt_bench.metrics.ssim:MaskSSIM",
        "lpips": "fhpt_bench.metrics.lpips:LPIPS",
        "mask-lpips": "fhpt_bench.metrics.lpips:MaskLPIPS",
        "fid": "fhpt_bench.metrics.fid:FID",
        "kid": "fhpt_bench.metrics.kid:KID",
        "is": "fhpt_bench.metrics.inception_score:InceptionScore",
        "dists": "fhpt_bench.metrics.dists:DISTS",
        "detection-score": "fhpt_bench.metrics.detection_score:DetectionScore",
        "retrieval": "fhpt_bench.metrics.retrieval:Retrieval",
        "kec": "fhpt_bench.metrics.kec:KEC",
        "pckh": "fhpt_bench.metrics.pck:PCKh",
        "pck": "fhpt_bench.metrics.pck:PCK",
        "gender": "fhpt_bench.metrics.gender:GenderBias",
        "attrrec": "fhpt_bench.metrics.attributes:AttrRec",
        "fashion-is": "fhpt_bench.metrics.attributes:FashionIS",
    },
    "features": {
        "face": "fhpt_bench.features.face:Face",
        "inception.pool3": "fhpt_bench.features.inception:Pool3",
        "inception.logits": "fhpt_bench.features.inception:Logits",
        "alexnet.taps": "fhpt_bench.features.trunks:AlexNetTaps",
        "vgg16.taps": "fhpt_bench.features.trunks:VGG16Taps",
        "vgg16.l2taps": "fhpt_bench.features.trunks:VGG16L2Taps",
        "inception.first64": "fhpt_bench.features.inception:First64",
        "gender.vgg": "fhpt_bench.features.evaluators:GenderVGG",
        "attributes.vgg": "fhpt_bench.features.evaluators:AttributesVGG",
        "retrieval.vgg": "fhpt_bench.features.evaluators:RetrievalVGG",
        "retrieval.resnet": "fhpt_bench.features.evaluators:RetrievalResNet",
        "pose": "fhpt_bench.features.pose:Pose",
        "detection": "fhpt_bench.features.detection:Detection",
    },
}


def names(kind: Kind) -> list[str]:
    """Every name that ``find`` knows without being given a path."""
    known = set(BUILT_IN[kind]) | {point.name for point in entry_points(group=f"fhpt_bench.{kind}")}
    if kind == "generators":
        known |= {model_name(p) for p in baseline_folders()}
    return sorted(known)


def baseline_folders() -> list[Path]:
    """Folders of baselines: those that ship, then those of ``$FHPT_BENCH_BASELINES``."""
    from fhpt_bench.baselines import __path__ as roots

    found: dict[str, Path] = {}
    for root in roots:
        for folder in sorted(Path(root).glob("*/model.py")):
            found.setdefault(folder.parent.name, folder.parent)
    return list(found.values())


def model_name(folder: Path) -> str:
    """``rate-net`` for the package ``rate_net``."""
    return folder.name.replace("_", "-")


def baseline(name: str) -> Path | None:
    """Folder of the baseline that a model's name (``rate-net`` or ``rate_net``) stands for, if there is one."""
    return next((folder for folder in baseline_folders() if folder.name == name.replace("-", "_")), None)


def find(kind: Kind, name: str) -> Any:
    """The object that ``name`` stands for; a BenchError that suggests near names where there is none."""
    if target := BUILT_IN[kind].get(name):
        return _load(target, name)
    for point in entry_points(group=f"fhpt_bench.{kind}"):
        if point.name == name:
            try:
                return point.load()
            except Exception as error:
                raise BenchError(
                    f"entry point {name!r} ({point.value}) does not load: {error}", fix="mend the plugin"
                ) from error
    if kind == "generators" and (folder := baseline(name)) is not None:
        return _load(f"fhpt_bench.baselines.{folder.name}:generator", name)
    if ":" in name:
        return _load(name, name)
    near = difflib.get_close_matches(name, names(kind), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names(kind))}"
    raise BenchError(f"no {kind[:-1]} is called {name!r}", fix=f"{hint} (fhpt-bench list {kind})")


def _load(target: str, name: str) -> Any:
    module_name, _, attribute = target.rpartition(":")
    if module_name.endswith(".py"):
        module = _load_file(Path(module_name))
    else:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
                raise BenchError(
                    f"no module {module_name!r}", where=name, fix="check the spelling and PYTHONPATH"
                ) from error
            raise BenchError(
                f"{module_name} needs the package {error.name!r}", where=name, fix=f"pip install {error.name}"
            ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        have = [n for n in vars(module) if not n.startswith("_")]
        near = difflib.get_close_matches(attribute, have, n=3)
        raise BenchError(
            f"{module_name} has no {attribute!r}",
            where=name,
            fix=f"did you mean {', '.join(near)}?" if near else "name a class of that file",
        ) from None


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise BenchError("no such file", where=path, fix="--model file.py:Class needs a file that exists")
    # A name that the path decides, so that a spawned worker imports the same module.
    module_name = f"_fhpt_file_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise BenchError(
            f"{type(error).__name__}: {error}", where=path, fix="the file must import without error"
        ) from error
    return module


__all__ = ["BUILT_IN", "baseline", "baseline_folders", "find", "model_name", "names"]
