"""Keeps the tanh at the end of a generator from dying."""

from __future__ import annotations

from torch import Tensor, nn

BEYOND = 4.0
"""tanh has 0.1 % of its gradient left there."""


class Saturation:
    """Looks at what the last convolution gives tanh while it trains, and charges for values far beyond ``BEYOND``.

    Sparse heatmaps come out of batch normalisation as peaks of tens of standard deviations where joints crowd. tanh
    saturates there within the first steps, has no gradient, and the place stays black: a disc at every neck.
    """

    def __init__(self, last: nn.Conv2d) -> None:
        self._given: list[Tensor] = []
        last.register_forward_hook(self._remember)

    def _remember(self, conv: nn.Module, _: object, given: Tensor) -> None:
        if conv.training:
            self._given[:] = [given]

    def take(self) -> Tensor:
        """Mean of the squares beyond, of the last forward pass, which is then forgotten; its gradient does not fade."""
        beyond = (self._given.pop().float().abs() - BEYOND).relu()
        return beyond.square().mean()
