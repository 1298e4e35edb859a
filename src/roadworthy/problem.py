"""What a user is told in one sentence."""

from __future__ import annotations

from collections.abc import Sequence


class Problem(Exception):  # noqa: N818  not every one is an error of the program: see the others
    """Bad input or a missing part: one sentence that names the file, what was found and what would be right."""


class Unavailable(Problem):
    """Something that a case needs and this machine or this run has not: the case is skipped with this reason."""


class CaseFailed(Problem):
    """A case that gave no value: a record with this outcome, the sentence, and the lines that decided."""

    outcome = "crash"

    def __init__(self, told: str, evidence: Sequence[str] = ()) -> None:
        super().__init__(told, tuple(evidence))  # both are kept on the way out of another process

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def evidence(self) -> tuple[str, ...]:
        """Lines of a tool's output, verbatim."""
        found: tuple[str, ...] = self.args[1]
        return found


class OutOfMemory(CaseFailed):
    """A batch that does not fit: a result of the case, not a defect of the run."""

    outcome = "oom"


class BadOutput(CaseFailed):
    """A network whose output cannot be scored, NaN for instance."""


class TimedOut(CaseFailed):
    """A case that showed no sign of life for longer than it may."""

    outcome = "timeout"


class Unsupported(CaseFailed):
    """A graph or a chip that a tool does not take."""

    outcome = "unsupported"
