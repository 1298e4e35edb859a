"""What a run says on pytest's terminal: the verdicts at its end, and what goes on meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from roadworthy import scoreboard, terminal
from roadworthy.ci import Judged

COLOURS = {"passed": "green", "failed": "red", "unjudged": "yellow", "head": "bold"}


def print_verdicts(config: Any, verdicts: Sequence[Judged]) -> None:
    """A table on a terminal, a line each elsewhere, in the colours that pytest allows; then how many there are of each."""
    reporter = _plugin(config, "terminalreporter")
    width = config.get_terminal_writer().fullwidth
    lines = scoreboard.table(verdicts, width) if reporter.isatty else scoreboard.plain(verdicts)
    for line in [*lines, scoreboard.counts(verdicts)]:
        for piece in line:
            reporter.write(piece.text, **({COLOURS[piece.colour]: True} if piece.colour else {}))
        reporter.write("\n")


def progress_line(config: Any) -> terminal.Below | None:
    """A line below what pytest prints, where that is a terminal and nobody asked for quiet (`-q`)."""
    reporter = _plugin(config, "terminalreporter")
    if reporter is None or not reporter.isatty or config.option.verbose < 0:
        return None
    with _uncaptured(config):  # standard output is the terminal itself now
        file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    config.add_cleanup(file.close)
    return terminal.Below(file) if terminal.moves(file) else None


def teller(config: Any, line: terminal.Below | None) -> Callable[[str], None]:
    """Says something at once, although pytest keeps what tests print; nothing where pytest has no terminal."""
    reporter = _plugin(config, "terminalreporter")

    def tell(text: str) -> None:
        if reporter is None:
            return
        if line:
            line.erase()
        with _uncaptured(config):
            reporter.ensure_newline()
            reporter.write_line(text)
            reporter.flush()

    return tell


def print_plans(config: Any, plans: dict[str, list[str]]) -> None:
    """The lines of every case under its name; nothing where pytest has no terminal."""
    if reporter := _plugin(config, "terminalreporter"):
        for name, lines in plans.items():
            reporter.write_line(f"{name}:")
            for line in lines:
                reporter.write_line(f"  {line}")


def _uncaptured(config: Any) -> contextlib.AbstractContextManager[None]:
    capture = _plugin(config, "capturemanager")
    found: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    return capture.global_and_fixture_disabled() if capture else found


def _plugin(config: Any, name: str) -> Any:
    return config.pluginmanager.get_plugin(name)
