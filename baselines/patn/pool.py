"""The history of made images that the discriminators are shown (Shrivastava et al., CVPR 2017, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Keeps up to ``size`` made images with what they were made from.

    Kept in buffers, so that a snapshot holds them and a resumed run is the same run. In a run of several processes
    each has a pool of its own, and the snapshot holds the first one's.
    """

    def __init__(self, size: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.images: Tensor
        self.filled: Tensor
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, made: Tensor) -> Tensor:
        """N x C x H x W -> as many, to be judged.

        Until the pool is full each image is kept and given back. Then one in two is kept in place of an older one,
        which is given back instead. Drawn from torch's global generator.
        """
        given = made.detach().clone()
        size = len(self.images)
        for index, image in enumerate(made.detach()) if size else ():
            filled = int(self.filled)
            if filled < size:
                self.images[filled] = image
                self.filled += 1
            elif float(torch.rand(())) < 0.5:
                place = int(torch.randint(size, ()))
                given[index] = self.images[place]
                self.images[place] = image
        return given
