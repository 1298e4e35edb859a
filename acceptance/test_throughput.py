"""Throughput: best batch over best batch against the chips that the card or a profile names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import gates

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.evidence import Evidence
    from roadworthy.gates import Verdict


@pytest.mark.roadworthy("ratios")
def test_ratio(
    case: Case, other: str, required: float | None, run: Evidence, judge: Callable[[Case, Verdict], None]
) -> None:
    """The delivered chip at its best batch is as many times faster than the other as the card or the profile asks."""
    judge(case, gates.ratio(case.card, case.soc, other, required, run.throughput_of_chips(case)))
