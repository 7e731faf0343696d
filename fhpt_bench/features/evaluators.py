"""The trained evaluators as features: what a metric reads of an image's gender, item and attributes.

A name may pin the weights by the first hex digits of their sha256, ``gender.vgg[pin=0123456789ab]``, as protocols do:
with any other file the column is unavailable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from fhpt_bench import evaluators
from fhpt_bench.errors import BenchError
from fhpt_bench.evaluators.network import Evaluator
from fhpt_bench.features import Name, feature_name


class _Trained:
    """Images -> N x D float32 through the evaluator of the data set that is measured (``Name.data``)."""

    evaluator: ClassVar[str]
    small = True

    def __init__(self, name: Name, device: str) -> None:
        self.name, self.prepare = name.text, name.prepare
        pin = _pin(name)
        if not name.data:
            raise BenchError(f"{name.text} depends on the data set that is measured", fix="build(name, device, data)")
        self.trained = Evaluator(evaluators.find(self.evaluator, name.data, pin), device)
        self.key = f"{self.name} {self.trained.found.sha256} {self.trained.digest} 1"

    def extract(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """N x H x W x 3 uint8 -> N x D float32."""
        return self.trained.extract(self.prepare.images(images))


class _OnVGG(_Trained):
    """A head on the taps that LPIPS reads too: the network runs once for both."""

    @classmethod
    def networks(cls, name: Name) -> tuple[str, ...]:
        return ("vgg16",)

    def __init__(self, name: Name, device: str) -> None:
        super().__init__(name, device)
        self.base = feature_name("vgg16.taps", prepare=self.prepare)

    def reduce(self, taps: Sequence[torch.Tensor]) -> NDArray[np.float32]:
        """What ``extract`` gives, from ``base``'s taps of the same images."""
        return self.trained.reduce(taps)


class GenderVGG(_OnVGG):
    """N x 1: probability of the presentation label ``men``. For benchmark images only, never for real individuals."""

    evaluator = "gender"


class AttributesVGG(_OnVGG):
    """N x L: log-probabilities of the clothing labels, ``evaluators.labels("attributes", data)`` in column order.

    Softmax'ed within each group: the exponentials of a group's columns sum to 1.
    """

    evaluator = "attributes"


class RetrievalVGG(_OnVGG):
    """N x D, length 1: embedding in which photographs of one item are near. Cosine is the inner product."""

    evaluator = "retrieval-vgg"


class RetrievalResNet(_Trained):
    """N x D, length 1, from a residual network: on Catwalk a small one trained from scratch, else ResNet-50."""

    evaluator = "retrieval-resnet"


def _pin(name: Name) -> str:
    """The hash that the name asks for; empty if none. BenchError for any other setting."""
    pins = [setting.removeprefix("pin=") for setting in name.settings]
    if len(pins) > 1 or any(not re.fullmatch(r"pin=[0-9a-f]{4,64}", setting) for setting in name.settings):
        raise BenchError(
            f"{name.text!r}: settings {', '.join(name.settings)}", fix="at most one: pin=<first hex digits>"
        )
    return pins[0] if pins else ""
