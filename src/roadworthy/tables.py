"""Records -> Markdown: the guides' tables in their own words, the summary of all models, the sample figures."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from roadworthy import gates, page, profile
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.gates import Verdict
from roadworthy.layout import Column, Layout
from roadworthy.record import Record
from roadworthy.sheet import Sheet
from roadworthy.soc import Soc

REFERENCES = {"T4": "x T4", "Ascend310": "x 310"}  # what a chip's throughput is divided by


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Records as a tidy table: one row, one number."""
    columns = [field.name for field in dataclasses.fields(Record)]
    return pd.DataFrame([dataclasses.asdict(record) for record in records], columns=columns)


def figures(card: ModelCard, records: Iterable[Record]) -> list[Record]:
    """The newest figure of every cell of a model: what its guide publishes, replaced by what was measured.

    Nothing of the CPU, of a stand-in for a chip, of drawn frames, and no mIoU of other frames than Cityscapes val. A
    training run that the guide has no row of is one more.
    """
    known = [*card.published(), *(r for r in records if r.model == card.key and _counts(r))]
    newest: dict[tuple[Any, ...], Record] = {}
    for r in sorted(known, key=lambda r: r.when or ""):
        cell = (r.run, r.settings.get("group")) if r.run else (r.soc, r.batch)
        newest[(r.metric, *cell)] = r
    return list(newest.values())


def _counts(record: Record) -> bool:
    if record.source != "measured" or record.soc == "cpu" or record.runtime == "standin":
        return False
    if record.outcome == "unstable":  # says nothing, and a reference without its best batch would flatter every ratio
        return False
    if record.outcome != "ok" or "miou" not in record.metric:
        return True
    start = record.metric.startswith("train.")  # weights that nobody trained are where training starts
    return record.frames == gates.FULL_VAL and (start or not record.untrained)


def render_layout(card: ModelCard, layout: Layout, records: Iterable[Record]) -> str:
    """One guide's table as Markdown; ratios are computed from its figures."""
    sheet = Sheet(card, layout, figures(card, records))
    if not sheet.known:
        return _nothing(card)
    return _markdown([column.head for column in layout.columns], sheet.texts())


def throughput(card: ModelCard, records: Iterable[Record]) -> str:
    """Images/s of every chip by batch size with the ratios to the references: the table of a card that lays out none."""
    known = figures(card, records)
    socs = list(dict.fromkeys(r.soc for r in known if r.metric == "throughput"))
    if not socs:
        return _nothing(card)
    notes = ["Images/s; the best batch of each chip is bold and enters the last row.", *_unlike(card, socs)]
    return render_layout(card, _default_layout(socs), records) + "\n" + "\n".join(notes) + "\n"


def _default_layout(socs: Sequence[str]) -> Layout:
    speeds = [Column(soc, "throughput", soc, "{:.2f}", oom="out of memory") for soc in socs]
    unnamed = [soc.name for soc in chips.socs().values() if soc.unnamed]
    named = [soc for soc in socs if soc not in REFERENCES and soc not in unnamed]
    pairs = [f"{soc} / {reference}" for soc in named for reference in REFERENCES if reference in socs]
    ratios = [Column(pair, "ratio", pair, "{:.3f}") for pair in pairs]
    columns = (Column("batch", "batch"), *speeds, *ratios)
    return Layout("throughput", "batches", columns, best="best", bold=True)


def _unlike(card: ModelCard, socs: Iterable[str]) -> list[str]:
    unlike = "inference (wall clock), not a compiled engine: ratios to it compare unlike."
    return [f"{soc} ran {runtime} {unlike}" for soc, runtime in card.runtime.items() if soc in socs]


def _nothing(card: ModelCard) -> str:
    return f"No throughput of {card.name} is published or measured.\n"


def summary(cards: Iterable[ModelCard], records: Sequence[Record]) -> str:
    """One row for every chip that a card delivers: its best batch against other chips, its mIoU, and what follows."""
    head = ["model", "chip", "best batch", "images/s", *REFERENCES.values(), "mIoU %", "target %", "verdict"]
    rows, notes = [], ["Ratios are of best batches; mIoU is the lowest of all batch sizes."]
    for card in cards:
        known = [r for r in figures(card, records) if r.run is None]  # of training there is no row
        rows += [_summary_row(card, soc, known) for soc in _delivered(card, known)]
        if measured := sorted({r.soc for r in known if r.source == "measured"}):
            notes.append(f"{card.key}: measured here on {', '.join(measured)}; the other figures are its guide's.")
        notes += [f"{card.key}: {note}" for note in _unlike(card, {r.soc for r in known} & REFERENCES.keys())]
    return _markdown(head, rows) + "\n" + "\n".join(notes) + "\n"


def _delivered(card: ModelCard, known: Sequence[Record]) -> list[Soc]:
    judged = chips.find(card.target.judge).atc_name
    own = [soc for soc in chips.socs().values() if soc.atc_name == judged and any(r.soc == soc.name for r in known)]
    return own or [chips.find(judged)]


def _summary_row(card: ModelCard, soc: Soc, known: Sequence[Record]) -> list[str]:
    own, others = gates.best(known, soc.name), [gates.best(known, other) for other in REFERENCES]
    speed = [str(own.batch), f"{own.value:.2f}"] if own else ["", ""]
    ratios = [f"{own.value / r.value:.3f}" if own and own.value and r and r.value else "" for r in others]
    found = [r.value for r in known if (r.soc, r.metric) == (soc.name, "miou") and r.value is not None]
    miou = f"{100 * min(found):.2f}" if found else ""
    return [card.key, soc.name, *speed, *ratios, miou, f"{card.target.miou:.2f}", _verdict(card, soc, known)]


def _verdict(card: ModelCard, soc: Soc, known: Sequence[Record]) -> str:
    """In words; that a batch fits the memory is no reason to call a chip passed."""
    cells: dict[int | None, list[Record]] = {}
    for r in known:
        if r.soc == soc.name:
            cells.setdefault(r.batch, []).append(r)
    scored = [cell for cell in cells.values() if any(r.metric == "miou" and r.outcome != "oom" for r in cell)]
    asked = [(other, least) for other, least in profile.ratios(card, soc, None).items() if least is not None]
    promised = [gates.accuracy(card, cell) for cell in scored or [[]]]
    promised += [gates.ratio(card, soc, other, least, known) for other, least in asked]
    fits = [gates.memory(card, soc, batch, cell) for batch, cell in cells.items() if batch is not None]
    judged = [*promised, *fits]
    if failed := _gates(judged, "failed"):
        return f"failed: {failed}"
    if not _gates(promised, "passed"):
        return "unjudged"
    unjudged = _gates(judged, "unjudged")
    return f"passed, unjudged: {unjudged}" if unjudged else "passed"


def _gates(verdicts: Iterable[Verdict], outcome: str) -> str:
    return ", ".join(dict.fromkeys(verdict.gate for verdict in verdicts if verdict.outcome == outcome))


def sample(records: Iterable[Record]) -> str:
    """Figures on the drawn sample data, newest of each cell: mIoU by the guide's convention and pooled, as Markdown."""
    rows = frame(r for r in records if not r.untrained)
    rows = rows[(rows.source == "sample") & rows.metric.isin(["miou", "pooled_miou"]) & rows.value.notna()]
    if rows.empty:
        return "No figure on sample data is committed.\n"
    rows = rows.sort_values("when", kind="stable").drop_duplicates(["model", "soc", "batch", "metric"], keep="last")
    table = rows.pivot_table(index=["model", "soc", "runtime", "data", "batch"], columns="metric", values="value")
    table = table.map(lambda value: f"{100 * value:.2f}").reset_index()
    table = table.rename(columns={"data": "sample data", "miou": "mIoU %", "pooled_miou": "pooled mIoU %"})
    return _markdown(list(table.columns), table.astype(str).to_numpy().tolist())


def of_card(card: ModelCard, records: Iterable[Record]) -> dict[str, str]:
    """A model's tables by name: those that its card lays out, else the one of throughput."""
    records = list(records)
    if not card.table:
        return {f"{card.key}.throughput": throughput(card, records)}
    return {f"{card.key}.{layout.name}": render_layout(card, layout, records) for layout in card.table}


def known_tables(cards: Sequence[ModelCard], records: Sequence[Record]) -> dict[str, str]:
    """Every table that a page may name; a model's own name is all of its tables."""
    found = {"summary": summary(cards, records), "sample": sample(records)}
    for card in cards:
        own = of_card(card, records)
        found |= {card.key: "\n".join(dict.fromkeys(own.values())), **own}
    return found


def write(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> None:
    """Render the tables of a page in place."""
    page.write(readme, known_tables(cards, records))


def check(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> str:
    """The unified difference between a page and its records; empty where they agree."""
    return page.check(readme, known_tables(cards, records))


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[_escaped(text) for text in row] for row in [head, *rows]]
    widths = [max(3, *map(_width, column)) for column in zip(*cells, strict=True)]
    lines = [[text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)] for row in cells]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    """A name from a file ends neither its cell nor its line, and starts no HTML."""
    return " ".join(text.split("\n")).replace("|", "\\|").replace("<", "&lt;")


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
