"""What the benchmarks of stages share: two ways of doing one thing, compared in one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest

from roadworthy.measure import sample

Compare = Callable[..., float]


@pytest.fixture
def compare(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Time `ours` and `reference` in turn; print medians (ms) and give how many times longer the reference takes.

    The clock of a shared machine wanders: only the ratio of two calls timed side by side is worth keeping. With
    `apart`, all calls of ours come first: a kernel of a few ms is not to pay for what the reference did to the caches.
    """

    def run(
        what: str, ours: Callable[[], object], reference: Callable[[], object], rounds: int = 20, *, apart: bool = False
    ) -> float:
        if benchmark.disabled:
            pytest.skip("--benchmark-disable leaves nothing to compare")
        theirs: list[float] = []
        ours()
        benchmark.group = "stages"
        benchmark.pedantic(ours, setup=None if apart else lambda: theirs.extend(sample(reference, 1)), rounds=rounds)
        theirs = theirs or sample(reference, rounds)
        mine = benchmark.stats.stats.data
        ratio: float = statistics.median(b / a for a, b in zip(mine, theirs, strict=True))
        median, plain = (1000 * statistics.median(seconds) for seconds in (mine, theirs))
        benchmark.extra_info.update(what=what, reference_ms=plain, ratio=ratio)
        with capsys.disabled():
            print(f"\n{what}: {median:.1f} ms, reference {plain:.1f} ms, ratio {ratio:.2f}")  # noqa: T201
        return ratio

    return run
