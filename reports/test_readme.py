"""The tables of the README and of the guides' page are those of the cards and the committed records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import lint, record, tables
from roadworthy.selection import Selection

ROOT = Path(__file__).parents[1]
MODELS = cards.find([ROOT / "models"])
RECORDS = record.read_folder(ROOT / "reports" / "records")
PAGE = ROOT / "reports" / "guides.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "reports").glob("*.md"))]
GUIDES = ROOT.parent / "shared" / "guides"  # the guides themselves, beside the clone
Table = list[list[str]]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_page_has_not_drifted(path: Path) -> None:
    """`roadworthy tables --check` finds no difference; `--write` renders them anew."""
    assert tables.check(path, list(MODELS.values()), RECORDS) == ""


def test_the_page_of_the_guides_has_every_table_of_theirs() -> None:
    """A new layout in a card needs a place on the page."""
    text = PAGE.read_text(encoding="utf-8")
    names = [name for card in MODELS.values() for name in tables.of_card(card, []) if card.table]

    assert [name for name in names if f"<!-- roadworthy:table {name} -->" not in text] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_our_own_pages_pass_our_own_lint(path: Path) -> None:
    """Every ratio and best batch follows from the figures as they are printed beside it."""
    assert lint.lint(path).findings == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_results_of_every_model_have_a_place_in_both_languages(language: str) -> None:
    """A new card needs a place on both pages."""
    text = (ROOT / "reports" / {"en": "results.md", "zh": "results.zh.md"}[language]).read_text(encoding="utf-8")

    assert [key for key in MODELS if f"<!-- roadworthy:table {key}.{language} -->" not in text] == []


def test_every_listed_difference_shows_what_is_rendered() -> None:
    """The cells of the list at the end of the guides' page are those of the tables above it, published figures alone."""
    stale = []
    for name, row, column, _, here in listed():
        head, *rows = parsed(tables.of_card(MODELS[name.split(".")[0]], [])[name])[0]
        if dict(zip(head, next(r for r in rows if r[0] == row), strict=True))[column] != here:
            stale.append((name, row, column))

    assert listed()
    assert stale == []


@pytest.mark.skipif(not GUIDES.is_dir(), reason=f"the guides are absent: there is no {GUIDES}")
def test_the_guides_differ_in_the_listed_cells_and_no_other() -> None:
    """Every cell of every table against the guides' text, runs of blanks aside."""
    assert sorted(listed()) == sorted(d for key in MODELS for d in differences(key))


def test_sample_figures_stay_out_of_the_tables_of_chips() -> None:
    """A record made on drawn frames is marked as such, and no chip's record is."""
    assert {"cpu"} >= {row.soc for row in RECORDS if row.source == "sample"}
    assert all(row.source == "sample" for row in RECORDS if row.data and row.data.startswith("sample"))


def listed() -> list[tuple[str, ...]]:
    """The differences that the page lists: table, row, column, the guide's cell, the cell here."""
    head, *rows = parsed(PAGE.read_text(encoding="utf-8"))[-1]
    assert head[:5] == ["table", "row", "column", "guide", "here"]
    return [tuple(row[:5]) for row in rows]


def differences(key: str) -> list[tuple[str, ...]]:
    """The same, found by comparing a model's tables with its guides; tables of one head stand in the same order."""
    theirs = [
        table for path in sorted(GUIDES.glob(f"{key}-*.md")) for table in parsed(path.read_text(encoding="utf-8"))
    ]
    found: list[tuple[str, ...]] = []
    for name, text in tables.of_card(MODELS[key], []).items():
        ours = parsed(text)[0]
        guide = theirs.pop(next(i for i, table in enumerate(theirs) if table[0] == ours[0]))
        assert len(guide) == len(ours), name
        cells = [
            (name, own[0], head, other, cell)
            for own, row in zip(ours, guide, strict=True)
            for head, cell, other in zip(ours[0], own, row, strict=True)
        ]
        found += [cell for cell in cells if cell[-1] != cell[-2]]
    return found


def parsed(text: str) -> list[Table]:
    """The tables of a Markdown text: heads and rows of cells, marks of notes left out."""
    found: list[Table] = [[]]
    for line in re.sub("[⁰¹²³⁴-⁹]", "", text).splitlines():
        row = [" ".join(cell.split()) for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if not line.strip().startswith("|"):
            found.append([])
        elif set("".join(row)) - set(":-"):
            found[-1].append(row)
    return [table for table in found if table]


def test_the_shown_run_has_the_gates_of_a_run() -> None:
    """Every cell and gate of the README's first command stands in its example, and nothing else."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^(erfnet-bs\d+-cpu)  +(.+?)  +passed  ", text, re.MULTILINE))
    (count,) = re.findall(r"=+ (\d+) passed, \d+ deselected in", text)
    selection = Selection.of([ROOT / "models"], ["cpu"], [])
    cells = [case.id for case in selection.cases if case.card.key == "erfnet"]
    gates = {"accuracy": 3, "regression": 3, "parity": 1, "batch invariance": 2, "memory": 3}

    assert sum(gates.values()) == int(count)
    assert f"\n{count} verdicts: {count} passed\n" in text
    assert {gate for _, gate in shown} == gates.keys()
    assert {cell for cell, _ in shown} <= set(cells)
    assert not [case for case, _, _ in selection.ratios() if case.id in cells]
