"""Progress on a terminal, and only there: bars of the command line, and one line below a program that prints itself.

Whether there is colour is rich's to say (`NO_COLOR`, `FORCE_COLOR`); that nothing moves in a pipe or on a dumb terminal
is said here, since `FORCE_COLOR` makes a terminal of any pipe to rich.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from roadworthy.pipeline import Progress as Shown

Bar: TypeAlias = Progress

OFTEN_S = 0.2  # between two drawings of a line
UNKNOWN = 80  # columns of a terminal that does not say how many it has
ROOM = "\x1bD\x1b[1A"  # a line below the cursor, scrolled for at the bottom; the cursor stays in its column
BELOW, BACK = "\x1b7\x1b[1B\r\x1b[2K", "\x1b8"


def moves(file: TextIO) -> bool:
    """Whether lines can be drawn again where this goes: a terminal that is not dumb."""
    return file.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def bar(*, shown: bool = True, width: int | None = 40) -> Bar:
    """A bar on standard error with frames done, time gone by and time left; its console is silent where not `shown`."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=width), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TextColumn("so far,"), TimeRemainingColumn(), TextColumn("left"))
    console = Console(stderr=True, quiet=not shown)
    return Progress(*columns, *times, console=console, disable=not (shown and moves(sys.stderr)))


@contextmanager
def counted(text: str, *, shown: bool = True) -> Iterator[Shown]:
    """A bar for one thing that is counted; what is yielded is told (done, total)."""
    with bar(shown=shown) as found:
        task = found.add_task(text, total=None)
        yield lambda done, total: found.update(task, completed=done, total=total)


class Below:
    """One line of progress below the line that another program is printing, on the same terminal; erased when over.

    The cursor stays where the other program left it, so that it may print on. `file` is the terminal itself, whatever
    captures standard output meanwhile.
    """

    def __init__(self, file: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = file, clock
        self._drawn: float | None = None  # when, where a line is there

    @contextmanager
    def step(self, text: str) -> Iterator[Shown]:
        """A line that says what is done, how far it is, how long it has taken and will take, as it is told (done, total).

        To be told again without news, about once a second, lets the time go on; a total of 0 is unknown.
        """
        clock = Clock(self._clock())
        try:
            yield lambda done, total: self._draw(f"{text}  {clock.words(done, total, self._clock())}")
        finally:
            self.erase()

    def erase(self) -> None:
        """Take the line away, for something that is to be printed; the next news draw it again."""
        if self._drawn is not None:
            self._write(BELOW + BACK)
            self._drawn = None

    def _draw(self, text: str) -> None:
        now = self._clock()
        if self._drawn is not None and now - self._drawn < OFTEN_S:
            return
        self._drawn = now
        width = (os.get_terminal_size(self._file.fileno()).columns or UNKNOWN) - 1
        shown = text if cell_len(text) <= width else set_cell_size(text, width)
        self._write(f"{ROOM}{BELOW}{shown}{BACK}")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


class Clock:
    """How long a step has taken, and by the speed from its first news to its last, how long it will."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._first = self._last = (began, -1)  # news: when, and how much was done

    def words(self, done: int, total: int, now: float) -> str:
        """Such as `12/24, 0:00:05 so far, 0:00:05 left`; what begins anew is timed anew, and no time is shown at first."""
        gone = [f"{_time(now - self._began)} so far"] if now - self._began >= 1 else []
        if not total:
            return "".join(gone)
        if not 0 <= self._first[1] <= done or done < self._last[1]:
            self._first = self._last = (now, done)
        if done > self._last[1]:
            self._last = (now, done)
        (since, before), (until, after) = self._first, self._last
        if before < after < total:
            each = (until - since) / (after - before)
            gone.append(f"{_time(max(until + each * (total - after) - now, 0))} left")
        return ", ".join([f"{done}/{total}", *gone])


def _time(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))
