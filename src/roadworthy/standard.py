"""The tables that every model has, whatever its guide lays out: accuracy, throughput, training, in one language."""

from __future__ import annotations

from collections.abc import Sequence

from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.layout import Column, Layout
from roadworthy.published import RESULT
from roadworthy.record import Record
from roadworthy.words import Language, word

REFERENCES = {"T4": "x T4", "Ascend310": "x 310"}  # what a chip's throughput is divided by
SPEED = "{:.8g}"  # as the guides print them: with fewer digits, ratios would not follow from what stands beside them
UPSTREAM = "upstream"  # the group of what the original's authors say of themselves


def layouts(card: ModelCard, known: Sequence[Record], language: Language) -> dict[str, Layout]:
    """The model's tables by their captions; none of what there is no figure of."""
    found = [
        (word("accuracy", language), _accuracy(card, known, language)),
        (word("throughput", language), _throughput(card, known, language)),
    ]
    groups = dict.fromkeys(r.settings.get("group", "") for r in known if r.run)
    for group in groups:
        layout = _training(known, group, language)
        searched = any(column.show == "setting" for column in layout.columns)
        named = word("search", language, group=group) if searched else group
        named = word(group, language) if group in (RESULT, UPSTREAM) else named
        found.append((word("training", language, group=named), layout))
    return {caption: layout for caption, layout in found if layout is not None}


def _accuracy(card: ModelCard, known: Sequence[Record], language: Language) -> Layout | None:
    socs = _chips(known, "miou")
    columns = [Column(soc, "miou", soc, "{:.2f}", oom=_lost(card, soc, language)) for soc in socs]
    target = Column(word("target", language), "target", as_="{:.2f}")
    return Layout("accuracy", "batches", (_batch(language), *columns, target)) if socs else None


def _throughput(card: ModelCard, known: Sequence[Record], language: Language) -> Layout | None:
    socs = _chips(known, "throughput")
    speeds = [Column(soc, "throughput", soc, SPEED, oom=_lost(card, soc, language)) for soc in socs]
    delivered = [soc for soc in socs if soc not in REFERENCES and not chips.find(soc).unnamed]
    pairs = [f"{soc} / {reference}" for soc in delivered for reference in REFERENCES if reference in socs]
    ratios = [Column(pair, "ratio", pair, "{:.3f}") for pair in pairs]
    columns = (_batch(language), *speeds, *ratios)
    return Layout("throughput", "batches", columns, best=word("best row", language), bold=True) if socs else None


def _training(known: Sequence[Record], group: str, language: Language) -> Layout:
    own = [r for r in known if r.run and r.settings.get("group", "") == group]
    columns = [Column(word("run", language), "run"), Column(word("devices", language), "devices", blank="-")]
    names = dict.fromkeys(name for r in own for name in r.settings if name != "group")
    columns += [Column(name, "setting", name, blank="-") for name in names]
    shown: dict[str, Column] = {
        "train.miou": Column(word("final", language), "train.miou", as_="{:.2f}", blank="-"),
        "train.best_miou": Column(word("best", language), "train.best_miou", as_="{:.2f}", blank="-"),
        "train.throughput": Column(word("speed", language), "train.throughput", as_=SPEED, blank="-"),
    }
    columns += [column for metric, column in shown.items() if any(r.metric == metric for r in own)]
    return Layout("training", "runs", tuple(columns), group=group)


def _batch(language: Language) -> Column:
    return Column(word("batch", language), "batch")


def _chips(known: Sequence[Record], metric: str) -> list[str]:
    return list(dict.fromkeys(r.soc for r in known if r.metric == metric and r.run is None))


def _lost(card: ModelCard, soc: str, language: Language) -> str:
    """The guide's words for a batch that does not fit this chip; our own where it has none."""
    columns = [(layout, column) for layout in card.table for column in layout.columns if column.oom]
    named = [column.oom for layout, column in columns if soc in (column.chips or layout.chips)]
    words = named or [column.oom for _, column in columns]
    return word("oom in words", language, guide=words[0]) if words else word("oom", language)
