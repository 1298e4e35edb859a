"""Images/s and latency of every case, as records and in pytest-benchmark's own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from roadworthy import measure

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.run import Run


CLOCK = measure.Replay()


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.roadworthy("all", measured=True)
def test_throughput(case: Case, run: Run, benchmark: Any) -> None:
    """The case's speed by its session's own clock, once it is steady; a case that never becomes steady gives no number."""
    if benchmark.disabled:
        pytest.skip("--benchmark-disable leaves nothing to record")
    records = run.throughput(case)
    own = records[0]
    if own.value is None or run.out is None or own.samples is None:
        pytest.skip(f"{own.outcome}: {own.detail}")
    samples = iter(seconds := np.load(run.out / own.samples)["seconds"].tolist())
    benchmark.pedantic(lambda: CLOCK.advance(next(samples)), rounds=len(seconds))
    benchmark.group = case.card.key
    benchmark.extra_info.update(
        model=case.card.key,
        soc=case.soc.name,
        batch=case.batch,
        runtime=own.runtime,
        provider=own.provider,
        clock=own.clock,
        images_per_second=own.value,
    )
