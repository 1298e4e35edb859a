"""Everything that the page says, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roadworthy import __version__, judged
from roadworthy.card import ModelCard
from roadworthy.judged import Judged
from roadworthy.profile import Profile
from roadworthy.record import Record
from roadworthy.report import frames, iou, origins, past, speed, training, verdicts
from roadworthy.report.archive import Archive
from roadworthy.report.charts import Chart
from roadworthy.report.frames import Gallery, Swatch
from roadworthy.report.grid import Table, day, moment
from roadworthy.report.origins import Command


@dataclass(frozen=True)
class Plot:
    """A chart and the numbers in it; no chart where there is nothing to draw a line between."""

    chart: Chart | None
    table: Table


@dataclass(frozen=True)
class Chapter:
    """One model."""

    key: str
    name: str
    target: str
    counts: Mapping[str, int]
    throughput: Plot | None
    figures: Table
    ratios: Table
    classes: Sequence[Table]
    history: Sequence[Plot]
    training: Table | None


@dataclass(frozen=True)
class Page:
    """The page; `newest` is the date of its newest record, the only one that it bears."""

    version: str
    newest: str
    records: int
    rule: str
    notes: Sequence[str]
    counts: Mapping[str, int]
    verdicts: Table
    chapters: Sequence[Chapter]
    galleries: Sequence[Gallery]
    errors: Sequence[Swatch]
    environment: Table | None
    commands: Sequence[Command]


def page(cards: Mapping[str, ModelCard], archive: Archive, rule: Profile | None) -> Page:
    """What the records say of the models; those without a record are shown with the figures of their guides."""
    found = {key: judged.verdicts(card, archive.records, rule) for key, card in cards.items()}
    figures = {key: speed.known(card, archive.records) for key, card in cards.items()}
    places = speed.places(r for own in figures.values() for r in own)
    every = [one for own in found.values() for one in own]
    return Page(
        version=__version__,
        newest=day(max((r.when for r in archive.records if r.when and moment(r.when)), default=None)),
        records=len(archive.records),
        rule=rule.name if rule else "",
        notes=archive.notes,
        counts=verdicts.counts(every),
        verdicts=verdicts.table(every),
        chapters=[_chapter(card, figures[key], found[key], archive, places) for key, card in cards.items()],
        galleries=[gallery for card in cards.values() for gallery in frames.galleries(card, archive)],
        errors=frames.errors(),
        environment=origins.environments(archive.records),
        commands=origins.commands(cards, archive.records),
    )


def _chapter(
    card: ModelCard, figures: Sequence[Record], found: Sequence[Judged], archive: Archive, places: Sequence[str]
) -> Chapter:
    asked = [one for one in found if "-vs-" in one.cell and one.verdict.gate.startswith("throughput")]
    drawn, table = speed.chart(card, figures, asked, places), speed.figures_table(card, figures)
    drop = card.target.drop
    allowed = f"{drop.points:g} points" if drop.points is not None else f"{100 * (drop.relative or 0):g} % of it"
    history = [past.history(card, archive.records, metric) for metric in past.METRICS]
    return Chapter(
        key=card.key,
        name=card.name,
        target=f"{card.target.miou:.2f} % mIoU, down by {allowed} at most; delivered on {card.target.judge}",
        counts=verdicts.counts(found),
        throughput=Plot(drawn, table) if drawn else None,
        figures=table,
        ratios=speed.ratios(card, figures, asked),
        classes=iou.tables(card, archive),
        history=[Plot(*pair) for pair in history if pair],
        training=training.table(card, archive.records, found),
    )
