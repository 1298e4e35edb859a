"""Footnotes of a table: where its figures come from and what does not compare, marked at heads and cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy.words import Language, word

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Cell:
    """A text, and what is to be noted of it: where it comes from, and what is unlike or unexpected about it."""

    text: str
    figure: bool = False  # or a text of the table's own, of which there is nothing to note
    origin: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Noted:
    """A table's head and rows with marks, and the lines below it."""

    head: list[str]
    rows: list[list[str]]
    lines: list[str]


def noted(head: Sequence[str], rows: Sequence[Sequence[Cell]], language: Language) -> Noted:
    """The table with its notes: a mark at a head is for the whole column, one line for a table of one origin alone."""
    numbers: dict[str, int] = {}
    origins = {cell.origin for row in rows for cell in row if cell.origin}
    common = origins.pop() if len(origins) == 1 else ""
    columns = [[row[i] for row in rows] for i in range(len(head))]
    heads = [
        [whole for kind in ("origin", "warning") if (whole := _whole(column, kind)) not in ("", common)]
        for column in columns
    ]
    marked = [text + _marks(notes, numbers) for text, notes in zip(head, heads, strict=True)]
    texts = [
        [
            cell.text + _marks([n for n in (cell.origin, cell.warning) if n not in ("", common, *above)], numbers)
            for cell, above in zip(row, heads, strict=True)
        ]
        for row in rows
    ]
    lines = [word("all", language, origin=common)] if common else []
    lines += [
        f"{str(number).translate(SUPERSCRIPTS)} {note}{word('full stop', language)}" for note, number in numbers.items()
    ]
    return Noted(marked, texts, lines)


def _whole(column: Sequence[Cell], kind: str) -> str:
    """The note that all figures of a column have."""
    found = {getattr(cell, kind) for cell in column if cell.figure}
    return found.pop() if len(found) == 1 else ""


def _marks(notes: Sequence[str], numbers: dict[str, int]) -> str:
    """The marks of notes, numbered as they come."""
    return " ".join(str(numbers.setdefault(note, len(numbers) + 1)).translate(SUPERSCRIPTS) for note in notes)
