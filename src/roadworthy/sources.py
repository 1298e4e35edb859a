"""What `--records` names -> the records that say something of known models and chips; what is left out is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy import markdown, merge
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.merge import Line
from roadworthy.problem import Problem
from roadworthy.record import STANDIN, Record


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
    return Sources(tuple(lines), tuple(r for r in found if _says_something(r, cards)), tuple(notes))


def _lines(source: Path, tell: Callable[[str], None]) -> list[Line]:
    found = merge.read([source], tell)
    if not found:
        raise Problem(f"{source}: holds no record; --records takes a file, or a folder of *.jsonl, such as a run's")
    return found


def _says_something(record: Record, cards: Mapping[str, ModelCard]) -> bool:
    known = record.model in cards and record.soc in chips.socs()
    return known and record.runtime != STANDIN and not record.endless


def _left_out(found: Sequence[Record], cards: Mapping[str, ModelCard]) -> list[str]:
    left = []
    if strange := [r.model for r in found if r.model not in cards]:
        left.append(f"{len(strange)} of models without a card ({_some(strange)}; --models takes a folder of cards)")
    known = [r for r in found if r.model in cards]
    if unknown := [r.soc for r in known if r.soc not in chips.socs()]:
        left.append(f"{len(unknown)} of unknown chips ({_some(unknown)})")
    known = [r for r in known if r.soc in chips.socs()]  # each is told of by the first reason
    if standins := sum(r.runtime == STANDIN for r in known):
        left.append(f"{standins} of stand-ins for tests, which say nothing of a chip")
    if endless := sum(r.endless for r in known if r.runtime != STANDIN):
        left.append(f"{endless} whose value is no number")
    return [f"Records left out: {', '.join(left)}"] if left else []


def _some(names: Sequence[str]) -> str:
    shown = sorted({markdown.line(name) for name in names})
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
