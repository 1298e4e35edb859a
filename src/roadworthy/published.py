"""The figures that a guide publishes: facts of a card, and records of origin `published`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from roadworthy.record import Record

Figure = float | Literal["oom", "blank"]  # out of memory; a cell that the guide leaves empty
ENVIRONMENT = ("driver", "firmware", "cann", "python", "torch")  # as records call them
RESULT = "result"  # the group of training runs that are promised and judged; others are a search for settings


@dataclass(frozen=True)
class TrainingRun:
    """One row of a training guide: mIoU (percent) of the last and of the best epoch, images/s of all devices together."""

    name: str
    group: str  # the guide's table that the row stands in
    chip: str = "unknown"
    devices: int | None = None
    miou: float | None = None
    best_miou: float | None = None
    throughput: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def records(self, model: str) -> list[Record]:
        """The row's figures; what the guide leaves empty stays absent."""
        percent = {"train.miou": self.miou, "train.best_miou": self.best_miou}
        figures = {metric: value and value / 100 for metric, value in percent.items()}
        figures["train.throughput"] = self.throughput
        return [
            Record(
                model=model,
                soc=self.chip,
                batch=None,
                metric=metric,
                value=value,
                source="published",
                run=self.name,
                devices=self.devices,
                settings={"group": self.group, **self.settings},
            )
            for metric, value in figures.items()
            if value is not None
        ]


@dataclass(frozen=True)
class Published:
    """mIoU (percent) and throughput (images/s) of chips by batch size, and rows of training; never a computed figure.

    A column has a figure for every size in `batch`, "oom" where memory did not suffice, "blank" where the guide says
    nothing. `environment` is what the guide states of the Ascend chips' machines: driver, firmware, cann, python, torch.
    """

    miou: Mapping[str, tuple[Figure, ...]] = field(default_factory=dict)
    throughput: Mapping[str, tuple[Figure, ...]] = field(default_factory=dict)
    training: tuple[TrainingRun, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := self.environment.keys() - set(ENVIRONMENT):
            raise ValueError(f"environment names {min(unknown)!r}; it must be one of {', '.join(ENVIRONMENT)}")
        for key, table in (("miou", self.miou), ("throughput", self.throughput)):
            batches = table.get("batch", ())
            if not all(isinstance(batch, float) and batch >= 1 and batch % 1 == 0 for batch in batches):
                raise ValueError(f"{key}.batch is {list(batches)}; it must be a list of whole numbers")
            if key == "miou" and any("oom" in column for column in table.values()):
                raise ValueError('miou holds "oom"; what did not fit stands in published.throughput')
            for figure in (
                f for soc, column in table.items() if soc != "batch" for f in column if not isinstance(f, str)
            ):
                if key == "miou":
                    check_percent(figure)
                elif figure <= 0:
                    raise ValueError(f"throughput holds {figure}; it must be images/s above 0")
            for soc, column in table.items():
                if len(column) != len(batches):
                    raise ValueError(f"{key}.{soc} has {len(column)} figures for {len(batches)} batch sizes")

    @property
    def chips(self) -> dict[str, list[str]]:
        """The chips that the figures are of, by the card's key that names them."""
        named = {
            key: [name for name in table if name != "batch"]
            for key, table in (("miou", self.miou), ("throughput", self.throughput))
        }
        return {**named, "training": [run.chip for run in self.training]}

    def records(self, model: str, runtimes: Mapping[str, str]) -> list[Record]:
        """All figures; `runtimes` names the runtime of a chip where it is not the chip's own."""
        found = [
            Record(model=model, soc=soc, batch=batch, metric="miou", value=figure / 100, source="published")
            for soc, batch, figure in _cells(self.miou)
            if not isinstance(figure, str)
        ]
        for soc, batch, figure in _cells(self.throughput):
            value, outcome = (None, "oom") if isinstance(figure, str) else (figure, "ok")
            found.append(
                Record(
                    model=model,
                    soc=soc,
                    batch=batch,
                    metric="throughput",
                    value=value,
                    outcome=outcome,  # type: ignore[arg-type]
                    source="published",
                    clock="wall" if runtimes.get(soc) == "eager" else "device",
                    runtime=runtimes.get(soc),
                )
            )
        return [*found, *(record for run in self.training for record in run.records(model))]


def check_percent(miou: float) -> None:
    """Raise ValueError where a mIoU is a fraction, or no share at all."""
    if not 1 < miou <= 100:
        raise ValueError(f"miou is {miou}; it must be in percent, such as 72.2")


def _cells(table: Mapping[str, tuple[Figure, ...]]) -> Iterator[tuple[str, int, Figure]]:
    batches = [int(batch) for batch in table.get("batch", ())]
    for soc, column in table.items():
        if soc != "batch":
            yield from (
                (soc, batch, figure) for batch, figure in zip(batches, column, strict=True) if figure != "blank"
            )
