"""What a user is told in one sentence."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818  not every one is an error of the program: see the others
    """Bad input or a missing part: one sentence that names the file, what was found and what would be right."""


class OutOfMemory(Problem):
    """A batch that does not fit: a result of the case, not a defect of the run."""


class BadOutput(Problem):
    """A network whose output cannot be scored, NaN for instance."""


class Unavailable(Problem):
    """Something that a case needs and this machine or this run has not: the case is skipped with this reason."""
