"""Verdicts as a table: failed ones first, batch sizes that are judged alike in one row."""

from __future__ import annotations

from collections.abc import Sequence

from roadworthy import soc as chips
from roadworthy.ci import WORST_FIRST
from roadworthy.judged import Judged
from roadworthy.report.grid import Cell, Table, day, heads
from roadworthy.report.speed import outcome

HEADS = heads("outcome", "model", "chip", "batch", "gate", "observed", "required", "because", "from")


def counts(found: Sequence[Judged]) -> dict[str, int]:
    """How many verdicts there are of each outcome, worst first."""
    return {word: sum(judged.verdict.outcome == word for judged in found) for word in WORST_FIRST}


def table(found: Sequence[Judged]) -> Table:
    """A row for every verdict; of a chip's batch sizes with the same verdict, one."""
    rows: dict[tuple[object, ...], list[Judged]] = {}
    for judged in found:
        what = judged.cell if judged.batch is None else ""
        v = judged.verdict
        told = (v.gate, v.outcome, v.observed, v.required, v.because)
        rows.setdefault(
            (judged.model, judged.soc, what, told, judged.sources, judged.untrained, judged.runtimes), []
        ).append(judged)
    order = list(chips.socs())
    models = list(dict.fromkeys(judged.model for judged in found))
    ordered = sorted(
        rows.values(),
        key=lambda same: (
            WORST_FIRST.index(same[0].verdict.outcome), models.index(same[0].model), order.index(same[0].soc),
        ),
    )  # fmt: skip
    return Table(
        "verdicts", "Verdicts", HEADS, tuple(map(_row, ordered)),
        tuple(_notes(found, len(ordered))),
        stacked=True, filters=tuple(f"{same[0].verdict.outcome} {same[0].model}" for same in ordered),
    )  # fmt: skip


def _row(same: Sequence[Judged]) -> tuple[Cell, ...]:
    first, verdict = same[0], same[0].verdict
    batches = sorted({judged.batch for judged in same if judged.batch is not None})
    told = ", ".join(map(str, batches))
    origin = [*first.sources, *(["untrained weights"] if first.untrained else []), *first.runtimes, *_when(same)]
    return (
        outcome(verdict.outcome), Cell(first.model), Cell(_chip(first)), Cell(told, batches[0] if batches else 0),
        Cell(verdict.gate), Cell(verdict.observed), Cell(verdict.required), Cell(verdict.because),
        Cell(", ".join("drawn frames" if word == "sample" else word for word in origin)),
    )  # fmt: skip


def _chip(judged: Judged) -> str:
    """As guides call those that train together: NPU-8p."""
    return f"{judged.soc}-{judged.devices}p" if judged.devices else judged.soc


def _when(same: Sequence[Judged]) -> list[str]:
    """From the oldest to the newest, to the minute: batch sizes may be of several runs."""
    whens = sorted(judged.when for judged in same if judged.when)
    if not whens:
        return []
    first, last = day(whens[0]), day(whens[-1])
    date, space, _ = first.partition(" ")
    return [first if first == last else f"{first} to {last.removeprefix(date + space)}"]


def _notes(found: Sequence[Judged], rows: int) -> list[str]:
    notes = [f"{rows} rows of {len(found)} verdicts: batch sizes with the same verdict share a row."]
    if aside := sum("sample" in judged.sources or judged.untrained for judged in found):
        notes.append(
            f"{aside} of them are on drawn frames or with untrained weights: they show that the road works, and say "
            "nothing of Cityscapes."
        )
    return notes
