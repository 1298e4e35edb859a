"""Training: the mIoU that the card promises, another chip's mIoU and images/s, and what more devices bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roadworthy import trained

if TYPE_CHECKING:
    from roadworthy.case import TrainCase
    from roadworthy.gates import Verdict
    from roadworthy.record import Record


@pytest.mark.roadworthy("training")
def test_training_accuracy(
    case: TrainCase, training: list[Record], judge: Callable[[TrainCase, Verdict], None]
) -> None:
    """The model reaches, after its last epoch, the mIoU that its card promises of training."""
    judge(case, trained.accuracy(case, training))


@pytest.mark.roadworthy("training_ratios")
def test_training_ratio(
    case: TrainCase,
    other: str,
    required: float,
    training: list[Record],
    judge: Callable[[TrainCase, Verdict], None],
) -> None:
    """On as many devices, the chip trains as well and as fast as the card asks in comparison with the other."""
    judge(case, trained.against(case, other, required, training))


@pytest.mark.roadworthy("scaled")
def test_scaling(case: TrainCase, training: list[Record], judge: Callable[[TrainCase, Verdict], None]) -> None:
    """More devices do no more than their sum, and as much of it as the card asks."""
    judge(case, trained.scaling(case, training))
