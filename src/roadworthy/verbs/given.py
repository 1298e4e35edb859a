"""What options name: cards, a case, records; and how a verb answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from roadworthy import card as modelcards
from roadworthy import runtimes, sources
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.runtimes import devices

IN_TORCH = "eager"  # what a checkpoint is evaluated by where no chip is named, and what it was trained by
RECORDS = Path("reports/records")


def cards(options: argparse.Namespace) -> dict[str, ModelCard]:
    """All cards by their keys, those of `--models` included."""
    return modelcards.find([modelcards.builtin_models(), *options.models])


def card(options: argparse.Namespace) -> ModelCard:
    """The card of MODEL; raises Problem for one that there is not."""
    found = cards(options)
    if options.model not in found:
        raise Problem(f"{options.model}: there is no such model; known: {', '.join(found)}")
    return found[options.model]


def case(options: argparse.Namespace, batch: int, say: Callable[[str], None]) -> Case:
    """MODEL on the chip named, or on what the machine has, of which `say` is told."""
    if options.runtime:
        runtimes.check(options.runtime)
    soc, why = (options.soc, "") if options.soc else devices.default(options.runtime or "")
    if why:
        say(f"chip: {soc} ({why})")
    runtime = options.runtime or ("" if options.soc or soc != "cpu" else IN_TORCH)
    return Case(card(options), chips.find(soc), batch, runtime)


def records(options: argparse.Namespace, known: Mapping[str, ModelCard]) -> tuple[Record, ...]:
    """The records of what `--records` names, or the committed ones; raises Problem as `sources.read`."""
    return sources.read(options.records or committed(), known, tell).records


def committed() -> list[Path]:
    """The folder of committed records, where it has any."""
    return [RECORDS] if any(RECORDS.glob("*.jsonl")) else []


def show(lines: Sequence[str]) -> None:
    """The answer."""
    print("\n".join(lines))


def tell(text: str) -> None:
    """Beside the answer."""
    print(text, file=sys.stderr)
