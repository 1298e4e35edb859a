"""Tables: rendered whole from records, found stale when README and records differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import tables
from roadworthy.problem import Problem
from roadworthy.record import Record

HERE = Path(__file__).parent
SAMPLE = Record(
    model="tiny", soc="cpu", batch=1, metric="miou", value=0.7831, source="sample", runtime="onnxruntime",
    data="sample-v1/24", when="2026-01-01",
)  # fmt: skip
TINY = """\
| batch   | Ascend310   | Ascend310P3   | Ascend310P3 / Ascend310   |
|:--------|:------------|:--------------|:--------------------------|
| 1       | **100.00**  | 110.00        | 1.100                     |
| 4       | out of memory | **130.00**    |                           |
| best    | 100.00      | 130.00        | 1.300                     |
"""


def cells(markdown: str) -> list[list[str]]:
    """The cells of a Markdown table without the padding."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if "|" in line]


def test_a_guides_table_has_its_figures_and_computed_ratios(tiny_card):
    """Best batches bold, out of memory in words, the last row best over best."""
    rendered = cells(tables.throughput(tiny_card, []))

    assert [row for i, row in enumerate(cells(TINY)) if i != 1] == [row for i, row in enumerate(rendered) if i != 1]


def test_the_erfnet_table_is_pinned():
    """Every figure of the guide's table 7, with ratios that follow (its own last row has 381.9545 for 381.9549)."""
    card = cards.find([cards.builtin_models()])["erfnet"]
    rows = {row[0]: row for row in cells(tables.throughput(card, []))}

    assert ["batch", "T4", "Ascend310", "Ascend310P3", "Ascend310P3+aoe"] == rows["batch"][:5]
    assert ["1", "215.81", "**220.20**", "**292.14**", "380.08", "1.354", "1.327", "1.761", "1.726"] == rows["1"]
    assert ["64", "226.25", "out of memory", "216.94", "226.60", "0.959", "", "1.002", ""] == rows["64"]
    assert ["best", "250.24", "220.20", "292.14", "381.95", "1.167", "1.327", "1.526", "1.735"] == rows["best"]


def test_a_measured_figure_replaces_the_published_one(tiny_card):
    """The cell of the same chip and batch; the CPU and sample data never enter a table of chips."""
    row = replace(SAMPLE, metric="throughput", value=222.0, source="measured", soc="Ascend310P3")
    found = cells(
        tables.throughput(tiny_card, [row, replace(row, soc="cpu"), replace(row, source="sample", value=9.0)])
    )

    assert ["1", "**100.00**", "**222.00**", "2.220"] == found[2]
    assert 4 == len(found[0])


def test_sample_figures_have_a_table_of_their_own():
    """The newest of each cell, in per cent; published and measured figures stay out."""
    rows = [
        replace(SAMPLE, value=0.5, when="2025-01-01"),
        SAMPLE,
        replace(SAMPLE, metric="pooled_miou", value=0.8),
        replace(SAMPLE, source="measured", value=0.1, batch=2),
    ]
    found = cells(tables.sample(rows))

    assert ["model", "soc", "runtime", "sample data", "batch", "mIoU %", "pooled mIoU %"] == found[0]
    assert [["tiny", "cpu", "onnxruntime", "sample-v1/24", "1", "78.31", "80.00"]] == found[2:]


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A README with the markers of a table."""
    path = tmp_path / "README.md"
    path.write_text("# A\n<!-- roadworthy:table tiny -->\nold\n<!-- roadworthy:end -->\nB\n", encoding="utf-8")
    return path


def test_what_is_written_is_not_stale(readme, tiny_card):
    """--write, then --check finds nothing; what stands around the markers is kept."""
    assert "-old" in tables.check(readme, [tiny_card], [])

    tables.write(readme, [tiny_card], [])

    assert "" == tables.check(readme, [tiny_card], [])
    assert readme.read_text().startswith("# A\n<!-- roadworthy:table tiny -->\n")
    assert readme.read_text().endswith("<!-- roadworthy:end -->\nB\n")


def test_a_readme_without_markers_or_with_a_wrong_name_is_refused(readme, tiny_card, tmp_path):
    """The sentence names the file and what would be right."""
    with pytest.raises(Problem, match="there is no table 'tiny'; known: sample"):
        tables.check(readme, [], [])
    (tmp_path / "plain.md").write_text("# A\n")
    with pytest.raises(Problem, match="no table markers"):
        tables.check(tmp_path / "plain.md", [tiny_card], [])
    with pytest.raises(Problem, match="there is no such file"):
        tables.write(tmp_path / "none.md", [tiny_card], [])
