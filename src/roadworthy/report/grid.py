"""A table of the page: cells with the text that is shown, and the value that sorts and is copied."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy import origin as origins
from roadworthy.record import Record

LONG = 20  # letters


@dataclass(frozen=True)
class Cell:
    """What stands in a cell. `value` sorts it and, with all digits, is copied; `bar` is a share, 0..1, drawn behind it."""

    text: str = ""
    value: float | str | None = None
    look: str = ""  # class of the style sheet: passed, failed, unjudged, best, fell
    bar: float | None = None

    @property
    def classes(self) -> str:
        """Those of the style sheet; `long` of a word, such as a digest, that a narrow column has no room for."""
        long = len(self.text) > LONG and any(len(word) > LONG for word in self.text.split())
        return " ".join(filter(None, [self.look, "long" if long else "", "" if self.bar is None else "barred"]))


@dataclass(frozen=True)
class Head:
    """A column: its name, and whether it holds numbers."""

    text: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a unique name; `stacked` ones become one block a row on a narrow screen."""

    name: str
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    stacked: bool = False
    filters: tuple[str, ...] = ()  # of each row: what it can be filtered by


def heads(*names: str) -> tuple[Head, ...]:
    """Columns by name; one that begins with # holds numbers."""
    return tuple(Head(name.removeprefix("#"), name.startswith("#")) for name in names)


def number(value: float | None, form: str = "{:.2f}", look: str = "") -> Cell:
    """A number as it is shown; empty where there is none."""
    return Cell() if value is None else Cell(form.format(value), value, look)


def percent(value: float | None, form: str = "{:.2f}") -> Cell:
    """A fraction in percent."""
    return number(None if value is None else 100 * value, form)


def capped(rows: Sequence[tuple[Cell, ...]], most: int, what: str) -> tuple[tuple[tuple[Cell, ...], ...], list[str]]:
    """The first rows, and a note where more are left out."""
    left = len(rows) - most
    return tuple(rows[:most]), [f"{left} more {what} are left out here; the records hold them."] if left > 0 else []


def moment(when: str | None) -> dt.datetime | None:
    """An ISO 8601 time in UTC, None where a text is no time of the years 1000 to 8999, which a chart has room for."""
    try:
        found = dt.datetime.fromisoformat((when or "").replace("Z", "+00:00"))
        found = found.astimezone(dt.timezone.utc).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None
    return found if 1000 <= found.year < 9000 else None


def day(when: str | None) -> str:
    """The date and the time of day of an ISO 8601 time, in UTC; another text as it is."""
    found = moment(when)
    return f"{found:%Y-%m-%d %H:%M}" if found else when or ""


def origin(record: Record) -> str:
    """Where a figure comes from: published, or measured when, with driver and CANN, and what it is not."""
    if record.source == "published":
        return "published"
    told = [f"measured {day(record.when)}".rstrip(), origins.facts(record.environment), *marks(record)]
    return ", ".join(filter(None, told))


def marks(record: Record, *, short: bool = False) -> list[str]:
    """What keeps a figure from being one of the promise; short for a chart."""
    drawn = []
    if record.source == "sample" and record.data:
        drawn = ["drawn frames" if short else f"drawn frames {record.data}"]
    untrained = ["untrained weights"] if record.untrained and not record.metric.startswith("train.") else []
    return [*drawn, *untrained]
