"""What the benchmarks of stages share: a comparison in one run, and frames to compare on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

Compare = Callable[..., float]


@pytest.fixture
def compare(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Time `ours` and `reference` in turn; print medians (ms) and give how many times longer the reference takes.

    With `warm`, an untimed call of ours comes after each of the reference, which throws out what a core has at hand.
    This machine's clock wanders, so only the ratio of two things timed side by side is worth keeping.
    """

    def run(
        what: str, ours: Callable[[], object], reference: Callable[[], object], rounds: int = 20, *, warm: bool = False
    ) -> float:
        seconds: list[float] = []

        def timed_reference() -> None:
            began = time.perf_counter()
            reference()
            seconds.append(time.perf_counter() - began)
            if warm:
                ours()

        if benchmark.disabled:
            pytest.skip("--benchmark-disable leaves nothing to compare")
        ours()
        benchmark.group = "stages"
        benchmark.pedantic(ours, setup=timed_reference, rounds=rounds)
        mine, theirs = statistics.median(benchmark.stats.stats.data), statistics.median(seconds)
        ratio: float = theirs / mine
        benchmark.extra_info.update(what=what, reference_ms=1000 * theirs, ratio=ratio)
        with capsys.disabled():
            print(f"\n{what}: {1000 * mine:.1f} ms, reference {1000 * theirs:.1f} ms, ratio {ratio:.2f}")  # noqa: T201
        return ratio

    return run
