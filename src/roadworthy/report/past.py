"""What was measured, by date: mIoU and throughput of every chip and batch size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.gates import FULL_VAL
from roadworthy.record import Record
from roadworthy.report import charts
from roadworthy.report.charts import Chart, Line
from roadworthy.report.grid import Cell, Table, capped, day, heads, marks, moment, number

LINES = 8  # of a chart: as many as there are ways to draw one
POINTS = 120  # of a line
WIDEST = 32  # letters of a record's word in a label
ROWS = 120  # of the table of all numbers
METRICS = {"miou": ("mIoU", "mIoU %", 100.0), "throughput": ("throughput", "images/s", 1.0)}


def history(card: ModelCard, records: Sequence[Record], metric: str) -> tuple[Chart | None, Table] | None:
    """A line for every chip, batch size, runtime and kind of data, and the numbers, newest first; None without a measured one.

    Of many lines those with the most figures are drawn, of many points the newest; the table's notes say so. No chart of a
    single day.
    """
    own = [r for r in records if (r.model, r.metric) == (card.key, metric) and r.value is not None and r.when]
    own = [r for r in own if r.source != "published" and moment(r.when)]
    if not own:
        return None
    name, unit, scale = METRICS[metric]
    groups = _groups(own)
    longest = sorted(groups, key=lambda label: (len(groups[label]), groups[label][-1].when or ""), reverse=True)
    order = list(chips.socs())
    drawn = sorted(
        longest[:LINES], key=lambda label: (order.index(groups[label][0].soc), groups[label][0].batch or 0, label)
    )
    lines = [_line(label, groups[label][-POINTS:], scale) for label in drawn]
    notes = []
    if len(groups) > LINES:
        notes.append(f"{LINES} of {len(groups)} lines are drawn: those with the most figures, then the newest.")
    if any(len(groups[label]) > POINTS for label in drawn):
        notes.append(f"Of every line the newest {POINTS} points are drawn.")
    if single := len({(r.when or "")[:10] for r in own}) == 1:
        notes = ["All of one day: there is no history yet."]
    head = heads("when (UTC)", "chip", "#batch", f"#{unit}", "data", "weights", "runtime", "remarks")
    rows = [
        (
            Cell(day(r.when), r.when), Cell(r.soc), number(r.batch, "{:d}"), number(scale * (r.value or 0.0)),
            Cell(r.data or ""), Cell(r.weights or ""), Cell(r.runtime or ""), Cell(", ".join(marks(r))),
        )
        for r in reversed(own)
    ]  # fmt: skip
    shown, left = capped(rows, ROWS, "figures, older than these,")
    title = f"{card.name}: {name} by date"
    table = Table(f"{card.key}-{metric}-history", title, head, shown, (*notes, *left))
    return None if single else charts.history(f"{card.key}-{metric}-past", title, unit, lines), table


def _line(label: str, rows: Sequence[Record], scale: float) -> Line:
    return Line(label, tuple(r.when or "" for r in rows), tuple(scale * (r.value or 0.0) for r in rows))


def _groups(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Lines by their labels: only like is joined with like.

    Another runtime or clock is another line, of mIoU another data set too; a label tells of that where it is needed.
    """
    kinds: dict[str, dict[tuple[str, str], list[Record]]] = defaultdict(lambda: defaultdict(list))
    for r in records:
        apart = (
            r.clock if r.metric == "throughput" else (r.data or "").rpartition("-")[2]
        )  # digest: folders are renamed
        kinds[_label(r)][r.runtime or "", apart or ""].append(r)
    groups: dict[str, list[Record]] = {}
    for label, ways in kinds.items():
        differ = [len(set(words)) > 1 for words in zip(*ways, strict=True)]
        for way, rows in ways.items():
            told = [_shortened(word) or "nothing told" for word, tells in zip(way, differ, strict=True) if tells]
            name = ", ".join([label, *told])
            groups[f"{name} ({len(groups) + 1})" if name in groups else name] = rows
    return groups


def _shortened(word: str) -> str:
    """A word's end where it is long."""
    return word if len(word) <= WIDEST else f"…{word[1 - WIDEST :]}"


def _label(record: Record) -> str:
    """What a line is of, in words."""
    told = [record.soc, f"batch {record.batch}", *marks(record, short=True)]
    if record.metric == "miou" and record.source == "measured" and record.frames != FULL_VAL:
        told.append(f"{record.frames} frames")
    return ", ".join(told)
