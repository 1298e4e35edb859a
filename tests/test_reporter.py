"""What a run says on pytest's terminal meanwhile; `tests/test_terminal.py` has whole runs."""

from __future__ import annotations

from roadworthy import reporter


class Terminal:
    """In place of pytest's configuration, its terminal and a line of progress: notes what is done, in order."""

    def __init__(self, *, there: bool = True) -> None:
        self.done: list[str] = []
        self.there = there
        self.pluginmanager = self

    def get_plugin(self, name: str) -> Terminal | None:
        """The terminal, where there is one; nothing is captured."""
        return self if self.there and name == "terminalreporter" else None

    def write_line(self, text: str) -> None:
        """A line."""
        self.done.append(text)

    def ensure_newline(self) -> None:
        """What was printed last is ended."""
        self.done.append("newline")

    def flush(self) -> None:
        """Shown at once."""
        self.done.append("flush")

    def erase(self) -> None:
        """The line of progress is gone."""
        self.done.append("erase")


def test_the_line_is_gone_before_something_else_is_said():
    """Else the rest of it would stand behind what is said."""
    terminal = Terminal()
    reporter.teller(terminal, terminal)("waiting for device 0")

    assert ["erase", "newline", "waiting for device 0", "flush"] == terminal.done


def test_nothing_is_said_where_pytest_has_no_terminal():
    """With -p no:terminal."""
    terminal = Terminal(there=False)
    reporter.teller(terminal, None)("waiting for device 0")
    reporter.print_plans(terminal, {"net-bs1-cpu": ["a command"]})

    assert [] == terminal.done
    assert None is reporter.progress_line(terminal)


def test_a_plan_stands_under_the_name_of_its_case():
    """Indented."""
    terminal = Terminal()
    reporter.print_plans(terminal, {"net-bs1-cpu": ["first", "second"]})

    assert ["net-bs1-cpu:", "  first", "  second"] == terminal.done
