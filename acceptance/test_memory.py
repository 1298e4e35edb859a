"""Memory: every batch fits its chip, but for those that the card knows not to fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import gates

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.evidence import Evidence
    from roadworthy.gates import Verdict


@pytest.mark.roadworthy("all")
def test_memory(case: Case, run: Evidence, judge: Callable[[Case, Verdict], None]) -> None:
    """The batch fits, or the card expects it not to."""
    judge(case, gates.memory(case.card, case.soc, case.batch, run.memory(case)))
