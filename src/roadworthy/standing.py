"""Records -> the figures that stand: of every cell the newest, and those that verdicts are given on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from roadworthy import gates
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.record import STANDIN, Record
from roadworthy.soc import Soc


def figures(card: ModelCard, records: Iterable[Record]) -> list[Record]:
    """The newest figure of every cell of a model: what its guide publishes, replaced by what was measured.

    Nothing of the CPU (such as how alike graphs are), of a stand-in for a chip, of drawn frames, and no mIoU of other
    frames than Cityscapes val. A training run that the guide has no row of is one more. An unstable run is no figure;
    it takes away a loss that is older.
    """
    return _newest(card, records)[0]


def counted(card: ModelCard, records: Iterable[Record]) -> list[Record]:
    """The figures that verdicts are given on: those of a delivered chip that ran, however unsteadily, are its own alone.

    An unstable run that is the newest of its cell is there too: it is no figure, and yet the chip ran.
    """
    known, unstable = _newest(card, records)
    return gates.counted(card, [*known, *unstable])


def delivered(card: ModelCard, known: Iterable[Record]) -> list[Soc]:
    """The chip that a card delivers, tuned and not, where it has figures; untuned where it has none."""
    judge, there = chips.find(card.target.judge).atc_name, {r.soc for r in known}
    own = [soc for soc in chips.socs().values() if soc.atc_name == judge and soc.name in there]
    return own or [chips.find(judge)]


def _newest(card: ModelCard, records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """The newest figure of every cell, and the unstable runs that are the newest of their cells."""
    own = sorted((r for r in records if r.model == card.key and _of_chip(r)), key=lambda r: r.when or "")
    last = {_cell_of(r): r for r in own if _counts(r) or r.outcome == "unstable"}
    unstable = {cell: r for cell, r in last.items() if r.outcome == "unstable"}
    counting = [r for r in own if _counts(r) and (r.value is not None or _cell_of(r) not in unstable)]
    known = {_cell_of(r): r for r in [*card.published(), *counting]}  # a chip that ran since is no longer lost there
    return list(known.values()), list(unstable.values())


def _cell_of(record: Record) -> tuple[Any, ...]:
    """What a newer figure of the same replaces."""
    cell = (record.run, record.settings.get("group")) if record.run else (record.soc, record.batch)
    return (record.metric, *cell)


def _of_chip(record: Record) -> bool:
    return record.source == "measured" and record.soc != "cpu" and record.runtime != STANDIN


def _counts(record: Record) -> bool:
    """Whether what a chip did says something of it."""
    if record.metric.startswith("agreement."):  # graphs run on the host, under the name of the chip that they are for
        return False
    if record.outcome == "unstable":  # says nothing, and a reference without its best batch would flatter every ratio
        return False
    if record.outcome != "ok" or "miou" not in record.metric:
        return True
    start = record.metric.startswith("train.")  # weights that nobody trained are where training starts
    return record.frames == gates.FULL_VAL and (start or not record.untrained)
