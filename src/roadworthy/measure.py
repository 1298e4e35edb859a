"""Warm up until steady, then samples."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WINDOW = 3  # calls whose median is compared
AGREE = 3  # windows that must agree
SPREAD = 0.05  # largest medians over smallest, minus one
LIMIT_S = 120.0


@dataclass(frozen=True)
class Warmup:
    """Whether a call became steady, and the medians (seconds) of the windows that say so."""

    steady: bool
    windows: tuple[float, ...]

    @property
    def because(self) -> str:
        """The reason in words."""
        last = self.windows[-AGREE:]
        shown = ", ".join(f"{1000 * w:.1f}" for w in last)
        spread = max(last) / min(last) - 1
        word = "agree" if self.steady else "do not agree"
        return f"the medians of the last {len(last)} windows of {WINDOW} calls, {shown} ms, {word} ({spread:.1%})"


def warm_up(
    sample: Callable[[int], Sequence[float]],
    clock: Callable[[], float] = time.perf_counter,
    limit_s: float = LIMIT_S,
    spread: float = SPREAD,
) -> Warmup:
    """Sample (`sample(calls)` gives seconds) until the medians of the last three windows lie within `spread`.

    It takes at most `limit_s` seconds of the clock.
    """
    windows: list[float] = []
    began = clock()
    while True:
        windows.append(statistics.median(sample(WINDOW)))
        if len(windows) >= AGREE and max(windows[-AGREE:]) <= min(windows[-AGREE:]) * (1 + spread):
            return Warmup(steady=True, windows=tuple(windows))
        if clock() - began > limit_s and len(windows) >= AGREE:
            return Warmup(steady=False, windows=tuple(windows))


def sample(call: Callable[[], object], calls: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for _ in range(calls):
        began = clock()
        call()
        seconds.append(clock() - began)
    return seconds


@dataclass(frozen=True)
class Speed:
    """What samples (seconds a call) say: images/s by the mean as ais_bench counts, latency (ms) median and p95."""

    images_per_second: float
    median_ms: float
    p95_ms: float


def speed(samples: Sequence[float], batch: int) -> Speed:
    """Figures of at least one sample; the p95 is the smallest sample that 95 % do not exceed."""
    ordered = sorted(samples)
    p95 = ordered[-(-95 * len(ordered) // 100) - 1]
    return Speed(batch / statistics.fmean(ordered), 1000 * statistics.median(ordered), 1000 * p95)


class Replay:
    """A clock (s) that stands still but for what it is told: the samples were taken elsewhere, and are told again."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self._now += seconds
