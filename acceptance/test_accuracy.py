"""mIoU, counted the guide's way, against the promise of the card and against what was measured before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import gates

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.evidence import Evidence
    from roadworthy.gates import Verdict
    from roadworthy.record import Record


@pytest.mark.roadworthy("all")
def test_accuracy(case: Case, run: Evidence, judge: Callable[[Case, Verdict], None]) -> None:
    """The model reaches the mIoU that its card promises."""
    judge(case, gates.accuracy(case.card, run.accuracy(case)))


@pytest.mark.roadworthy("all", measured=True)
def test_regression(case: Case, run: Evidence, committed: list[Record], judge: Callable[[Case, Verdict], None]) -> None:
    """The model is no worse than in the newest committed record of the same model, chip, data and runtime."""
    judge(case, gates.regression(run.accuracy(case), committed))
