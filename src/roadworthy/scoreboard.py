"""Verdicts -> the table at the end of a run at a terminal's width, or a line each where a program may read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from roadworthy import markdown
from roadworthy.ci import HEAD, WORST_FIRST, Judged
from roadworthy.gates import Verdict

ORDER = WORST_FIRST[::-1]  # what failed stands beside the prompt
GAP, INDENT = "  ", "    "
MOST = (36, 24)  # columns of what was observed and required: the reason needs the rest
LEAST = 36  # columns that both of them, or a reason beside them, need to be read

Outcome: TypeAlias = Literal["passed", "failed", "unjudged"]


@dataclass(frozen=True)
class Piece:
    """Text of one colour: that of an outcome, or `head`, or none."""

    text: str
    colour: Outcome | Literal["head", ""] = ""


Line: TypeAlias = list[Piece]


def table(judged: Sequence[Judged], width: int) -> Iterator[Line]:
    """The lines of a table of `width` columns (more for names that have no room), failed last; no word is left out.

    The reason is the last column where there is room for it, else it stands indented below its row. Where cells leave
    no room for what was observed and required, these stand there too.
    """
    rows = [_row(*one) for one in sorted(judged, key=lambda one: ORDER.index(one[1].outcome))]
    widths = _widths(rows, width)
    yield [Piece(_aligned(HEAD, widths), "head")]
    for row, outcome in rows:
        yield from _lines(row, outcome, widths)
        if below := _below(row, len(widths)):
            for text in _wrapped(below, width - len(INDENT)):
                yield [Piece(INDENT + text)]


def plain(judged: Sequence[Judged]) -> Iterator[Line]:
    """A line for every verdict in the order of the run, as long as it is: for grep, and for logs."""
    width = max((cell_len(cell) for cell, _ in judged), default=0)
    for cell, verdict in judged:
        yield [Piece(_padded(markdown.line(cell), width) + GAP), Piece(markdown.line(str(verdict)), verdict.outcome)]


def counts(judged: Sequence[Judged]) -> Line:
    """How many verdicts there are of each outcome, in the colour of the worst."""
    found = {name: sum(verdict.outcome == name for _, verdict in judged) for name in WORST_FIRST}
    worst: Outcome = next(
        verdict.outcome for _, verdict in sorted(judged, key=lambda one: WORST_FIRST.index(one[1].outcome))
    )
    told = ", ".join(f"{count} {name}" for name, count in found.items() if count)
    return [Piece(f"{len(judged)} verdict{'s' if len(judged) > 1 else ''}: {told}", worst)]


def _row(cell: str, verdict: Verdict) -> tuple[list[str], Outcome]:
    texts = (cell, verdict.gate, verdict.outcome, verdict.observed, verdict.required, verdict.because)
    return [markdown.line(text) for text in texts], verdict.outcome


def _widths(rows: Sequence[tuple[list[str], Outcome]], width: int) -> list[int]:
    """Of the columns that there is room for: the first three, with what was observed and required, with the reason."""
    cell, gate, outcome, *texts = (
        max(map(cell_len, column)) for column in zip(HEAD, *(r for r, _ in rows), strict=True)
    )
    fixed = [cell, gate, outcome]
    rest = width - sum(fixed) - len(GAP) * len(fixed)
    if sum(texts) + 2 * len(GAP) <= rest:
        return [*fixed, *texts]
    observed, required = map(min, texts, MOST)
    reason = rest - observed - required - 2 * len(GAP)
    if reason >= LEAST:
        return [*fixed, observed, required, reason]
    if rest < LEAST - len(GAP):
        return fixed
    required = min(required, max(rest // 3, rest - len(GAP) - observed))
    return [*fixed, min(observed, rest - len(GAP) - required), required]


def _lines(row: Sequence[str], outcome: Outcome, widths: Sequence[int]) -> Iterator[Line]:
    """A row, its cells wrapped; the outcome has its colour, and a row that failed is of one colour."""
    columns = [_wrapped(text, width) for text, width in zip(row, widths, strict=False)]
    for number in range(max(map(len, columns))):
        texts = [column[number] if number < len(column) else "" for column in columns]
        if outcome == "failed":
            yield [Piece(_aligned(texts, widths), outcome)]
            continue
        before, after = _aligned(texts[:2], widths[:2]), _aligned(texts[3:], widths[3:])
        first = _padded(before, sum(widths[:2]) + len(GAP)) + GAP
        yield [Piece(first), Piece(_padded(texts[2], widths[2]) + GAP, outcome), Piece(after)]


def _below(row: Sequence[str], columns: int) -> str:
    """What has no column of its own, in words."""
    *_, observed, required, because = row
    if columns == len(HEAD):
        return ""
    asked = f", required {required}" if required else ""
    return because if columns > 3 else f"observed {observed}{asked}; {because}"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, of which a Chinese letter takes two; at least one."""
    lines = Text(text).wrap(Console(), max(width, 2))
    return [line.plain.rstrip() for line in lines] or [""]


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(_padded(text, width) for text, width in zip(texts, widths, strict=False)).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
