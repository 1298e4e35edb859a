"""Records -> pandas -> Markdown between the markers of a README."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.record import Record

REFERENCES = ("T4", "Ascend310")  # what a chip's throughput is divided by
MARKERS = re.compile(r"(<!-- roadworthy:table (?P<name>\S+) -->\n).*?(<!-- roadworthy:end -->)", re.DOTALL)
WORDS = {"oom": "out of memory"}


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Records as a tidy table: one row, one number."""
    columns = [field.name for field in dataclasses.fields(Record)]
    return pd.DataFrame([dataclasses.asdict(record) for record in records], columns=columns)


def throughput(card: ModelCard, records: Iterable[Record]) -> str:
    """Images/s of every chip by batch size with the ratios to the references, as Markdown; last row best over best.

    Figures made on sample data never enter. Measured figures replace published ones of the same cell.
    """
    rows = frame([*card.published(), *records])
    rows = rows[
        (rows.model == card.key) & (rows.metric == "throughput") & (rows.source != "sample") & (rows.soc != "cpu")
    ]
    if rows.empty:
        return f"No throughput of {card.name} is published or measured.\n"
    rows = rows.drop_duplicates(["soc", "batch"], keep="last")
    socs = list(dict.fromkeys(rows.soc))
    figures = rows.pivot_table(index="batch", columns="soc", values="value", aggfunc="last", dropna=False)[socs]
    figures.index = figures.index.astype(int)
    figures.loc["best"] = figures.max()
    table = figures.map(lambda value: "" if pd.isna(value) else f"{value:.2f}")
    lost = rows[rows.value.isna()]
    for batch, soc, outcome in zip(lost.batch.astype(int), lost.soc, lost.outcome, strict=True):
        table.loc[batch, soc] = WORDS.get(outcome, outcome)
    for soc in socs:
        for reference in (r for r in REFERENCES if r in socs and soc not in REFERENCES):
            ratio = figures[soc] / figures[reference]
            table[f"{soc} / {reference}"] = ratio.map(lambda value: "" if pd.isna(value) else f"{value:.3f}")
    for soc in socs:
        if figures[soc].notna().any():
            best = figures[soc].drop("best").idxmax()
            table.loc[best, soc] = f"**{table.loc[best, soc]}**"
    notes = ["Images/s; the best batch of each chip is bold and enters the last row."]
    for soc, runtime in card.runtime.items():
        if soc in socs:
            notes.append(
                f"{soc} ran {runtime} inference (wall clock), not a compiled engine: ratios to it compare unlike."
            )
    return (
        table.rename_axis("batch").reset_index().to_markdown(index=False, disable_numparse=True)
        + "\n\n"
        + "\n".join(notes)
        + "\n"
    )


def sample(records: Iterable[Record]) -> str:
    """Figures on the drawn sample data, newest of each cell: mIoU by the guide's convention and pooled, as Markdown."""
    rows = frame(records)
    rows = rows[(rows.source == "sample") & rows.metric.isin(["miou", "pooled_miou"]) & rows.value.notna()]
    if rows.empty:
        return "No figure on sample data is committed.\n"
    rows = rows.sort_values("when", kind="stable").drop_duplicates(["model", "soc", "batch", "metric"], keep="last")
    table = rows.pivot_table(index=["model", "soc", "runtime", "data", "batch"], columns="metric", values="value")
    table = table.map(lambda value: f"{100 * value:.2f}").reset_index()
    names = {"data": "sample data", "miou": "mIoU %", "pooled_miou": "pooled mIoU %"}
    return table.rename(columns=names).to_markdown(index=False, disable_numparse=True) + "\n"


def render(text: str, cards: Sequence[ModelCard], records: Sequence[Record], readme: Path) -> str:
    """`text` with every table between markers rendered anew; raises Problem for a name that is no table."""
    makers: dict[str, Callable[[], str]] = {card.key: lambda card=card: throughput(card, records) for card in cards}  # type: ignore[misc]
    makers["sample"] = lambda: sample(records)

    def rendered(match: re.Match[str]) -> str:
        if match["name"] not in makers:
            raise Problem(f"{readme}: there is no table {match['name']!r}; known: {', '.join(makers)}")
        return f"{match[1]}\n{makers[match['name']]()}\n{match[3]}"

    return MARKERS.sub(rendered, text)


def write(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> None:
    """Render the tables of a README in place."""
    text = render(_text(readme), cards, records, readme)
    part = readme.with_name(readme.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(readme)


def check(readme: Path, cards: Sequence[ModelCard], records: Sequence[Record]) -> str:
    """The unified difference between a README and its records; empty where they agree."""
    old = _text(readme)
    new = render(old, cards, records, readme)
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(readme), "records"))  # noqa: FBT003


def _text(readme: Path) -> str:
    if not readme.is_file():
        raise Problem(f"{readme}: there is no such file; --readme names another")
    text = readme.read_text(encoding="utf-8")
    if not MARKERS.search(text):
        raise Problem(
            f"{readme}: no table markers; a table stands between <!-- roadworthy:table NAME --> and <!-- roadworthy:end -->"
        )
    return text
