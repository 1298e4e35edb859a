"""Training runs of a model: mIoU, images/s, devices, and how the speed scales."""

from __future__ import annotations

from collections.abc import Sequence

from roadworthy.card import ModelCard
from roadworthy.judged import Judged
from roadworthy.published import RESULT
from roadworthy.record import Record
from roadworthy.report.grid import Cell, Table, capped, heads, number, origin, percent

ROWS = 100
METRICS = ("train.miou", "train.best_miou", "train.throughput")
HEADS = heads(
    *("run", "chip", "#devices", "#mIoU %", "#best mIoU %", "#images/s", "#of linear", "group", "from", "why not")
)


def table(card: ModelCard, records: Sequence[Record], judged: Sequence[Judged]) -> Table | None:
    """A row for every run, the guide's and measured ones, the newest of each name; None where there is none."""
    own = [*card.published(), *(r for r in records if r.model == card.key)]
    runs: dict[tuple[object, ...], dict[str, Record]] = {}
    for r in own:
        if r.metric in METRICS and r.run is not None:
            key = (r.run, r.soc, r.devices, r.source, r.settings.get("group"))
            if any(other.when != r.when for other in runs.get(key, {}).values()):
                runs[key] = {}
            runs.setdefault(key, {})[r.metric] = r
    if not runs:
        return None
    linear = {judged_.cell: judged_ for judged_ in judged if judged_.verdict.gate == "scaling"}
    found = sorted(runs.values(), key=lambda run: _newest(run) or "", reverse=True)
    rows, notes = capped([_row(card, run, linear) for run in found], ROWS, "runs, older than these,")
    return Table(f"{card.key}-training", f"{card.name}: training runs", HEADS, rows, tuple(notes), stacked=True)


def _row(card: ModelCard, run: dict[str, Record], linear: dict[str, Judged]) -> tuple[Cell, ...]:
    first = next(iter(run.values()))
    values = {metric: run[metric].value if metric in run else None for metric in METRICS}
    told = linear.get(f"{card.key}-{first.devices}p-{first.soc}")
    share = Cell()
    if (
        told is not None
        and first.settings.get("group") == RESULT
        and first.source in told.sources
        and told.when == _newest(run)
    ):
        sign = {"failed": "✕ ", "passed": "✓ "}.get(told.verdict.outcome, "")
        text = told.verdict.observed.removesuffix(" of linear")
        share = Cell(f"{sign}{text}", text, told.verdict.outcome) if "of linear" in told.verdict.observed else Cell()
    lost = dict.fromkeys(r.detail or r.outcome for r in run.values() if r.value is None)
    return (
        Cell(first.run or ""), Cell(first.soc), number(first.devices, "{:d}"), percent(values["train.miou"]),
        percent(values["train.best_miou"]), number(values["train.throughput"], "{:.5g}"), share,
        Cell(str(first.settings.get("group", ""))), Cell(origin(first)), Cell("; ".join(lost)),
    )  # fmt: skip


def _newest(run: dict[str, Record]) -> str | None:
    return max((r.when for r in run.values() if r.when), default=None)
