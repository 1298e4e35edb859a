"""Warm-up until steady, and figures of samples; the clock is given, so nothing here waits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, repeat

import pytest

from roadworthy import measure


class Clock:
    """A clock that only a call moves, by the next of its durations."""

    def __init__(self, seconds: Iterator[float]) -> None:
        self.now, self.seconds, self.calls = 0.0, seconds, 0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def work(self, calls: int) -> list[float]:
        """The next durations."""
        self.calls += calls
        taken = [next(self.seconds) for _ in range(calls)]
        self.now += sum(taken)
        return taken


def test_warm_up_ends_when_three_windows_agree():
    """A slow start is left behind: three windows of three calls after it."""
    clock = Clock(chain([1.0, 0.9, 0.8, 0.5, 0.4, 0.3], repeat(0.1)))
    warm = measure.warm_up(clock.work, clock)

    assert warm.steady
    assert 15 == clock.calls
    assert pytest.approx((0.9, 0.4, 0.1, 0.1, 0.1)) == warm.windows


def test_a_call_that_never_settles_is_told_and_not_measured():
    """Alternating windows stop at the limit with the reason."""
    clock = Clock(cycle([0.1] * 3 + [0.2] * 3))
    warm = measure.warm_up(clock.work, clock, limit_s=5)

    assert not warm.steady
    assert "do not agree (100.0%)" in warm.because


def test_speed_counts_as_the_guides_do():
    """Images/s by the mean, as ais_bench; the median and the 95th percentile of latency in ms."""
    speed = measure.speed([0.1] * 19 + [0.3], batch=4)

    assert pytest.approx((4 / 0.11, 100, 100)) == (speed.images_per_second, speed.median_ms, speed.p95_ms)
    assert pytest.approx(300) == measure.speed([0.1] * 9 + [0.3], batch=1).p95_ms


def test_a_replayed_clock_goes_by_what_it_is_told():
    """Samples taken by another clock are told again, second by second."""
    clock = measure.Replay()
    clock.advance(0.25)

    assert (0.25, [0.5]) == (clock(), measure.sample(lambda: clock.advance(0.5), 1, clock))
