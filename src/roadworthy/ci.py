"""Verdicts -> what a CI service shows: properties of JUnit's cases, a summary for its page, annotations in its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from roadworthy import markdown
from roadworthy.gates import Verdict
from roadworthy.record import Record

Judged = tuple[str, Verdict]  # with the cell that the verdict is about

PAGE = "GITHUB_STEP_SUMMARY"  # names the file whose Markdown the service shows
SERVICE = "GITHUB_ACTIONS"  # "true" where the log is read for annotations
ROOM = 1 << 20  # bytes of a page; of a longer one GitHub shows nothing
NOTE = 100  # bytes, for the line that says how many rows are left out
WORST_FIRST = ("failed", "unjudged", "passed")
HEAD = ("cell", "gate", "outcome", "observed", "required", "because")
LINE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
NAME = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def properties(verdict: Verdict, records: Iterable[Record] = ()) -> dict[str, str | float]:
    """What stands beside a case in JUnit's XML: the verdict's texts, its figures and those of `records` as numbers."""
    figures = {r.metric: r.value for r in records if r.value is not None}
    return {"observed": verdict.observed, "required": verdict.required, **figures, **verdict.figures}


def tell(environment: Mapping[str, str], verdicts: Sequence[Judged]) -> list[str]:
    """Add the summary to the page that the environment names; the lines for the log.

    These are the annotations, where the log is read for them, and why there is no summary, where it could not be written.
    """
    lines = errors(verdicts) if environment.get(SERVICE) == "true" else []
    if not (named := environment.get(PAGE)):
        return lines
    page = Path(named)
    try:
        used = page.stat().st_size if page.exists() else 0
        with page.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(summary(verdicts, ROOM - used))
    except OSError as error:
        return [*lines, f"{page}: the summary could not be written ({error.strerror})"]
    return lines


def errors(verdicts: Iterable[Judged]) -> list[str]:
    """A line of GitHub's log for each verdict that failed: it shows them above the run."""
    failed = [
        (f"{cell} {verdict.gate}", _sentence(verdict)) for cell, verdict in verdicts if verdict.outcome == "failed"
    ]
    return [f"::error title={title.translate(NAME)}::{told.translate(LINE)}" for title, told in failed]


def summary(verdicts: Sequence[Judged], room: int = ROOM) -> str:
    """A Markdown table of the verdicts, failed ones first, in at most so many bytes: the last rows are left out."""
    ordered = sorted(verdicts, key=lambda judged: WORST_FIRST.index(judged[1].outcome))
    counts = [sum(v.outcome == outcome for _, v in verdicts) for outcome in WORST_FIRST]
    told = [f"{count} {outcome}" for count, outcome in zip(counts, WORST_FIRST, strict=True) if count]
    lines = [f"### roadworthy: {', '.join(told) or 'nothing was judged'}"]
    rows = [(cell, v.gate, v.outcome, v.observed, v.required, v.because) for cell, v in ordered]
    if rows:
        lines += ["", _row(HEAD), _row(["---"] * len(HEAD))]
    left = room - NOTE - sum(map(_bytes, lines))
    for number, row in enumerate(rows):
        line = _row(map(markdown.escaped, row))
        left -= _bytes(line)
        if left < 0:
            lines += ["", f"{len(rows) - number} more verdicts have no room here: see the log."]
            break
        lines.append(line)
    text = "\n".join([*lines, "", ""])
    return text if _bytes(text) <= room else ""


def _sentence(verdict: Verdict) -> str:
    return str(verdict).removeprefix(f"{verdict.gate} {verdict.outcome}: ")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bytes(line: str) -> int:
    return len(line.encode(errors="backslashreplace")) + 1
