"""The network says the same as a graph, after surgery, and at every batch size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import gates

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.gates import Verdict
    from roadworthy.run import Run


@pytest.mark.roadworthy("per_chip", measured=True)
def test_parity(case: Case, run: Run, judge: Callable[[Case, Verdict], None]) -> None:
    """The graph, exported and after surgery, gives the class maps of the torch module."""
    judge(case, gates.parity(run.parity(case)))


@pytest.mark.roadworthy("batched", measured=True)
def test_batch_invariance(case: Case, run: Run, judge: Callable[[Case, Verdict], None]) -> None:
    """The class maps do not depend on the batch size."""
    judge(case, gates.batch_invariance(run.batch_agreement(case)))
