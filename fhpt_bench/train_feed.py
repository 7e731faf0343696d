"""How far training is, and the batches that come next."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from fhpt_bench.train_config import Recipe
from fhpt_bench.train_data import TrainingPairs


class Plan:
    """How far training is: by samples, by the clock, or by whichever is nearer its end."""

    def __init__(self, recipe: Recipe, samples: int | None, budget: float | None) -> None:
        self.recipe, self.samples, self.budget = recipe, samples, budget

    def progress(self, seen: int, elapsed: float) -> float:
        parts = [seen / self.samples] if self.samples else []
        return min(1.0, max([*parts, elapsed / self.budget] if self.budget else parts))


class Feed:
    """Batches of this process, prepared ahead by ``workers`` threads; the same ones whatever their number."""

    def __init__(self, pairs: TrainingPairs, stride: int, first: int, share: int, workers: int) -> None:
        self.pairs, self.stride, self.first, self.share, self.workers = pairs, stride, first, share, workers
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.ahead: dict[tuple[int, float], Future[dict[str, Tensor]]] = {}

    def _make(self, seen: int, scale: float) -> dict[str, Tensor]:
        return self.pairs.drawn(range(seen + self.first, seen + self.first + self.share), scale)

    def at(self, seen: int, scale: float) -> dict[str, Tensor]:
        """The batch that begins at sample ``seen``."""
        if self.pool is None:
            return self._make(seen, scale)
        for step in range(self.workers + 1):
            key = (seen + step * self.stride, scale)
            if key not in self.ahead:
                self.ahead[key] = self.pool.submit(self._make, *key)
        batch = self.ahead.pop((seen, scale)).result()
        self.ahead = {key: future for key, future in self.ahead.items() if key[1] == scale}
        return batch

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
