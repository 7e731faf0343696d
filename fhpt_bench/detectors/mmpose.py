"""mmpose's whole-body networks: 133 points in the order of COCO-WholeBody, built from mmpose's own packaged configs.

mmpose 1.3.2 as ``make extras`` installs it, without the parts that no longer install. Jiang et al., RTMPose, 2023, and
RTMW, 2024; Sun et al., Deep High-Resolution Representation Learning, CVPR 2019, with the decoding of Zhang et al.,
Distribution-Aware Coordinate Representation (DARK), CVPR 2020.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fhpt_bench import weights
from fhpt_bench.detectors.mappings import POINTS_FROM_WHOLEBODY133, translate
from fhpt_bench.errors import BenchError
from fhpt_bench.points import PARTS, WIDTH, pack
from fhpt_bench.types import Image, Rows

THRESHOLD = 0.3
"""Confidence from which a point is found: what mmpose's own demos draw from (``--kpt-thr``)."""


@dataclass(frozen=True)
class Model:
    """A network: its config below mmpose's packaged ``configs``, and the name of its weights."""

    config: str
    weights: str


_CONFIGS = "wholebody_2d_keypoint"
MODELS: dict[str, Model] = {
    "rtmw-x": Model(f"{_CONFIGS}/rtmpose/cocktail14/rtmw-x_8xb320-270e_cocktail14-384x288.py", "mmpose-rtmw-x"),
    "rtmw-l": Model(f"{_CONFIGS}/rtmpose/cocktail14/rtmw-l_8xb320-270e_cocktail14-384x288.py", "mmpose-rtmw-l"),
    "rtmpose-m": Model(
        f"{_CONFIGS}/rtmpose/coco-wholebody/rtmpose-m_8xb64-270e_coco-wholebody-256x192.py", "mmpose-rtmpose-m"
    ),
    "hrnet-w48-dark": Model(
        f"{_CONFIGS}/topdown_heatmap/coco-wholebody/td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288.py",
        "mmpose-hrnet-w48",
    ),
}
DEFAULT = "rtmw-x"
"""The best of them whose hash is published; no hash of rtmw-l is, so it must be named: ``rtmw-l@<sha256>``."""


class MMPose:
    """``pose[mmpose]``, or ``pose[mmpose,<model>]`` with a name of ``MODELS``.

    ``<model>@<64 hex digits>`` names the sha256 of the weights' file: that file and no other is then read. The box of
    the person is the whole image. Confidence is mmpose's own (``keypoints_visible``), clipped to 0..1; a point below
    ``THRESHOLD`` is not found. RTMW's confidence comes out of a sharpened softmax and is seldom low: with it, look at
    ``kec[all]`` and not at the share of points found. Heatmap and RTMPose models give the height of the peak.
    """

    takes_settings: ClassVar[bool] = True

    @classmethod
    def networks(cls, *settings: str) -> tuple[str, ...]:
        """Names of the weights; BenchError for an unknown model."""
        return (_choice(settings)[1],)

    def __init__(self, device: str, *settings: str) -> None:
        """Raises BenchError where mmpose or the weights cannot be had, or the weights are not this model's."""
        model, network = _choice(settings)
        self.name = ",".join(("mmpose", *settings))
        mmpose = load_mmpose()
        self.key = f"mmpose {mmpose.__version__} {model} {weights.digest(network)} {THRESHOLD} 1"
        self._model: Any = build_network(MODELS[model].config, device)
        _fill(self._model, network)

    def detect(self, images: NDArray[np.uint8]) -> Rows:
        """N x H x W x 3 RGB -> N x 270 float32 (``points.pack``). Each image alone, so batching cannot matter."""
        if self._model is None:
            raise BenchError(f"the detector {self.name} is closed", fix="build another")
        rows = [self._one(image) for image in images]
        return np.stack(rows) if rows else np.empty((0, WIDTH), np.float32)

    def close(self) -> None:
        self._model = None

    def _one(self, image: Image) -> NDArray[np.float32]:
        from mmpose.apis import inference_topdown

        from fhpt_bench.features import exact

        with _quiet(), exact():
            # mmpose reads files with OpenCV, so an array in memory is expected to be BGR as well.
            [found] = inference_topdown(self._model, np.ascontiguousarray(image[:, :, ::-1]))
        instance = found.pred_instances
        confidence = np.clip(np.asarray(instance.keypoints_visible[0], np.float32), 0, 1)
        whole = np.column_stack([np.asarray(instance.keypoints[0], np.float32), confidence])
        whole[~(confidence >= THRESHOLD)] = (np.nan, np.nan, 0)
        ours = translate(whole, POINTS_FROM_WHOLEBODY133)
        return pack(*(ours[PARTS[part]] for part in ("body", "right_hand", "left_hand", "face"))).reshape(WIDTH)


def _choice(settings: tuple[str, ...]) -> tuple[str, str]:
    """Settings -> model, name of its weights (with the sha256, where one is named)."""
    if len(settings) > 1:
        raise BenchError(f"more than one model for mmpose: {', '.join(settings)}", fix=f"one of {', '.join(MODELS)}")
    model, at, sha256 = (settings[0] if settings else DEFAULT).partition("@")
    if model not in MODELS:
        raise BenchError(f"no model of mmpose is called {model!r} here", fix=f"one of {', '.join(MODELS)}")
    return model, f"{MODELS[model].weights}{at}{sha256}"


def load_mmpose() -> ModuleType:
    """mmpose, with everything of it that its registries look for. BenchError naming ``make extras`` where it is not."""
    try:
        with _quiet(), _stand_ins():
            import mmpose
            import mmpose.apis
            import mmpose.datasets.datasets
    except ImportError as error:
        fix = "apt-get install libgl1 libglib2.0-0" if ".so" in str(error) else "make extras"
        raise BenchError(f"mmpose cannot be imported: {error}", fix=fix) from error
    module: ModuleType = mmpose
    return module


def build_network(config: str, device: str) -> Any:
    """mmpose's ``init_model`` for a config below its packaged ones (or an absolute path), weights still random."""
    import mmpose
    from mmpose.apis import init_model

    path = Path(mmpose.__file__).parent / ".mim" / "configs" / config
    # The backbone's own scope is mmdet, which has the same class and is not installed; init_cfg would download.
    options = {"model.backbone._scope_": "mmpose", "model.backbone.init_cfg": None}
    with _quiet():
        return init_model(str(path), None, device, cfg_options=options)


def _fill(model: Any, network: str) -> None:
    """The checked weights into the model: all of them, or a BenchError. mmengine would only print what is missing."""
    import torch

    tensors: dict[str, torch.Tensor] = weights.load(network)
    fix = "weights and model must belong together: name the model that the file was trained as"
    try:
        missing = model.load_state_dict(tensors, strict=False).missing_keys
    except RuntimeError as error:
        raise BenchError(f"{network} does not fit the model: {str(error).splitlines()[-1].strip()}", fix=fix) from error
    if missing:
        raise BenchError(f"{network} lacks {len(missing)} tensors of the model, {missing[0]!r} first", fix=fix)


@contextmanager
def _quiet() -> Iterator[None]:
    """What mmpose, mmengine and mmcv print and warn of is about their own code (deprecations, optional parts)."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


_ABSENT: dict[str, tuple[str, tuple[str, ...]]] = {
    # module: (whether it works is seen by the presence of, names that mmpose takes from it)
    "mmcv.ops": ("mmcv._ext", ("MultiScaleDeformableAttention",)),
    "mmdet": ("mmdet", ()),
    "mmdet.utils": ("mmdet.utils", ("ConfigType", "reduce_mean")),
}
"""Modules that mmpose imports at its top for models that are not used here."""


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty modules for what cannot be installed, while mmpose is imported; a real one is left alone."""
    put: list[str] = []
    try:
        if not _present("xtcocotools"):
            for part in ("", ".coco", ".cocoeval", ".mask"):
                sys.modules[f"xtcocotools{part}"] = importlib.import_module(f"pycocotools{part}")
                put.append(f"xtcocotools{part}")
        for name, (sign, attributes) in _ABSENT.items():
            if not _present(sign):
                module = ModuleType(name)
                for attribute in attributes:
                    setattr(module, attribute, type(attribute, (), {}))
                sys.modules[name] = module
                put.append(name)
        yield
    finally:
        for name in put:
            sys.modules.pop(name, None)


def _present(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is not there either
        return False
