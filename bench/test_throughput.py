"""Images/s and latency of every case, as records and in pytest-benchmark's own table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.run import Run

SECONDS = 5.0  # of samples for every case
ROUNDS = (10, 200)


@pytest.mark.roadworthy("all", measured=True)
def test_throughput(case: Case, run: Run, request: pytest.FixtureRequest) -> None:
    """The case's speed, once it is steady; a case that never becomes steady gives no number."""

    def collect(call: Callable[[], object], seconds: float) -> Sequence[float]:
        benchmark = request.getfixturevalue("benchmark")
        rounds = min(max(int(SECONDS / seconds), ROUNDS[0]), ROUNDS[1])
        if benchmark.disabled:
            pytest.skip("--benchmark-disable leaves nothing to record")
        benchmark.pedantic(call, rounds=rounds)
        benchmark.group = case.card.key
        samples: list[float] = benchmark.stats.stats.data
        return samples

    records = run.throughput(case, collect)
    if records[0].value is None:
        pytest.skip(f"{records[0].outcome}: {records[0].detail}")
    request.getfixturevalue("benchmark").extra_info.update(
        model=case.card.key,
        soc=case.soc.name,
        batch=case.batch,
        runtime=case.runtime,
        provider=records[0].provider,
        clock=records[0].clock,
        images_per_second=records[0].value,
    )
