"""The tables of the README are those of the cards and the committed records."""

from __future__ import annotations

from pathlib import Path

from roadworthy import card as cards
from roadworthy import record, tables

ROOT = Path(__file__).parents[1]


def test_the_readme_has_not_drifted() -> None:
    """`roadworthy tables --check` finds no difference; `--write` renders them anew."""
    found = list(cards.find([ROOT / "models"]).values())

    assert tables.check(ROOT / "README.md", found, record.read_folder(ROOT / "reports" / "records")) == ""


def test_sample_figures_stay_out_of_the_tables_of_chips() -> None:
    """A record made on drawn frames is marked as such, and no chip's record is."""
    committed = record.read_folder(ROOT / "reports" / "records")

    assert {"cpu"} >= {row.soc for row in committed if row.source == "sample"}
    assert all(row.source == "sample" for row in committed if row.data and row.data.startswith("sample"))
