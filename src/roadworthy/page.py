"""A Markdown page whose tables stand between markers: rendered anew, or found stale."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from roadworthy.problem import Problem

STANDS = "a table stands between <!-- roadworthy:table NAME --> and <!-- roadworthy:end -->"
MARKER = re.compile(r"<!-- roadworthy:(?:table (?P<name>\S+)|end) -->")
MARKERS = re.compile(r"(<!-- roadworthy:table (?P<name>\S+) -->\n).*?(<!-- roadworthy:end -->)", re.DOTALL)


def fill(text: str, tables: Mapping[str, str], path: Path) -> str:
    """`text` with every table between markers replaced by the one of its name; raises Problem for an unknown name."""

    def filled(match: re.Match[str]) -> str:
        if match["name"] not in tables:
            raise Problem(f"{path}: there is no table {match['name']!r}; known: {', '.join(tables)}")
        return f"{match[1]}\n{tables[match['name']]}\n{match[3]}"

    return MARKERS.sub(filled, text)


def write(path: Path, tables: Mapping[str, str]) -> None:
    """Render the tables of a page in place; the ends of its lines stay as they are."""
    text = fill(_text(path), tables, path)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\r\n" if b"\r\n" in path.read_bytes() else "\n")
    part.replace(path)


def check(path: Path, tables: Mapping[str, str]) -> str:
    """The unified difference between a page and its tables; empty where they agree."""
    old = _text(path)
    new = fill(old, tables, path)
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), "records"))  # noqa: FBT003


def _text(path: Path) -> str:
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; --readme names another")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: byte {error.start} is not UTF-8; --readme takes Markdown pages in UTF-8") from None
    _check_pairs(text, path)
    if not MARKERS.search(text):
        raise Problem(f"{path}: no table markers; {STANDS}")
    return text


def _check_pairs(text: str, path: Path) -> None:
    """Raise Problem naming the line of a marker that has no other one."""
    begun: re.Match[str] | None = None
    for marker in MARKER.finditer(text):
        if begun and marker["name"]:
            break
        if not begun and not marker["name"]:
            raise Problem(f"{path}:{_line(text, marker)}: a table ends that does not begin; {STANDS}")
        begun = None if begun else marker
    if begun:
        raise Problem(f"{path}:{_line(text, begun)}: table {begun['name']} begins and does not end; {STANDS}")


def _line(text: str, marker: re.Match[str]) -> int:
    return text.count("\n", 0, marker.start()) + 1
