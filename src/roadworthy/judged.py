"""Records -> the verdicts that the acceptance suite gives on them, cell by cell; nothing runs for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from roadworthy import gates, profile, standing, trained
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import TrainCase
from roadworthy.gates import Verdict
from roadworthy.profile import Profile
from roadworthy.published import RESULT
from roadworthy.record import STANDIN, Record
from roadworthy.soc import Soc

PROMISE = "promise"  # cells of figures that count for the card's promise: its guide's, and what was measured instead
Cell = tuple[str, str, str, int | None]  # PROMISE, or source and runtime of records that do not count; chip, batch size


@dataclass(frozen=True)
class Judged:
    """A verdict, the cell that it is about, and where the records behind it come from."""

    model: str
    soc: str
    cell: str  # as in the test's id: erfnet-bs4-cpu, erfnet-Ascend310P3-vs-T4, icnet-8p-NPU
    batch: int | None  # None: of all batch sizes, or of training
    verdict: Verdict
    sources: tuple[str, ...] = ()
    when: str | None = None  # of the newest record
    untrained: bool = False
    runtimes: tuple[str, ...] = ()  # of what was measured
    devices: int | None = None  # of training


def verdicts(card: ModelCard, records: Iterable[Record], rule: Profile | None = None) -> list[Judged]:
    """What can be judged of a model by records: those of its guide, replaced by the newest measured ones of their cells.

    Records on the cpu, on drawn frames, with weights that nobody trained, and unstable ones are judged beside these, as
    a run judges them. Those of stand-ins say nothing of a chip and are left out, as are those of unknown chips.
    Regression compares with the newest older record at the same batch size. On the cpu every runtime is judged by itself.
    The ratio of a chip that ran is of what was measured on it, as in a run, and not of its guide's batches.
    """
    records = list(records)
    return [*_inference(card, [r for r in _own(card, records) if r.run is None], rule), *training(card, records)]


def training(card: ModelCard, records: Iterable[Record]) -> list[Judged]:
    """Every case of training, by its guide and by what was measured; on drawn frames only where there is nothing else."""
    rows = [r for r in _own(card, records) if r.run is not None]
    guide = [r for r in card.published() if r.metric.startswith("train.")]
    ran = sorted((r for r in rows if r.source != "published"), key=lambda r: r.when or "")
    real = [r for r in ran if r.source != "sample"]
    promised = [r for r in guide if r.settings.get("group") == RESULT]
    known: dict[tuple[str, int], list[Record]] = {}
    for rows_, behind in ((promised, real), (real, real), (ran, ran)):
        for r in rows_:
            if r.devices:
                known.setdefault((r.soc, r.devices), [*guide, *behind])
    cases = [(TrainCase(card, chips.find(soc), devices), behind) for (soc, devices), behind in known.items()]
    return [judged for case, behind in cases for judged in _of_training(case, behind)]


def _own(card: ModelCard, records: Iterable[Record]) -> list[Record]:
    return [r for r in records if r.model == card.key and r.runtime != STANDIN and r.soc in chips.socs()]


def _inference(card: ModelCard, rows: Sequence[Record], rule: Profile | None) -> list[Judged]:
    figures = [r for r in standing.figures(card, rows) if r.run is None]
    cells = _cells(figures, rows)
    older = defaultdict(list)
    for r in rows:
        if r.metric == "miou":
            older[r.soc, r.batch].append(r)
    compared = {(r.soc, r.batch, r.runtime) for cell in cells.values() for r in _of(cell, "agreement.batch")}
    found = []
    for (kind, _, soc, batch), cell in cells.items():
        gaps = not compared & {(soc, batch, r.runtime) for r in _of(cell, "miou")}
        found += _of_cell(card, chips.find(soc), batch, cell, older[soc, batch], promised=kind == PROMISE, gaps=gaps)
    return [*found, *_parity(card, cells), *_ratios(card, [*standing.counted(card, rows), *_aside(cells)], rule)]


def _cells(figures: Sequence[Record], rows: Sequence[Record]) -> dict[Cell, list[Record]]:
    """The newest record of every metric by cell, oldest first: figures, and what came later and replaced none."""
    counted = {(r.source, r.soc, r.batch, r.metric): r for r in figures}
    newest: dict[tuple[Any, ...], Record] = {}
    for r in sorted(rows, key=lambda r: r.when or ""):
        key = (r.source, r.soc, r.batch, r.metric)
        if r.source != "published" and (key not in counted or (r.when or "") > (counted[key].when or "")):
            newest[(r.runtime, *key)] = r
    cells: dict[Cell, list[Record]] = defaultdict(list)
    for r in figures:
        if not chips.find(r.soc).unnamed:
            cells[PROMISE, "", r.soc, r.batch].append(r)
    for r in newest.values():
        cells[r.source, r.runtime or "", r.soc, r.batch].append(r)
    return cells


def _aside(cells: Mapping[Cell, Sequence[Record]]) -> list[Record]:
    """Throughput with weights that nobody trained, which a ratio names where there is no other."""
    return [r for (kind, _, _, _), cell in cells.items() if kind == "sample" for r in _of(cell, "throughput")]


def _of_cell(  # noqa: PLR0913  what a cell is judged by
    card: ModelCard,
    soc: Soc,
    batch: int | None,
    cell: Sequence[Record],
    older: Iterable[Record],
    *,
    promised: bool,
    gaps: bool,
) -> list[Judged]:
    """The gates of one cell; where `gaps`, also the comparison with batch 1 that nobody made."""
    if batch is None:
        return []
    found, scores, agreements = [], _of(cell, "miou", "pooled_miou"), _of(cell, "agreement.batch")
    own = next(iter(_of(cell, "miou")), None)
    ran = own is not None and own.source != "published"
    if promised or own is not None:
        found.append((gates.accuracy(card, scores), scores))
    if own is not None and ran:
        found.append((_regression(own, older), scores))
    held = scores if soc.vendor == "host" else _of(cell, "throughput", "miou")
    if promised or held:
        found.append((gates.memory(card, soc, batch, held), held))
    if batch > 1 and (agreements or (ran and gaps)):
        found.append((gates.batch_invariance(agreements), agreements))
    name = f"{card.key}-bs{batch}-{soc.name}"
    return [_judged(card, soc.name, name, verdict, behind or cell, batch) for verdict, behind in found]


def _regression(own: Record, older: Iterable[Record]) -> Verdict:
    """Against the newest older record of those at the same batch size: those at others may be of the same run."""
    before = [r for r in older if (r.when or "") < (own.when or "")]
    return gates.regression([own], before, committed=False)


def _parity(card: ModelCard, cells: Mapping[Cell, Sequence[Record]]) -> list[Judged]:
    """Graph against torch for every chip that ran."""
    graphs: dict[str, list[Record]] = defaultdict(list)
    ran: dict[str, Record] = {}
    for (_, _, soc, _), cell in cells.items():
        graphs[soc] += _of(cell, "agreement.exported", "agreement.operated", "agreement.kept")
        ran.update((r.soc, r) for r in _of(cell, "miou") if r.source != "published")
    found = []
    for soc in dict.fromkeys([*ran, *(soc for soc, rows in graphs.items() if rows)]):
        rows = sorted(graphs[soc], key=lambda r: r.when or "")
        name = f"{card.key}-bs{rows[-1].batch}-{soc}" if rows else f"{card.key}-{soc}"
        found.append(_judged(card, soc, name, gates.parity(rows), rows or [ran[soc]], None))
    return found


def _ratios(card: ModelCard, known: Sequence[Record], rule: Profile | None) -> list[Judged]:
    """Of the chips that the card delivers."""
    found = []
    for soc in standing.delivered(card, known):
        for other, required in profile.ratios(card, soc, rule).items():
            verdict = gates.ratio(card, soc, other, required, known)
            behind = [r for r in (gates.best(known, soc.name), gates.best(known, other)) if r is not None]
            found.append(_judged(card, soc.name, f"{card.key}-{soc.name}-vs-{other}", verdict, behind, None))
    return found


def _of_training(case: TrainCase, known: Sequence[Record]) -> list[Judged]:
    target = case.card.train.target if case.card.train is not None else None
    found = [(case.id, trained.accuracy(case, known))]
    if target is not None and case.soc.vendor != "host":
        others = [(other, share) for other, share in target.vs.items() if other != case.soc.name]
        found += [(f"{case.id}-vs-{o}", trained.against(case, o, share, known)) for o, share in others]
    if case.devices > 1:
        found.append((case.id, trained.scaling(case, known)))
    behind = list(trained.figures(case, known).values())
    return [
        replace(_judged(case.card, case.soc.name, name, verdict, behind, None), untrained=False, devices=case.devices)
        for name, verdict in found
    ]


def _of(cell: Iterable[Record], *metrics: str) -> list[Record]:
    return [r for r in cell if r.metric in metrics]


def _judged(  # noqa: PLR0913, PLR0917  a judgement's fields
    card: ModelCard, soc: str, cell: str, verdict: Verdict, behind: Sequence[Record], batch: int | None
) -> Judged:
    sources = tuple(sorted({r.source for r in behind}))
    when = max((r.when for r in behind if r.when), default=None)
    runtimes = tuple(sorted({r.runtime for r in behind if r.runtime and r.source != "published"}))
    return Judged(card.key, soc, cell, batch, verdict, sources, when, any(r.untrained for r in behind), runtimes)
