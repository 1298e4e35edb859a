"""Throughput of a model: a chart of all chips, the figures behind it, and the ratios of best batches."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from roadworthy import bound, gates, standing
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.judged import Judged
from roadworthy.notes import SUPERSCRIPTS
from roadworthy.origin import unlike
from roadworthy.record import Record
from roadworthy.report import charts
from roadworthy.report.charts import Chart, Line
from roadworthy.report.grid import Cell, Table, heads, marks, number, origin, percent

EXTRAS = {"latency.median": "#median ms", "latency.p95": "#p95 ms", "temperature.max": "#°C", "power.mean": "#W"}
RATIOS = heads(
    *("chip", "#best batch", "#images/s", "against", "#its best batch", "#its images/s", "#ratio", "#required"),
    "verdict",
)


def known(card: ModelCard, records: Sequence[Record]) -> list[Record]:
    """The newest figure of every cell of inference, by chip and batch size.

    Those of the promise; on the cpu, and with weights that nobody trained, where the promise has none.
    """
    own = [r for r in records if r.model == card.key and r.run is None]
    found = {(r.soc, r.batch, r.metric): r for r in standing.figures(card, own) if r.run is None}
    aside = [r for r in own if r.source != "published" and (r.metric == "throughput" or r.metric in EXTRAS)]
    newest = {(r.soc, r.batch, r.metric): r for r in aside if r.outcome != "unstable"}
    order = list(chips.socs())
    return sorted({**newest, **found}.values(), key=lambda r: (order.index(r.soc), r.batch or 0, r.metric))


def places(figures: Iterable[Record]) -> list[str]:
    """The chips of a page that have a line in a chart, in the order of their colours."""
    shown = {r.soc for r in figures if r.metric == "throughput"}
    return [soc for soc in chips.socs() if soc in shown]


def chart(card: ModelCard, figures: Sequence[Record], asked: Sequence[Judged], places: Sequence[str]) -> Chart | None:
    """Images/s by batch size with the speeds that are required; None where there is no figure.

    A line for every chip; where it has figures of several kinds, such as published and measured, one for each. A chip
    has its colour by its place among those of the page.
    """
    speeds = [r for r in figures if r.metric == "throughput" and r.batch is not None]
    kinds: dict[tuple[str, ...], list[Record]] = {}
    ran = _measured(speeds)
    for r in speeds:
        kinds.setdefault((r.soc, *_beside(r, ran), *marks(r, short=True)), []).append(r)
    lines = []
    for kind, own in kinds.items():
        fit = [r for r in own if r.value is not None]
        lost = tuple((r.batch, _lost(r)) for r in own if r.value is None and r.batch)
        nth = sum(other[0] == kind[0] for other in list(kinds)[: list(kinds).index(kind)])
        look = places.index(kind[0]) + charts.WAYS * nth
        at, values = tuple(r.batch or 0 for r in fit), tuple(r.value or 0.0 for r in fit)
        lines.append(Line(", ".join(kind), at, values, lost, look))
    lines = [line for line in lines if line.values or line.lost]
    if not lines:
        return None
    required = {}
    for judged in asked:
        ratio, speed = (judged.verdict.figures.get(key) for key in ("required_ratio", "reference_throughput"))
        if ratio and speed:
            other = judged.cell.rpartition("-vs-")[2]
            required[f"required: {ratio:g} x {other} = {ratio * speed:.2f}"] = ratio * speed
    return charts.throughput(
        f"{card.key}-throughput", f"{card.name}: throughput by batch size", lines, list(required.items())
    )


def figures_table(card: ModelCard, figures: Sequence[Record]) -> Table:
    """Every cell's images/s and mIoU with where they come from; best batches marked, those that ratios are of.

    Latencies, temperature and power are those of the run that the images/s are of.
    """
    speeds = [r for r in figures if r.metric == "throughput"]
    extras = {metric: head for metric, head in EXTRAS.items() if any(r.metric == metric for r in figures)}
    counted = gates.counted(card, speeds)
    best = {soc: gates.best(counted, soc) for soc in {r.soc for r in speeds}}
    cells: dict[tuple[str, int | None], dict[str, Record]] = {}
    for r in figures:
        cells.setdefault((r.soc, r.batch), {})[r.metric] = r
    rows = []
    for (soc, batch), own in cells.items():
        if not own.keys() & {"throughput", "miou"}:
            continue
        speed, score = own.get("throughput"), own.get("miou")
        top = best.get(soc)
        is_best = top is not None and top is speed
        shown = Cell("")
        if speed is not None:
            shown = (
                number(speed.value, "{:.2f}", "best" if is_best else "")
                if speed.value is not None
                else Cell(_lost(speed))
            )
        more = [number(own[m].value if m in own and speed and _of_one_run(speed, own[m]) else None) for m in extras]
        origins = dict.fromkeys(origin(r) for r in (speed, score) if r is not None)
        rows.append((
            Cell(soc), Cell("all") if batch is None else Cell(str(batch), batch), shown, Cell("★" if is_best else ""),
            percent(score.value if score else None), *more, Cell("; ".join(origins)),
        ))  # fmt: skip
    head = heads("chip", "#batch", "#images/s", "best", "#mIoU %", *extras.values(), "from")
    return Table(f"{card.key}-figures", f"{card.name}: figures of every cell", head, tuple(rows))


def ratios(card: ModelCard, figures: Sequence[Record], asked: Sequence[Judged]) -> Table:
    """Best batch over best batch, a footnote at each ratio of unlike runtimes or clocks."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    units: dict[str, None] = {}
    for judged in asked:
        other = judged.cell.rpartition("-vs-")[2]
        verdict, found = judged.verdict, judged.verdict.figures
        own = _behind(figures, judged.soc, found.get("throughput"))
        reference = _behind(figures, other, found.get("reference_throughput"))
        ratio = found.get("ratio")
        told = unlike(own, reference) if own and reference else verdict.because
        mark = str(len(notes) + 1).translate(SUPERSCRIPTS) if told else ""
        if told:
            notes.append(f"{mark} {judged.soc} against {other}: {told}.")
        if other in chips.socs() and (dies := chips.find(other).dies) > 1 and ratio:
            units[f"{other}: the unit is the card of {dies} dies."] = None
        rows.append((
            Cell(judged.soc),
            number(own.batch if own else None, "{:d}"), number(own.value if own else None),
            Cell(other),
            number(reference.batch if reference else None, "{:d}"),
            number(reference.value if reference else None),
            Cell(f"none{mark}") if ratio is None else Cell(f"{bound.shown(ratio, found.get('required_ratio'), 3)}{mark}", ratio),
            number(found["required_ratio"], "≥ {:g}") if "required_ratio" in found else Cell("told only" if ratio else ""),
            outcome(verdict.outcome),
        ))  # fmt: skip
    return Table(
        f"{card.key}-ratios",
        f"{card.name}: ratios of best batches",
        RATIOS,
        tuple(rows),
        (*notes, *units),
        stacked=True,
    )


def outcome(word: str) -> Cell:
    """A verdict's outcome as a word with a sign, sorted worst first."""
    signs = {"failed": "✕", "unjudged": "?", "passed": "✓"}
    return Cell(f"{signs[word]} {word}", list(signs).index(word), word)


def _measured(speeds: Sequence[Record]) -> set[str]:
    """The chips that have measured figures of the promise."""
    return {r.soc for r in speeds if r.source == "measured"}


def _beside(record: Record, ran: Container[str]) -> tuple[str, ...]:
    """The word for a published figure of a chip that `ran`, of whose measured figures it is no part."""
    return ("published",) if record.source == "published" and record.soc in ran else ()


def _of_one_run(speed: Record, other: Record) -> bool:
    """Whether the two were measured together: they were told at once, or left one file of samples."""
    ran = speed.value is not None and speed.source != "published"
    return ran and (speed.when == other.when or (speed.samples is not None and speed.samples == other.samples))


def _behind(figures: Sequence[Record], soc: str, value: float | None) -> Record | None:
    """The record of the throughput that a verdict is about."""
    speeds = [r for r in figures if (r.soc, r.metric) == (soc, "throughput")]
    return next((r for r in speeds if r.value is not None and r.value == value), None)


def _lost(record: Record) -> str:
    return "out of memory" if record.outcome == "oom" else record.outcome
