"""A layout filled with figures: the texts of a table, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roadworthy import gates
from roadworthy.card import ModelCard
from roadworthy.layout import OF_A_RUN, Column, Layout
from roadworthy.problem import Problem
from roadworthy.record import Record

METRICS = {"throughput": "throughput", "ratio": "throughput", "miou": "miou", "miou.fraction": "miou"}


@dataclass(frozen=True)
class Row:
    """A row's chip, batch size or training run; without a batch size every chip stands at its best."""

    chip: str = ""
    batch: int | None = None
    run: str = ""
    label: str = ""  # in place of the batch size


@dataclass(frozen=True)
class Sheet:
    """A layout and the figures that fill it; best batches are those of the figures that count for verdicts."""

    card: ModelCard
    layout: Layout
    known: Sequence[Record]
    counted: Sequence[Record]

    def texts(self) -> list[list[str]]:
        """The table, row by row."""
        return [[self.text(row, column) for column in self.layout.columns] for row in self.rows()]

    def behind(self) -> list[list[list[Record]]]:
        """The records behind every text."""
        return [[self.sources(row, column) for column in self.layout.columns] for row in self.rows()]

    def marked(self) -> list[list[bool]]:
        """Which texts are the throughput of a chip's best batch, where the layout marks it."""
        return [[self._is_best(row, column) for column in self.layout.columns] for row in self.rows()]

    def rows(self) -> list[Row]:
        """The rows that the layout asks for."""
        layout = self.layout
        if layout.rows == "runs":
            runs = [r.run for r in self.known if r.run and r.settings.get("group") == layout.group]
            return [Row(run=run) for run in dict.fromkeys(runs)]
        if layout.rows == "chips":
            return [Row(chip=chip) for chip in layout.chips]
        if layout.rows == "cells":
            return [Row(chip=chip, batch=batch) for chip in layout.chips for batch in self._batches([chip])]
        rows = [Row(batch=batch) for batch in self._batches([c for column in layout.columns for c in column.chips])]
        return [*rows, Row(label=layout.best)] if layout.best else rows

    def _batches(self, socs: Sequence[str]) -> Sequence[int]:
        metrics = {METRICS.get(column.show) for column in self.layout.columns}
        found = {r.batch for r in self.known if r.soc in socs and r.metric in metrics and r.batch is not None}
        return self.layout.batches or sorted(found)

    def text(self, row: Row, column: Column) -> str:
        """The text of a cell: its value, or the column's words for what has none."""
        if row.label and column.show == "batch":
            return row.label
        value = VALUES[column.show](self, row, column)
        if value is None:
            return (
                (column.oom if self._lost(row, column) is not None else "") or self._failed(row, column) or column.blank
            )
        try:
            return column.as_.format(value)
        except (ValueError, TypeError) as error:
            where = f"{self.card.path}: table {self.layout.name!r}, column {column.head!r}"
            raise Problem(f"{where}: as is {column.as_!r}, which cannot show {value!r} ({error})") from None

    def _is_best(self, row: Row, column: Column) -> bool:
        best = self.best(column.of) if self.layout.bold and column.show == "throughput" else None
        return best is not None and row.batch == best.batch

    def best(self, soc: str) -> Record | None:
        """The record of a chip's highest throughput that counts; None where it has none."""
        return gates.best(self.counted, soc)

    def batch(self, row: Row, soc: str) -> int | None:
        """The batch size at which a row shows a chip: the best one, or where there is none the first that it has figures of."""
        own = [r for r in self.known if r.soc == soc and r.run is None]
        found = self.best(soc) or (own[0] if own else None)
        return row.batch or (found.batch if found else None)

    def sources(self, row: Row, column: Column) -> list[Record]:
        """The records that a cell shows, or says why it cannot: one, or of a ratio both."""
        if column.show in OF_A_RUN:
            return [r for r in self._run(row) if r.metric == column.show]
        if column.show not in METRICS:
            return []
        found = [self.record(row, METRICS[column.show], soc) for soc in column.chips or [row.chip]]
        known = [r for r in found if r is not None]
        if len(known) == len(found) and (column.show != "ratio" or all(r.value for r in known)):
            return known
        lost = self._lost(row, column) if column.oom else None
        return [] if lost is None else [lost]

    def record(self, row: Row, metric: str, soc: str) -> Record | None:
        """A chip's record at the row's batch size; throughput of no batch size is that of the best one alone."""
        if metric == "throughput" and row.batch is None:
            return self.best(soc)
        cell = (metric, soc, self.batch(row, soc))
        return next((r for r in self.known if (r.metric, r.soc, r.batch) == cell), None)

    def figure(self, row: Row, metric: str, soc: str) -> float | None:
        """A chip's figure at the row's batch size."""
        found = self.record(row, metric, soc)
        return found.value if found else None

    def percent(self, row: Row, metric: str, soc: str) -> float | None:
        """The same of a fraction, in percent."""
        found = self.figure(row, metric, soc)
        return None if found is None else 100 * found

    def ratio(self, row: Row, one: str, other: str) -> float | None:
        """A chip's throughput over another's."""
        above, below = self.figure(row, "throughput", one), self.figure(row, "throughput", other)
        return above / below if above and below else None

    def trained(self, row: Row, metric: str) -> float | None:
        """A figure of the row's training run, mIoU in percent."""
        found = next((r.value for r in self._run(row) if r.metric == metric), None)
        return found if found is None or metric == "train.throughput" else 100 * found

    def setting(self, row: Row, name: str) -> Any:
        """A setting of the row's training run."""
        return next((r.settings[name] for r in self._run(row) if name in r.settings), None)

    def devices(self, row: Row) -> int | None:
        """How many devices the row's training run had."""
        return next((r.devices for r in self._run(row)), None)

    def _run(self, row: Row) -> list[Record]:
        return [r for r in self.known if r.run == row.run and r.settings.get("group") == self.layout.group]

    def _failed(self, row: Row, column: Column) -> str:
        """How the measurement ended that a cell should show, such as crash; empty where none failed."""
        metric = METRICS.get(column.show)
        found = self.record(row, metric, column.of or row.chip) if metric and column.show != "ratio" else None
        return "" if found is None or found.outcome in ("ok", "oom", "unstable") else found.outcome

    def _lost(self, row: Row, column: Column) -> Record | None:
        cells = [(soc, self.batch(row, soc)) for soc in column.chips or [row.chip]]
        return next((r for r in self.known if r.outcome == "oom" and (r.soc, r.batch) in cells), None)


VALUES: Mapping[str, Callable[[Sheet, Row, Column], Any]] = {
    "batch": lambda sheet, row, _: sheet.batch(row, row.chip),
    "chip": lambda sheet, row, _: sheet.layout.chips[row.chip],
    "run": lambda _, row, __: row.run,
    "throughput": lambda sheet, row, column: sheet.figure(row, "throughput", column.of or row.chip),
    "miou": lambda sheet, row, column: sheet.percent(row, "miou", column.of or row.chip),
    "miou.fraction": lambda sheet, row, column: sheet.figure(row, "miou", column.of or row.chip),
    "ratio": lambda sheet, row, column: sheet.ratio(row, *column.chips),
    "target": lambda sheet, _, __: sheet.card.target.miou,
    "text": lambda _, __, column: column.of,
    "setting": lambda sheet, row, column: sheet.setting(row, column.of),
    "devices": lambda sheet, row, _: sheet.devices(row),
    "train.miou": lambda sheet, row, column: sheet.trained(row, column.show),
    "train.best_miou": lambda sheet, row, column: sheet.trained(row, column.show),
    "train.throughput": lambda sheet, row, column: sheet.trained(row, column.show),
}
