"""What `--records` names -> the records that say something of known models and chips; what is left out is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from roadworthy import markdown, merge
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.merge import Line
from roadworthy.problem import Problem
from roadworthy.record import STANDIN, Record

Why: TypeAlias = Literal["model", "chip", "stand-in", "value"]


@dataclass(frozen=True)
class Sources:
    """All `lines` as they stand, and of them the `records` that say something, each once, oldest first.

    `notes` say which were left out and why.
    """

    lines: tuple[Line, ...]
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()


def read(named: Sequence[Path], cards: Mapping[str, ModelCard], tell: Callable[[str], None]) -> Sources:
    """Files of records, and folders of them, joined as `merge` does.

    Tells of what is left out: a last line that a crash cut short, and records of models without a card, of unknown
    chips, of stand-ins, and of values that are no number. Raises Problem for a source that is not there or holds no
    record, a line that is no record, and two records that contradict each other.
    """
    lines = [line for source in named for line in _lines(source, tell)]
    found = merge.joined(lines)
    notes = _left_out(found, cards)
    for note in notes:
        tell(note)
    return Sources(tuple(lines), tuple(r for r in found if _why_not(r, cards) is None), tuple(notes))


def _lines(source: Path, tell: Callable[[str], None]) -> list[Line]:
    found = merge.read([source], tell)
    if not found:
        raise Problem(f"{source}: holds no record; --records takes a file, or a folder of *.jsonl, such as a run's")
    return found


def _why_not(record: Record, cards: Mapping[str, ModelCard]) -> Why | None:
    """The first reason that a record says nothing; None where it does."""
    if record.model not in cards:
        return "model"
    if record.soc not in chips.socs():
        return "chip"
    if record.runtime == STANDIN:
        return "stand-in"
    return "value" if record.endless else None


def _left_out(found: Sequence[Record], cards: Mapping[str, ModelCard]) -> list[str]:
    why: dict[Why | None, list[Record]] = defaultdict(list)
    for record in found:
        why[_why_not(record, cards)].append(record)
    models, socs = _some([r.model for r in why["model"]]), _some([r.soc for r in why["chip"]])
    words: Mapping[Why, str] = {
        "model": f"of models without a card ({models}; --models takes a folder of cards)",
        "chip": f"of unknown chips ({socs})",
        "stand-in": "of stand-ins for tests, which say nothing of a chip",
        "value": "whose value is no number",
    }
    left = [f"{len(why[key])} {text}" for key, text in words.items() if why[key]]
    return [f"Records left out: {', '.join(left)}"] if left else []


def _some(names: Sequence[str]) -> str:
    shown = sorted({markdown.line(name) for name in names})
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
