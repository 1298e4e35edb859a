"""Throughput: best batch over best batch against the chips that the card names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import gates

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.evidence import Evidence
    from roadworthy.gates import Verdict


@pytest.mark.roadworthy("per_chip")
def test_ratios(case: Case, run: Evidence, judge: Callable[[Case, Verdict], None]) -> None:
    """The chip at its best batch is as many times faster as the card promises."""
    records = run.throughput_of_chips(case)
    judge(case, gates.ratios(case.card, case.soc, records))
