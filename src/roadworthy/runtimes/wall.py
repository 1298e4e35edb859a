"""Sessions that run a batch in a call, timed by the host's clock, copies included."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from roadworthy.record import Clock


class WallSession:
    """What such sessions share; `shape` is the input's (N, 3, H, W)."""

    provider: str
    threads: int
    clock: Clock = "wall"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.facts: Mapping[str, str] = {}
        self._frames: NDArray[np.float32] | None = None

    def run(self, batch: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Outputs (N, ...) of one batch (N, 3, H, W); raises OutOfMemory where it does not fit."""
        raise NotImplementedError

    def stream(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.generic]]]:
        """Outputs of every batch, in order."""
        for batch in batches:
            if batch.shape != self.shape:
                raise ValueError(f"the session was opened for {self.shape}, the input is {batch.shape}")
            yield self.run(batch)

    def sample(self, calls: int) -> list[float]:
        """Seconds of each call on random input."""
        if self._frames is None:
            self._frames = np.random.default_rng(0).random(self.shape, np.float32)
        seconds = []
        for _ in range(calls):
            began = time.perf_counter()
            self.run(self._frames)
            seconds.append(time.perf_counter() - began)
        return seconds
