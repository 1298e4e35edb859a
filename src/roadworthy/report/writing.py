"""Folders of records -> the file of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from roadworthy import profile as profiles
from roadworthy.card import ModelCard
from roadworthy.report import archive, render
from roadworthy.report.page import page


def report(
    out: Path, cards: Mapping[str, ModelCard], folders: Sequence[Path], rule: str | None, tell: Callable[[str], None]
) -> None:
    """Write the report of these models by the records in the folders, whole or not at all.

    `rule` names the profile whose ratios are required too. Tells of records that are left out. Raises Problem for bad
    records, an unknown profile, and a file that cannot be written.
    """
    render.check(out)
    asked = profiles.find(rule) if rule else None
    found = archive.read(folders, cards, tell)
    render.write(page(cards, found, asked), out)
