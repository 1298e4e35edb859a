"""IoU of each class on a chip, beside a reference on the same frames: a mean hides a class that fell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.classes import CLASSES
from roadworthy.gates import FULL_VAL
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.report.archive import Archive
from roadworthy.report.grid import Cell, Table, day, heads, marks, number

FELL = 0.05  # relative: mmsegmentation#632 lost 0.84 points of the mean and 14 % of one class
TORCH = "eager"
HEADS = heads("class", "#IoU %", "#reference %", "#difference", "#relative")


def tables(card: ModelCard, archive: Archive) -> list[Table]:
    """A table for every chip of its newest mIoU that kept matrices, or why there is none.

    All of Cityscapes val comes before other frames, trained weights before untrained ones, a graph before the network.
    """
    rows = [r for r in archive.records if (r.model, r.metric) == (card.key, "miou") and r.value is not None]
    kept = [r for r in rows if r.samples]
    newest = {r.soc: r for r in sorted(kept, key=_weight)}
    return [_table(card, own, rows, archive) for own in newest.values()]


def _weight(record: Record) -> tuple[bool, bool, bool]:
    """How much a record says of the chip's accuracy."""
    whole = record.source == "measured" and record.frames == FULL_VAL
    return whole, not record.untrained, record.runtime != TORCH


def per_class(matrices: NDArray[np.int64]) -> list[float | None]:
    """IoU of the 19 classes over the pixels of all frames, None for one that is neither labelled nor predicted.

    `matrices` is (frames, 19, 20); a void prediction, the last column, only adds to the union. Raises Problem for
    another shape.
    """
    if matrices.ndim != 3 or matrices.shape[1:] != (19, 20) or matrices.dtype.kind not in "iu":
        raise Problem(f"matrices are {matrices.dtype} {matrices.shape}; they must be whole numbers (frames, 19, 20)")
    total = matrices.sum(axis=0)
    hit = np.diagonal(total)
    union = total.sum(axis=1) + total[:, :19].sum(axis=0) - hit
    return [float(h / u) if u else None for h, u in zip(hit, union, strict=True)]


def reference(own: Record, rows: Sequence[Record]) -> Record | None:
    """What a record of mIoU is compared with: the newest of the same data in torch, or for a chip on the cpu.

    One with the same weights comes before those with others. Else the one before it in the same cell; None where there
    is none.
    """
    alike = [r for r in rows if r is not own and r.samples and r.data == own.data and r.untrained == own.untrained]
    hosts = {soc.name for soc in chips.socs().values() if soc.vendor == "host"}
    plain = [r for r in alike if r.runtime == TORCH or (r.soc in hosts and own.soc not in hosts)]
    plain = [r for r in plain if (r.soc, r.runtime) != (own.soc, own.runtime)]
    cell = (own.soc, own.batch, own.runtime)
    before = [r for r in alike if (r.soc, r.batch, r.runtime) == cell and (r.when or "") < (own.when or "")]
    return max(plain or before, key=lambda r: (r.weights == own.weights, r.when or ""), default=None)


def _table(card: ModelCard, own: Record, rows: Sequence[Record], archive: Archive) -> Table:
    name, notes = f"{card.key}-iou-{own.soc}", ["IoU of all pixels of all frames; one class's fall may hide in a mean."]
    caption = f"IoU of each class on {_told(own)}"
    try:
        mine = _iou(own, archive)
    except Problem as problem:
        return Table(name, caption, HEADS, (), (f"No IoU of classes: {problem}.",))
    other, theirs = reference(own, rows), None
    if other is None:
        notes.append(
            "There is no reference: no other record of these frames in torch, on the cpu, or of this cell before."
        )
    else:
        notes.append(f"The reference is {_told(other)}, batch {other.batch}.")
        if other.weights != own.weights:
            notes.append(f"The weights differ: {own.weights} against {other.weights}.")
        try:
            theirs = _iou(other, archive)
        except Problem as problem:
            notes.append(f"The reference cannot be shown: {problem}.")
    body = [_row(*found) for found in zip(CLASSES, mine, theirs or [None] * len(CLASSES), strict=True)]
    if fell := [row[0].text for row in body if row[-1].look]:
        notes.insert(0, f"▼ Fell by more than {FELL:.0%} of the reference: {', '.join(fell)}.")
    elif theirs:
        notes.insert(0, f"No class fell by more than {FELL:.0%} of the reference.")
    return Table(
        name, caption, HEADS if theirs else HEADS[:2], tuple(r if theirs else r[:2] for r in body), tuple(notes)
    )


def _row(name: str, mine: float | None, theirs: float | None) -> tuple[Cell, ...]:
    own = Cell("absent") if mine is None else Cell(f"{100 * mine:.2f}", 100 * mine, bar=mine)
    if mine is None or theirs is None:
        return Cell(name), own, Cell("absent") if theirs is None else number(100 * theirs), Cell(), Cell()
    change, share = 100 * (mine - theirs), mine / theirs - 1 if theirs else 0.0
    look = "fell" if mine < (1 - FELL) * theirs else ""
    return (
        Cell(name),
        own,
        number(100 * theirs),
        number(change, "{:+.2f}", look),
        number(100 * share, "▼ {:+.1f} %" if look else "{:+.1f} %", look),
    )


def _iou(record: Record, archive: Archive) -> list[float | None]:
    (matrices,) = archive.arrays(record, "matrices")
    return per_class(matrices)  # type: ignore[arg-type]  # checked there


def _told(record: Record) -> str:
    told = [record.soc, record.runtime or "", day(record.when), *marks(record)]
    return ", ".join(told if record.source == "sample" else [*told, str(record.data)])
