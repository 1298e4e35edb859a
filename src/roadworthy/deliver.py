"""The folder that goes to the model zoo: the written guide and `modelzoo_level.txt`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from roadworthy import manual, standing, whole, zoo
from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.words import Language
from roadworthy.zoo import Level

GUIDE, LEVELS = "README.md", "modelzoo_level.txt"


def write(card: ModelCard, records: Sequence[Record], out: Path, language: Language) -> tuple[Level, ...]:
    """Write both files into a new or empty folder, or over those of an earlier delivery of the model; returns the levels.

    Raises Problem for any other folder, and where it cannot be written.
    """
    levels = zoo.levels(card, standing.counted(card, records))
    guide = manual.text(card, records, language)
    try:
        _check(out, manual.mark(card))
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"{out}: the delivery could not be written ({error.strerror})") from error
    with ExitStack() as parts:  # the last one takes its place first: the guide, which marks the folder as ours
        for name, text in ((LEVELS, zoo.text(levels)), (GUIDE, guide)):
            part = parts.enter_context(whole.written(out / name, "delivery"))
            part.write_text(text, encoding="utf-8", newline="\n")
    return levels


def _check(out: Path, mark: str) -> None:
    """Raise Problem for a folder that holds what `deliver` did not write."""
    right = "name a new or empty folder, or that of an earlier delivery of this model"
    if out.exists() and not out.is_dir():
        raise Problem(f"{out}: is a file; {right}")
    if not out.is_dir() or not any(out.iterdir()):
        return
    guide = out / GUIDE
    if not guide.is_file():
        raise Problem(f"{out}: holds {min(path.name for path in out.iterdir())} and no {GUIDE} of deliver; {right}")
    if not guide.read_text(encoding="utf-8", errors="replace").startswith(mark):
        raise Problem(f"{guide}: was not written by deliver for this model; {right}")
