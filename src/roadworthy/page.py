"""A Markdown page whose tables stand between markers: rendered anew, or found stale."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy import prose, whole
from roadworthy.problem import Problem

STANDS = (
    "a table stands between <!-- roadworthy:table NAME --> and <!-- roadworthy:end -->, each of them a line of its own"
)
BEGUN = re.compile(r"<!--\s*roadworthy:", re.IGNORECASE)  # what is meant for a marker
MARKER = re.compile(r"\ufeff?\s*<!-- roadworthy:(?:table (?P<name>\S+)|end) -->\s*")
SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Pair:
    """The lines of a table's two markers, counted from 0, and the table's name."""

    first: int
    last: int
    name: str


def fill(text: str, tables: Mapping[str, str], path: Path) -> str:
    """`text` with every table between markers replaced by the one of its name; markers in code are text.

    Raises Problem for an unknown name, and for a marker that is not one of a pair.
    """
    lines = text.split("\n")
    filled, kept = [], 0
    for pair in _pairs(lines, path):
        if pair.name not in tables:
            raise Problem(f"{path}: there is no table {pair.name!r}; known: {', '.join(tables)}")
        filled += [*lines[kept : pair.first + 1], "", *tables[pair.name].split("\n")]
        kept = pair.last
    if not filled:
        raise Problem(f"{path}: no table markers; {STANDS}")
    return "\n".join(filled + lines[kept:])


def write(path: Path, tables: Mapping[str, str]) -> None:
    """Render the tables of a page in place; the ends of its lines stay as they are."""
    text = fill(_text(path), tables, path)
    ends = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
    with whole.written(path, "page") as part:
        part.write_text(text, encoding="utf-8", newline=ends)


def check(path: Path, tables: Mapping[str, str]) -> str:
    """The unified difference between a page and its tables; empty where they agree."""
    old = _text(path)
    new = fill(old, tables, path)
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), "records"))  # noqa: FBT003


def _text(path: Path) -> str:
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; --readme names another")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: byte {error.start} is not UTF-8; --readme takes Markdown pages in UTF-8") from None


def _pairs(lines: Sequence[str], path: Path) -> Iterator[Pair]:
    """The markers of a page; raises Problem naming the line of one that is not well formed or has no other one."""
    begun: tuple[int, str] | None = None
    for number in _marked(lines):
        marker = MARKER.fullmatch(lines[number])
        if not marker:
            raise Problem(f"{path}:{number + 1}: {lines[number].strip()!r} is no marker of a table; {STANDS}")
        if begun and not marker["name"]:
            yield Pair(begun[0], number, begun[1])
            begun = None
        elif begun:
            break
        elif marker["name"]:
            begun = number, marker["name"]
        else:
            raise Problem(f"{path}:{number + 1}: a table ends that does not begin; {STANDS}")
    if begun:
        raise Problem(f"{path}:{begun[0] + 1}: table {begun[1]} begins and does not end; {STANDS}")


def _marked(lines: Sequence[str]) -> list[int]:
    """The lines with what is meant for a marker, code left out."""
    shown = [SPAN.sub("", line) * (kind != "code") for line, kind in zip(lines, prose.kinds(lines), strict=True)]
    text = "\n".join(shown)
    return [text.count("\n", 0, found.start()) for found in BEGUN.finditer(text)]
