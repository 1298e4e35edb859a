"""One cell to judge: card x chip x batch size, or card x chip x devices that train together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roadworthy.card import ModelCard
from roadworthy.soc import Soc


@dataclass(frozen=True)
class Case:
    """One model on one chip at one batch size; `chosen` is a runtime asked for by name."""

    card: ModelCard
    soc: Soc
    batch: int
    chosen: str = ""

    @property
    def id(self) -> str:
        """The test id and the row of every report, such as `erfnet-bs4-Ascend310P3`."""
        return f"{self.card.key}-bs{self.batch}-{self.soc.name}"

    @property
    def runtime(self) -> str:
        """The runtime asked for, else the one that the card names for this chip, else the chip's own."""
        return self.chosen or self.card.runtime.get(self.soc.name, self.soc.runtime)

    @property
    def impossible(self) -> str | None:
        """Why no machine can run the case, or None."""
        if self.batch > 1 and self.card.export.batches == (1,):
            return f"the graph of {self.card.key} is for batch 1 alone, by its guide"
        return None


@dataclass(frozen=True)
class TrainCase:
    """One model trained on so many devices of one chip."""

    card: ModelCard
    soc: Soc
    devices: int

    @property
    def id(self) -> str:
        """The test id, such as `icnet-8p-NPU`."""
        return f"{self.card.key}-{self.devices}p-{self.soc.name}"


def expand(
    cards: Iterable[ModelCard], socs: Sequence[Soc], batches: Sequence[int] = (), runtime: str = ""
) -> list[Case]:
    """All cells: the batch sizes asked for, else those of the card up to the chip's limit."""
    return [
        Case(card, soc, batch, runtime)
        for card in cards
        for soc in socs
        for batch in batches or [b for b in card.export.batches if soc.batches is None or b <= soc.batches]
    ]
