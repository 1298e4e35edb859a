"""Notes: as few marks as say which figure is meant."""

from __future__ import annotations

from roadworthy.notes import Cell, Noted, noted

GUIDE, HERE = "published in the guide", "measured here"


def figure(text: str, origin: str = GUIDE, warning: str = "") -> Cell:
    """A cell that shows a figure."""
    return Cell(text, figure=True, origin=origin, warning=warning)


def test_one_origin_of_all_figures_is_one_line_without_marks():
    """Texts of the table's own count for nothing."""
    found = noted(["batch", "chip"], [[Cell("1"), figure("10")], [Cell("4"), figure("20")]], "en")

    assert Noted(["batch", "chip"], [["1", "10"], ["4", "20"]], [f"All figures: {GUIDE}."]) == found


def test_a_note_of_a_whole_column_stands_at_its_head():
    """Also where the column has blanks; numbers follow the reader's eye."""
    rows = [[figure("10"), figure("30", HERE)], [Cell(""), figure("40", HERE)]]
    found = noted(["one", "two"], rows, "en")

    assert Noted(["one¹", "two²"], [["10", "30"], ["", "40"]], [f"¹ {GUIDE}.", f"² {HERE}."]) == found


def test_a_column_of_two_origins_is_marked_cell_by_cell():
    """Every figure of it, so that none is taken for the other."""
    found = noted(["one"], [[figure("10")], [figure("20", HERE)], [figure("30")]], "en")

    assert [["10¹"], ["20²"], ["30¹"]] == found.rows
    assert ["one"] == found.head


def test_warnings_stand_beside_origins():
    """A ratio has no origin of its own, and the mark of its column needs all of its figures."""
    rows = [[figure("1.5", "", "unlike"), figure("lost", HERE, "unexpected")], [figure("1.2", ""), figure("7")]]
    found = noted(["ratio", "chip"], rows, "zh")

    assert [["1.5¹", "lost² ³"], ["1.2", "7⁴"]] == found.rows
    assert ["¹ unlike。", f"² {HERE}。", "³ unexpected。", f"⁴ {GUIDE}。"] == found.lines


def test_an_empty_table_has_no_notes():
    """Nothing is said of nothing."""
    assert Noted(["batch"], [], []) == noted(["batch"], [], "en")
