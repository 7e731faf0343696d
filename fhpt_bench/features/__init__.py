"""The networks behind the metrics, each on single images.

A feature's name may carry settings in brackets, separated by commas: how the network is fed (``torchmetrics``), and
what is done to the images first, as ``Prepare.label`` writes it: ``inception.pool3[clean,crop40:216,pad256x256]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from fhpt_bench import registry
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.types import Feature


def build(name: str, device: str = "cpu", data: str = "") -> Feature:
    """The feature called ``name``, its network on ``device``.

    ``data``: name of the data set that is measured, for evaluators trained on its training people. BenchError for an
    unknown name or setting, and where the network's weights cannot be had.
    """
    wanted = replace(Name.parse(name), data=data)
    feature: Feature = registry.find("features", wanted.network)(wanted, device)
    return feature


def networks(name: str) -> tuple[str, ...]:
    """Names of the networks (``fhpt_bench.weights``) behind the feature called ``name``; nothing is pulled."""
    wanted = Name.parse(name)
    of = getattr(registry.find("features", wanted.network), "networks", None)
    return tuple(of(wanted)) if of else ()


def feature_name(network: str, *settings: str, prepare: Prepare | None = None) -> str:
    """``network[settings,prepare]`` in its one canonical form, so that equal features have equal names."""
    steps = prepare.label if prepare else ""
    inside = ",".join(part for part in (*settings, steps) if part)
    return f"{network}[{inside}]" if inside else network


@dataclass(frozen=True)
class Name:
    """A feature's name, taken apart."""

    text: str
    network: str
    settings: tuple[str, ...]
    prepare: Prepare
    data: str = ""
    """The data set that is measured, where that is known."""

    _STEP: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<cut>cut)|stored(?P<stored>\d+)|crop(?P<crop>\d+:\d+)|(?P<filter>bicubic|bilinear|nearest|linear)(?P<resize>\d+x\d+)"
        r"|pad(?P<pad>\d+x\d+)|jpeg(?P<jpeg>\d+)|blur(?P<blur>\d+)"
    )

    @classmethod
    def parse(cls, text: str) -> Name:
        """BenchError where brackets do not close."""
        match = re.fullmatch(r"([^\[\]]+)(?:\[([^\[\]]*)\])?", text)
        if match is None:
            raise BenchError(f"{text!r} is not a feature's name", fix="network[setting,setting]")
        settings: list[str] = []
        steps: dict[str, Any] = {}
        for part in filter(None, (match[2] or "").split(",")):
            step = cls._STEP.fullmatch(part)
            if step is None:
                settings.append(part)
            else:
                steps |= {name: _numbers(value) for name, value in step.groupdict().items() if value is not None}
        return cls(text, match[1], tuple(settings), Prepare.of(steps))

    def choice(self, known: Sequence[str], default: str) -> str:
        """The one setting, which must be among ``known``; ``default`` if there is none. BenchError otherwise."""
        unknown = [setting for setting in self.settings if setting not in known]
        if unknown or len(self.settings) > 1:
            what = f"no setting {unknown[0]!r}" if unknown else f"more than one of {', '.join(self.settings)}"
            raise BenchError(
                f"{self.text!r}: {what}", fix=f"one of {', '.join(known)}" if known else f"use {self.network!r}"
            )
        return self.settings[0] if self.settings else default


def _numbers(text: str) -> Any:
    if text == "cut":
        return True
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if not numbers:
        return text
    return numbers if len(numbers) > 1 else numbers[0]


@contextmanager
def exact() -> Iterator[None]:
    """No gradients, and full float32 on an accelerator: TensorFloat-32 costs three of its seven digits."""
    import torch

    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
