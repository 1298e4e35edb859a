"""Learning rates: up in a line, down to nothing, never below."""

from __future__ import annotations

import pytest

from roadworthy.train import schedule

BOTH = pytest.mark.parametrize("share", [schedule.cosine, schedule.poly])


@BOTH
def test_the_rate_rises_in_a_line_to_the_whole(share):
    """The first step already learns, and the last of the warm-up has the card's rate, as the step after it."""
    assert [0.25, 0.5, 0.75, 1.0, 1.0] == [share(step, 100, 4) for step in range(5)]


@pytest.mark.parametrize(
    ("share", "values"),
    [
        (schedule.cosine, {4: 1.0, 28: 0.853553, 52: 0.5, 76: 0.146447, 100: 0.0}),  # (1 + cos(pi t)) / 2
        (schedule.poly, {4: 1.0, 28: 0.771890, 52: 0.535887, 76: 0.287175, 100: 0.0}),  # (1 - t) ** 0.9
    ],
)
def test_the_rate_falls_as_published(share, values):
    """A quarter, half, three quarters and all of what follows the warm-up."""
    assert pytest.approx(values, abs=1e-6) == {step: share(step, 100, 4) for step in values}


@BOTH
def test_without_a_warmup_the_first_step_has_the_whole_rate(share):
    """Nothing is divided by zero."""
    assert 1.0 == share(0, 10, 0)


@BOTH
@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (1, 1), (2, 1), (10, 3), (10, 10), (10, 20), (1000, 30)])
def test_the_rate_is_never_negative_and_only_falls_after_the_warmup(share, total, warmup):
    """Also of a run of one step, or one that is over before it is warm."""
    values = [share(step, total, warmup) for step in range(total)]

    assert 0 < min(values) <= max(values) <= 1
    assert values[warmup:] == sorted(values[warmup:], reverse=True)
