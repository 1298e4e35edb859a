"""The table of verdicts at 80, 120 and 160 columns, and the lines that stand in a log in its place."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from roadworthy import scoreboard
from roadworthy.gates import Verdict

PASSED = ("net-bs1-cpu", Verdict("accuracy", "passed", "mIoU 0.77", ">= 0.76", "the target is 0.77"))
FAILED = ("net-bs4-cpu", Verdict("parity", "failed", "98 % of pixels", ">= 99.99 %", "the graph after surgery"))
UNJUDGED = ("net-bs1-P3", Verdict("regression", "unjudged", "mIoU 0.77", "", "there is no committed record"))
LONG = (
    "net-bs1-cpu",
    Verdict(
        "parity",
        "passed",
        "exported 100.0000% of pixels, after surgery 100.0000% of pixels",
        ">= 99.99% and >= 99.90%",
        "both graphs against the torch module, worst frame",
    ),
)
CHINESE = ("模型-bs1-P3", Verdict("accuracy", "failed", "精度 0.77", ">= 0.80", "精度低于目标" * 12))
EVERY = [FAILED, UNJUDGED, PASSED, LONG, CHINESE]


def printed(judged, width):
    """The table's lines as they are read."""
    return ["".join(piece.text for piece in line) for line in scoreboard.table(judged, width)]


def test_at_80_columns_the_reason_stands_below_its_row():
    """Compared whole: columns aligned, long cells wrapped, what failed last."""
    assert [
        "cell         gate        outcome   observed                      required",
        "net-bs1-cpu  accuracy    passed    mIoU 0.77                     >= 0.76",
        "    the target is 0.77",
        "net-bs1-cpu  parity      passed    exported 100.0000% of         >= 99.99% and",
        "                                   pixels, after surgery         >= 99.90%",
        "                                   100.0000% of pixels",
        "    both graphs against the torch module, worst frame",
        "net-bs1-P3   regression  unjudged  mIoU 0.77",
        "    there is no committed record",
        "net-bs4-cpu  parity      failed    98 % of pixels                >= 99.99 %",
        "    the graph after surgery",
    ] == printed([FAILED, UNJUDGED, PASSED, LONG], 80)


def test_at_160_columns_every_verdict_is_a_row():
    """Compared whole: the reason is the last column."""
    rows = printed([FAILED, UNJUDGED, PASSED, LONG], 160)

    assert [
        "cell         gate        outcome   observed                             ",
        "net-bs1-cpu  accuracy    passed    mIoU 0.77                            ",
        "net-bs1-cpu  parity      passed    exported 100.0000% of pixels, after  ",
        "                                   surgery 100.0000% of pixels",
        "net-bs1-P3   regression  unjudged  mIoU 0.77                            ",
        "net-bs4-cpu  parity      failed    98 % of pixels                       ",
    ] == [row[:72] for row in rows]
    assert [
        " required                 because",
        " >= 0.76                  the target is 0.77",
        " >= 99.99% and >= 99.90%  both graphs against the torch module, worst frame",
        "",
        "                          there is no committed record",
        " >= 99.99 %               the graph after surgery",
    ] == [row[72:] for row in rows]


def test_nothing_is_wrapped_where_all_of_it_has_room():
    """A very wide terminal has a line for each."""
    assert 1 + len(EVERY) == len(printed(EVERY, 300))


@pytest.mark.parametrize("width", [40, 50, 66, 80, 100, 120, 160, 200, 300])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(width):
    """A Chinese letter takes two columns; on a narrow terminal figures stand below their row as well."""
    lines = printed(EVERY, width)
    letters = "".join("".join(lines).split())

    assert width >= max(map(cell_len, lines))
    for cell, verdict in EVERY:
        assert cell in "".join(lines)
        for text in (verdict.observed, verdict.required, verdict.because):
            assert all(letters.count(word) for word in text.split()[:1]), text
    wanted = "".join(f"{v.observed}{v.required}{v.because}" for _, v in EVERY)
    assert not [letter for letter in set(wanted) - {" "} if letters.count(letter) < wanted.count(letter)]


def test_columns_stay_aligned_beside_chinese():
    """By the columns that letters take, not by their number."""
    head, *rows = printed([CHINESE, PASSED], 300)
    place = head.index("required")

    assert {place} == {cell_len(row[: row.index(">=")]) for row in rows}


def test_a_row_that_failed_is_red_as_a_whole_and_others_have_a_word_in_colour():
    """The word alone says it without colours."""
    coloured = [[(piece.text.strip(), piece.colour) for piece in line] for line in scoreboard.table(EVERY[:3], 160)]

    assert ("passed", "passed") in coloured[1]
    assert ("unjudged", "unjudged") in coloured[2]
    assert ["failed"] == [colour for _, colour in coloured[3]]


def test_a_log_has_one_line_for_each_in_the_order_of_the_run():
    """Whole, for grep: what is printed of a verdict anywhere else."""
    lines = ["".join(piece.text for piece in line) for line in scoreboard.plain([FAILED, LONG])]

    assert [f"{cell}  {verdict}" for cell, verdict in (FAILED, LONG)] == lines


def test_a_reason_of_several_lines_or_with_control_characters_is_one_line():
    """Messages come from tools; a terminal must not obey them."""
    cell, verdict = "net-bs1-cpu", Verdict("accuracy", "failed", "nothing", "", "2 problems:\n  one\x1b[2J\n  two\r")
    ((name, told),) = scoreboard.plain([(f"{cell}\x1b[2J\n", verdict)])

    assert "net-bs1-cpu[2J  " == name.text.rstrip() + "  "
    assert "accuracy failed: observed nothing; 2 problems: one[2J two" == told.text
    assert not [line for line in printed([(cell, verdict)], 80) if "\x1b" in line or "\n" in line]


@pytest.mark.parametrize(
    ("judged", "told", "colour"),
    [
        ([PASSED], "1 verdict: 1 passed", "passed"),
        ([PASSED, UNJUDGED, PASSED], "3 verdicts: 1 unjudged, 2 passed", "unjudged"),
        (EVERY, "5 verdicts: 2 failed, 1 unjudged, 2 passed", "failed"),
    ],
)
def test_verdicts_are_counted_in_the_colour_of_the_worst(judged, told, colour):
    """The worst come first."""
    (piece,) = scoreboard.counts(judged)

    assert (told, colour) == (piece.text, piece.colour)
