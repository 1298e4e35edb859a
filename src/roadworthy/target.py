"""What a card promises: figures, and how far below them a measured one may lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roadworthy.published import check_percent
from roadworthy.soc import Soc


@dataclass(frozen=True)
class Drop:
    """How far below its target a figure may lie: in points (of percent) or relative to the target, never both."""

    points: float | None = None
    relative: float | None = None

    def __post_init__(self) -> None:
        if (self.points is None) == (self.relative is None):
            raise ValueError('drop must hold one of "points" and "relative"')

    def floor(self, target: float) -> float:
        """The lowest passing mIoU (fraction) for a target (fraction)."""
        return target - self.points / 100 if self.points is not None else target * (1 - (self.relative or 0))


@dataclass(frozen=True)
class Target:
    """The promise: mIoU in percent on the whole of Cityscapes val, and ratios of best-batch throughput.

    `oom` lists batch sizes that are known not to fit a chip's memory.
    """

    miou: float
    drop: Drop
    judge: str
    vs: Mapping[str, float] = field(default_factory=dict)
    oom: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_percent(self.miou)

    def expects_oom(self, soc: Soc, batch: int) -> bool:
        """Whether a batch is known not to fit a chip; a tuned variant has the memory of its base."""
        return batch in self.oom.get(soc.name, self.oom.get(soc.atc_name, ()))


@dataclass(frozen=True)
class TrainingTarget:
    """The promise of a training guide: mIoU in percent on Cityscapes val after the last epoch.

    `vs` asks for this share of another chip's mIoU and images/s on as many devices, such as `{ GPU = 0.99 }`; `scaling`
    for this share of linear when devices are added.
    """

    miou: float
    drop: Drop
    vs: Mapping[str, float] = field(default_factory=dict)
    scaling: float | None = None

    def __post_init__(self) -> None:
        check_percent(self.miou)
        if wrong := [name for name, share in self.vs.items() if not 0 < share <= 1]:
            raise ValueError(f"vs.{wrong[0]} is {self.vs[wrong[0]]}; it must be a share such as 0.99")
        if self.scaling is not None and not 0 < self.scaling <= 1:
            raise ValueError(f"scaling is {self.scaling}; it must be a share of linear such as 0.9")
