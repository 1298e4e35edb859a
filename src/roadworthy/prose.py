"""Markdown line by line: which lines are text, and which are code or a comment, whose words count for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "code", "comment"]

CODE = 4  # blanks from which a line is code where no paragraph goes on
FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")  # ```a``` in one line is a span within text
QUOTE = re.compile(r" {0,3}> ?")
ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:$| {1,4}(?=\S)| (?= ))")
BREAK = re.compile(r"\s*(?:([-*_])(?:\s*\1){2,}|=+)\s*")  # also the line below a heading
HEADING = re.compile(r"#{1,6}(?:\s|$)")
COMMENT, ENDED = "<!--", "-->"


@dataclass(frozen=True)
class Place:
    """Where a line leaves off."""

    inside: tuple[int, ...] = ()  # what is around it: the margin of a list's item, 0 for a quote
    flowing: bool = False  # whether a paragraph or a table may go on
    until: str = ""  # what ends the comment or the fenced code


def kinds(lines: Sequence[str]) -> list[Kind]:
    """The kind of every line, as GitHub reads it; what the items of lists hold is not code for its indentation.

    Comments are those that begin a line: text around them on the same line is shown by nobody. An empty line within code
    is code where a fence is around it.
    """
    place, found = Place(), []
    for line in lines:
        place, kind = _step(place, line.expandtabs(4).rstrip())
        found.append(kind)
    return found


def _step(place: Place, line: str) -> tuple[Place, Kind]:
    inside, rest = _entered(place.inside, line)
    if place.until and inside == place.inside:  # the end of a quote or an item ends what it holds
        return _within(place, line)
    if not rest:
        return Place(inside), "text"
    if inside != place.inside and place.flowing and not _begins(rest):
        return place, "text"  # a paragraph goes on, whatever its margin
    opened, rest = _opened(rest)
    if _margin(rest) >= CODE and (opened or not place.flowing):
        return Place(inside + opened), "code"
    return _block(inside + opened, rest)


def _block(inside: tuple[int, ...], rest: str) -> tuple[Place, Kind]:
    """What begins here, of no indentation that counts."""
    text = rest.lstrip()
    if fence := FENCE.match(text):
        return Place(inside, until=fence[0]), "code"
    if text.startswith(COMMENT) and _margin(rest) < CODE:
        return Place(inside, until="" if ENDED in text else ENDED), "comment"
    ends = (HEADING.match(text) or BREAK.fullmatch(text)) and _margin(rest) < CODE
    return Place(inside, flowing=bool(text) and not ends), "text"


def _within(place: Place, line: str) -> tuple[Place, Kind]:
    """A line of a comment or of fenced code, whatever its margin."""
    if place.until == ENDED:
        return Place(place.inside, until="" if ENDED in line else ENDED), "comment"
    _, rest = _entered(place.inside, line)
    bare = rest.lstrip()
    closed = _margin(rest) < CODE and bare.startswith(place.until) and not bare.strip(place.until[0])
    return Place(place.inside, until="" if closed else place.until), "code"


def _entered(inside: tuple[int, ...], line: str) -> tuple[tuple[int, ...], str]:
    """The quotes and items that a line goes on with, and what stands in them."""
    rest = line
    for number, margin in enumerate(inside):
        quote = None if margin else QUOTE.match(rest)
        if (not margin and not quote) or (rest and _margin(rest) < margin):
            return inside[:number], rest
        rest = rest[quote.end() if quote else margin :]
    return inside, rest


def _opened(line: str) -> tuple[tuple[int, ...], str]:
    """The quotes and items that begin in a line, and what stands in them."""
    opened, rest = [], line
    while mark := QUOTE.match(rest) or (None if BREAK.fullmatch(rest) else ITEM.match(rest)):
        empty = mark.end() == len(rest)  # an item's text then begins one blank further on
        opened.append(mark.end() + empty if mark.re is ITEM else 0)
        rest = rest[mark.end() :]
    return tuple(opened), rest


def _begins(text: str) -> bool:
    """Whether a line begins something, so that it goes on with no paragraph."""
    bare = text.lstrip()
    starts = any(start.match(bare) for start in (HEADING, FENCE, QUOTE, ITEM)) or bare.startswith(COMMENT)
    return _margin(text) < CODE and (starts or BREAK.fullmatch(bare) is not None)


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())
