"""Records -> Markdown: the guides' tables in their own words, the summary of all models, the sample figures."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import pandas as pd

from roadworthy import bound, gates, judged, markdown, notes, origin, page, profile, standard, standing
from roadworthy.card import ModelCard
from roadworthy.gates import Verdict
from roadworthy.layout import Layout
from roadworthy.published import RESULT
from roadworthy.record import Record
from roadworthy.sheet import Sheet
from roadworthy.soc import Soc
from roadworthy.words import WORDS, Language, word


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Records as a tidy table: one row, one number."""
    columns = [field.name for field in dataclasses.fields(Record)]
    return pd.DataFrame([dataclasses.asdict(record) for record in records], columns=columns)


def render_layout(card: ModelCard, layout: Layout, records: Iterable[Record], language: Language = "en") -> str:
    """One table as Markdown, with its notes; ratios are computed from its figures."""
    records = list(records)
    return _laid_out(Sheet(card, layout, standing.figures(card, records), standing.counted(card, records)), language)


def _laid_out(sheet: Sheet, language: Language, more: Sequence[str] = ()) -> str:
    """The table with its notes, and `more` sentences among them."""
    card, layout = sheet.card, sheet.layout
    if not sheet.known:
        return word("nothing", language, name=markdown.escaped(card.name))
    texts = zip(sheet.texts(), sheet.behind(), sheet.marked(), strict=True)
    rows = [
        [_cell(card, text, behind, language, best=best) for text, behind, best in zip(*row, strict=True)]
        for row in texts
    ]
    found = notes.noted([markdown.escaped(column.head) for column in layout.columns], rows, language)
    lines = [word("bold", language)] if layout.bold and layout.best else []
    return _markdown(found.head, found.rows) + _below([*lines, *more, *found.lines])


def _cell(
    card: ModelCard, text: str, behind: Sequence[Record], language: Language, *, best: bool = False
) -> notes.Cell:
    text = f"**{markdown.escaped(text)}**" if best else markdown.escaped(text)
    if not text or not behind:
        return notes.Cell(text)
    own, *others = behind
    stated = card.published_.environment if own.run is None else {}  # which is of inference
    if others:
        return notes.Cell(text, figure=True, warning=origin.unlike(own, others[0], language))
    lost = own.outcome == "oom" and own.batch is not None and not gates.expected(card, own)
    told = {"origin": origin.origin(own, stated, language), "warning": word("lost", language) if lost else ""}
    return notes.Cell(text, figure=True, **told)


def _below(lines: Sequence[str]) -> str:
    """Notes below a table, as a list."""
    return "\n" + "".join(f"- {markdown.escaped(line)}\n" for line in lines) if lines else ""


def results(card: ModelCard, records: Iterable[Record], language: Language = "en") -> str:
    """All that is known of a model in one language: accuracy, throughput, training, each with units, notes and origins."""
    records = list(records)
    known, counting = standing.figures(card, records), standing.counted(card, records)
    failed = _training_that_failed(card, records, language)
    parts = []
    for caption, layout in standard.layouts(card, known, language).items():
        more = failed if layout.rows == "runs" and layout.group == RESULT else []
        table = _laid_out(Sheet(card, layout, known, counting), language, more)
        parts.append(f"**{markdown.escaped(caption)}**\n\n{table}")
    return "\n".join(parts) or word("nothing", language, name=markdown.escaped(card.name))


def summary(cards: Iterable[ModelCard], records: Sequence[Record], language: Language = "en") -> str:
    """One row for every chip that a card delivers: its best batch against other chips, its mIoU, and what follows."""
    names = ("model", "chip", "best batch", "speed", *standard.REFERENCES.values(), "mIoU %", "target %", "verdict")
    head = [word(name, language) if name in WORDS else name for name in names]
    rows, cards = [], list(cards)
    for card in cards:
        known = [r for r in standing.counted(card, records) if r.run is None]  # of training there is no row
        rows += [_summary_row(card, soc, known, language) for soc in standing.delivered(card, known)]
    found = notes.noted(head, rows, language)
    failed = [line for card in cards for line in _training_that_failed(card, records, language)]
    return _markdown(found.head, found.rows) + _below([word("of best", language), *failed, *found.lines])


def _training_that_failed(card: ModelCard, records: Sequence[Record], language: Language) -> list[str]:
    """A sentence for every verdict on a training run that failed: there is no row of it in the summary."""
    failed = [one for one in judged.training(card, records) if one.verdict.outcome == "failed"]
    return [word("failed training", language, cell=one.cell, told=str(one.verdict)) for one in failed]


def _summary_row(card: ModelCard, soc: Soc, known: Sequence[Record], language: Language) -> list[notes.Cell]:
    own, others = gates.best(known, soc.name), {other: gates.best(known, other) for other in standard.REFERENCES}
    asked = profile.ratios(card, soc, None)

    def shown(text: str, *behind: Record | None) -> notes.Cell:
        return _cell(card, text, [r for r in behind if r], language)

    ratios = [
        shown(bound.shown(own.value / r.value, asked.get(other), 3), own, r)
        if own and own.value and r and r.value
        else shown("")
        for other, r in others.items()
    ]
    scored = [r for r in known if (r.soc, r.metric) == (soc.name, "miou") and r.value is not None]
    worst = min(scored, key=lambda r: r.value or 0, default=None)
    return [
        *(shown(card.key), shown(soc.name)),
        *(shown(str(own.batch or "")) if own else shown(""), shown(f"{own.value:.2f}", own) if own else shown("")),
        *ratios,
        *(shown(f"{100 * (worst.value or 0):.2f}", worst) if worst else shown(""), shown(f"{card.target.miou:.2f}")),
        shown(_verdict(card, soc, known, language)),
    ]


def _verdict(card: ModelCard, soc: Soc, known: Sequence[Record], language: Language) -> str:
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
    found = [*promised, *fits]
    if failed := _gates(found, "failed", language):
        return word("of gates", language, outcome=word("failed", language), gates=failed)
    if not any(verdict.outcome == "passed" for verdict in promised):
        return word("unjudged", language)
    if unjudged := _gates(found, "unjudged", language):
        outcome = word("semicolon", language).join(word(name, language) for name in ("passed", "unjudged"))
        return word("of gates", language, outcome=outcome, gates=unjudged)
    return word("passed", language)


def _gates(verdicts: Iterable[Verdict], outcome: str, language: Language) -> str:
    """The gates of this outcome, each once."""
    named = dict.fromkeys(verdict.gate for verdict in verdicts if verdict.outcome == outcome)
    return word("comma", language).join(_gate(name, language) for name in named)


def _gate(name: str, language: Language) -> str:
    kind, _, other = name.partition(" against ")
    return word(f"gate {kind}", language, other=other)


def sample(records: Iterable[Record]) -> str:
    """Figures on the drawn sample data, newest of each cell: mIoU by the guide's convention and pooled, as Markdown."""
    shown = [r for r in records if r.source == "sample" and r.metric in ("miou", "pooled_miou") and r.value is not None]
    rows = frame(r for r in shown if not r.untrained and r.batch is not None)
    if rows.empty:
        return "No figure on sample data is committed.\n"
    cell = ["model", "soc", "runtime", "data", "batch"]
    rows = rows.fillna({"runtime": "", "data": ""}).sort_values("when", kind="stable")
    rows = rows.drop_duplicates([*cell, "metric"], keep="last")
    table = rows.pivot_table(index=cell, columns="metric", values="value")
    table = table.map(lambda value: "" if pd.isna(value) else f"{100 * value:.2f}").reset_index()
    table = table.rename(columns={"data": "sample data", "miou": "mIoU %", "pooled_miou": "pooled mIoU %"})
    texts = [[markdown.escaped(str(value)) for value in row] for row in table.to_numpy().tolist()]
    return _markdown(list(table.columns), texts)


def of_card(card: ModelCard, records: Iterable[Record]) -> dict[str, str]:
    """The tables that a model's card lays out, in its guide's words, by their names; its results where there are none."""
    records = list(records)
    if not card.table:
        return {f"{card.key}.en": results(card, records)}
    return {f"{card.key}.{layout.name}": render_layout(card, layout, records) for layout in card.table}


def known_tables(cards: Sequence[ModelCard], records: Sequence[Record]) -> dict[str, str]:
    """Every table that a page may name.

    `summary` and `sample`; `MODEL.en` and `MODEL.zh`, a model's results; `MODEL.TABLE`, a table that its card lays out,
    and all of these under the model's own name.
    """
    found = {"summary": summary(cards, records), "summary.zh": summary(cards, records, "zh"), "sample": sample(records)}
    for card in cards:
        own = of_card(card, records)
        told = {f"{card.key}.{language}": results(card, records, language) for language in get_args(Language)}
        found |= {card.key: "\n".join(dict.fromkeys(own.values())), **own, **told}
    return found


def write(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> None:
    """Render the tables of a page in place."""
    page.write(readme, known_tables(cards, records))


def check(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> str:
    """The unified difference between a page and its records; empty where they agree."""
    return page.check(readme, known_tables(cards, records))


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text that is Markdown already."""
    cells = [head, *rows]
    widths = [max(3, *map(_width, column)) for column in zip(*cells, strict=True)]
    lines = [[text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)] for row in cells]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
