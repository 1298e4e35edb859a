"""Lint: cells of published tables that do not follow from the figures beside them, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roadworthy import lint, printed
from roadworthy.__main__ import main

ROOT = Path(__file__).parents[1]
PIN = Path(__file__).parent / "lint" / "guides.txt"  # what `roadworthy lint` prints of the five guides
GOOD = """\
| batchsize | T4       | 310          | 310P    | 310P/310 | 310P/T4 |
| --------- | -------- | ------------ | ------- | -------- | ------- |
| 4         | 226.745  | 176.2568     | 192.398 | 1.09     | 0.849   |
| 16        | 250.2417 | 175.8732     | 211.125 | 1.2      | 0.84    |
| 64        | 226.2459 | 内存分配失败 | 216.937 | /        | 0.96    |
| 最优batch | 250.2417 | 176.2568     | 216.937 | 1.23     | 0.867   |
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs the verb; gives exit status, stdout and stderr."""

    def call(*files: object) -> tuple[int, str, str]:
        status = main(["lint", *map(str, files)])
        return status, *capsys.readouterr()

    return call


def found(page: str) -> list[str]:
    """The findings of a page, as they are printed."""
    return [str(finding) for finding in lint.judge(printed.find(page)).findings]


def changed(old: str, new: str) -> list[str]:
    """The findings of the good table after one cell of it was changed."""
    assert GOOD.count(old) == 1
    return found(GOOD.replace(old, new))


@pytest.mark.realdata
def test_the_five_guides_have_the_listed_misprints_and_no_other(run, shared, monkeypatch):
    """The whole output: findings on stdout, what could not be judged on stderr."""
    monkeypatch.chdir(shared / "guides")
    status, out, err = run(*sorted(path.name for path in Path().glob("*.md")))

    assert PIN.read_text(encoding="utf-8") == f"{out}--- stderr\n{err}"
    assert 1 == status


@pytest.mark.realdata
def test_the_findings_are_what_the_guides_page_calls_cut_off_or_mistyped(shared):
    """`reports/guides.md` lists every cell that differs; those that are no matter of decimals are found here."""
    page = (ROOT / "reports" / "guides.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.count("|") == 7]
    listed = {tuple(row[1:4]) for row in rows if re.match("cut off|mistyped", row[5])}
    reports = [lint.lint(path) for path in (shared / "guides").glob("*.md")]

    assert listed == {(f.row, f.column, f.found) for report in reports for f in report.findings}


@pytest.mark.parametrize("page", ["README.md", "reports/guides.md"])
def test_our_own_pages_follow(run, page):
    """What roadworthy renders passes its own lint."""
    status, out, _ = run(ROOT / page)

    assert (0, "") == (status, out)


def test_a_table_that_follows_has_no_finding():
    """Rounded at any number of decimals, noughts dropped or not; every cell that can be recomputed was."""
    report = lint.judge(printed.find(GOOD))

    assert (1, 10, (), ()) == (report.tables, report.cells, report.findings, report.unjudged)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("0.849 ", "0.848 ", ("3: row 4, column 310P/T4: 0.848 should be 0.849: "
         "192.398 / 226.745 is 0.84852; cut off, not rounded")),
        ("1.09 ", "1.10 ", "3: row 4, column 310P/310: 1.10 should be 1.09: 192.398 / 176.2568 is 1.0916; rounded up"),
        ("1.09 ", "0.92 ", ("3: row 4, column 310P/310: 0.92 should be 1.09: "
         "192.398 / 176.2568 is 1.0916; that is the other way round")),
        ("1.09 ", "1.89 ", "3: row 4, column 310P/310: 1.89 should be 1.09: 192.398 / 176.2568 is 1.0916; mistyped"),
        ("0.96 ", "96%  ", None),
        ("0.96 ", "95%  ", ("5: row 64, column 310P/T4: 95% should be 96%: "
         "216.937 / 226.2459 is 95.8855%; cut off, not rounded")),
        ("| /     ", "| 1.23  ", ("5: row 64, column 310P/310: 1.23 should be /: "
         "310 is 内存分配失败, of which there is no ratio")),
        ("216.937 | 1.23 ", "216.973 | 1.23 ", ("6: row 最优batch, column 310P: 216.973 should be 216.937: "
         "the highest of the rows above is 216.937, of 64; mistyped")),
        ("216.937 | 1.23 ", "211.125 | 1.23 ", ("6: row 最优batch, column 310P: 211.125 should be 216.937: "
         "the highest of the rows above is 216.937, of 64; that is the figure of 16")),
        ("216.937 | 1.23 ", "216.9   | 1.23 ", None),
        ("216.937 | 1.23 ", "bs64    | 1.23 ", None),
        ("216.937 | 1.23 ", "64      | 1.23 ", None),
        ("0.867 ", "0.959 ", ("6: row 最优batch, column 310P/T4: 0.959 should be 0.867: "
         "216.937 / 250.2417 is 0.86691, best over best; that is the ratio of 64")),
        ("最优batch", "最优bs64 ", None),  # of one batch, not of each chip's own: nothing says which figures stand there
    ],
)  # fmt: skip
def test_a_cell_that_does_not_follow_is_told_with_its_rule(old, new, finding):
    """That cell alone, in its line; a misprinted best batch makes no ratio wrong."""
    assert ([finding] if finding else []) == changed(old, new)


def test_halves_may_be_rounded_up_or_to_even():
    """Both ways are in use; 45 / 40 is 1.125."""
    table = "| batch | 310 | 310P | 310P/310 |\n| - | - | - | - |\n| 1 | 40 | 45 | {} |\n"

    assert [[], []] == [found(table.format(text)) for text in ("1.12", "1.13")]
    assert [("3: row 1, column 310P/310: 1.14 should be 1.13: 45 / 40 is 1.1250; "
            "it may come of figures with more digits than stand here")] == found(table.format("1.14"))  # fmt: skip


def test_dropped_noughts_hide_nothing_in_a_column_that_cuts_digits_off():
    """1.6 is 1.606 rounded, unless its column shows that it is 1.60 without its nought."""
    table = (
        "| batch | 310 | 310P | 310P/310 |\n| - | - | - | - |\n| 1 | 1000 | 1606 | 1.6 |\n| 4 | 1000 | 1518 | {} |\n"
    )

    assert [] == found(table.format("1.52"))
    assert [
        (
            "3: row 1, column 310P/310: 1.6 should be 1.61: 1606 / 1000 is 1.6060; "
            "cut off, not rounded at 2 decimals, as in the rest of the column"
        ),
        "4: row 4, column 310P/310: 1.51 should be 1.52: 1518 / 1000 is 1.5180; cut off, not rounded",
    ] == found(table.format("1.51"))


def test_tuned_and_untuned_figures_are_kept_apart():
    """310P-AOE/310 is of the tuned column; a table with tuned figures alone need not say so in its ratios."""
    both = "| batch | 310 | 310P | 310P-AOE | 310P/310 | 310P-AOE/310 | aoe/310P |\n" + "| - " * 7 + "|\n"
    alone = "| batch | 310 | 310P-AOE | 310P/310 |\n| - | - | - | - |\n| 1 | 40 | 80 | 2.0 |\n"

    assert [] == found(both + "| 1 | 40 | 50 | 80 | 1.25 | 2.0 | 1.6 |\n")
    assert 3 == len(found(both + "| 1 | 40 | 50 | 80 | 2.0 | 1.25 | 2.0 |\n"))
    assert [] == found(alone)
    assert ["3: row 1, column 310P/310: 3.0 should be 2.0: 80 / 40 is 2.0000"] == [
        line.partition(";")[0] for line in found(alone.replace("2.0", "3.0"))
    ]


def test_accuracy_has_no_best_batch_and_ratios_are_of_throughput():
    """Where a table has both, heads say which is which."""
    head = "| batch | 310吞吐率 | 310P吞吐率 | 310精度 | 310P精度 | 310P/310 |\n| - | - | - | - | - | - |\n"
    rows = "| 1 | 4.90fps | 9.55fps | 80.85% | 80.83% | 1.95 |\n| 4 | 4.78fps | 8.07fps | 80.80% | 80.90% | 1.69 |\n"

    assert [] == found(head + rows + "| best | 4.90fps | 9.55fps | 80.80% | 80.83% | 1.949 |\n")


def test_a_ratio_without_its_columns_is_unjudged():
    """It is told, not passed over; a ratio of times may be either way round."""
    one = "| batch | 310P | 310P/310 |\n| - | - | - |\n| 1 | 9 | 2 |\n"
    times = "| batch | 310时延 | 310P时延 | 310P/310 |\n| - | - | - | - |\n| 1 | 9 | 3 | 3.0 |\n"

    assert [
        ("1: column 310P/310: the table has no one column of throughput of 310",),
        ("1: column 310P/310: the table has no one column of throughput of 310P",),
    ] == [lint.judge(printed.find(page)).unjudged for page in (one, times)]


def test_a_figure_of_another_table_is_the_same_there():
    """The larger table is the source, wherever it stands; of the best batch too, with or without a row of its own."""
    summary = "| 模型 | T4 | 310P |\n| - | - | - |\n| 最优 | 250.2471 | 216.94 |\n\n"
    rows = GOOD.splitlines(keepends=True)

    assert [
        "3: row 最优, column T4: 250.2471 should be 250.2417: the same cell is 250.2417 in line 10; mistyped"
    ] == found(summary + GOOD)
    assert [
        "3: row 最优, column T4: 250.2471 should be 250.2417: the same cell is 250.2417 in line 8; mistyped"
    ] == found(summary + "".join(rows[:-1]))


def test_columns_that_mostly_agree_tell_of_one_measurement():
    """A cell that differs is told; columns that differ throughout, such as those after tuning, are another measurement."""
    head = "| batch | 310 | 310P |\n| - | - | - |\n"
    first = head + "| 1 | 40 | 50 |\n| 4 | 41 | 51 |\n| 8 | 42 | 52 |\n"
    again = head + "| 1 | 40 | 70 |\n| 4 | 49 | 71 |\n| 8 | 42 | 52 |\n"

    assert ["10: row 4, column 310: 49 should be 41: the same cell is 41 in line 4; mistyped"] == found(
        f"{first}\n{again}"
    )


def test_accuracy_and_throughput_of_one_head_are_no_copies():
    """What stands before the tables tells them apart; short figures that differ are figures in their own right."""
    head = "| batch | 310 | 310P |\n| - | - | - |\n"

    assert [] == found(f"精度\n\n{head}| 1 | 72.20 | 72.20 |\n\n性能\n\n{head}| 1 | 72.30 | 82.20 |\n")
    assert [] == found(f"{head}| 1 | 72.20 | 72.20 |\n\n{head}| 1 | 72.30 | 82.20 |\n")


def test_rows_and_columns_of_one_name_are_not_compared():
    """Several models in one table, each with batch 1; a chip that was measured twice."""
    rows = "| batch | 310 |\n| - | - |\n| 1 | {} |\n| 1 | {} |\n\n| batch | 310 |\n| - | - |\n| 1 | 381.9545 |\n"
    columns = "| batch | 310 | 310 |\n| - | - | - |\n| 1 | {} | {} |\n\n| batch | 310 |\n| - | - |\n| 1 | 381.9545 |\n"

    assert [[], []] == [found(page.format("220.2016", "381.9549")) for page in (rows, columns)]


def test_every_row_of_best_batches_is_of_the_rows_above_it():
    """Up to another such row: several models in one table."""
    head = "| batch | 310 | 310P | 310P/310 |\n| - | - | - | - |\n"
    first, second = (
        "| 1 | 40 | 90 | 2.25 |\n| best | 40 | 90 | 2.25 |\n",
        "| 1 | 30 | 60 | 2.0 |\n| best | 30 | 60 | 2.0 |\n",
    )

    assert [] == found(head + first + second)
    assert ["6: row best, column 310: 40 should be 30: the highest of the rows above is 30, of 1; mistyped"] == found(
        head + first + second.replace("best | 30", "best | 40")
    )


def test_the_verb_names_file_and_line_and_fails(run, tmp_path):
    """Findings alone on stdout, status 1; a page without such tables is told of on stderr."""
    wrong, good, other = tmp_path / "wrong.md", tmp_path / "good.md", tmp_path / "other.md"
    wrong.write_text(GOOD.replace("0.849 ", "0.848 "), encoding="utf-8")
    good.write_text(GOOD, encoding="utf-8")
    other.write_text("| a |\n| - |\n", encoding="utf-8")
    told = (
        f"{wrong}:3: row 4, column 310P/T4: 0.848 should be 0.849: 192.398 / 226.745 is 0.84852; cut off, not rounded\n"
    )

    assert (0, "", "") == run(good)
    assert (1, told, "") == run(good, wrong)
    assert (0, "", f"{other}: no table has a column of 310, 310P or T4\n") == run(other)


def test_a_table_that_nobody_is_shown_has_no_finding(run, tmp_path):
    """Commented out, or an example in a block of code; the lines of what is shown below are counted on."""
    wrong, page = GOOD.replace("0.849 ", "0.848 "), tmp_path / "page.md"
    code = "".join(f"    {line}\n" for line in wrong.splitlines())
    page.write_text(f"<!--\n{wrong}-->\n\nSuch as\n\n{code}\n{wrong}", encoding="utf-8")
    told = "row 4, column 310P/T4: 0.848 should be 0.849: 192.398 / 226.745 is 0.84852; cut off, not rounded"

    assert (1, f"{page}:21: {told}\n", "") == run(page)


def test_the_verb_says_what_it_could_not_judge(run, tmp_path):
    """A page of which nothing was recomputed does not pass in silence."""
    page = tmp_path / "page.md"
    page.write_text("| batch | 310P | 310P/310 |\n| - | - | - |\n| 1 | 9 | 2 |\n", encoding="utf-8")
    told = (
        f"{page}:1: column 310P/310: the table has no one column of throughput of 310, so that it is not recomputed\n"
        f"{page}: no cell of its tables follows from others, so that none is recomputed\n"
    )

    assert (0, "", told) == run(page)


def test_a_file_that_cannot_be_read_is_bad_input(run, tmp_path):
    """One sentence for each and status 2, whatever is found in the other files, which is printed."""
    missing, wrong, other = tmp_path / "missing.md", tmp_path / "wrong.md", tmp_path / "other.md"
    wrong.write_text(GOOD.replace("0.849 ", "0.848 "), encoding="utf-8")
    other.write_bytes("性能".encode("gbk"))
    finding = run(wrong)[1]
    told = (
        f"roadworthy: {missing}: No such file or directory; lint takes Markdown files\n"
        f"roadworthy: {other}: byte 0 is not UTF-8; lint takes Markdown files in UTF-8\n"
    )

    assert (2, finding, told) == run(missing, wrong, other, missing)
    assert (2, finding, told) == run(missing, other, wrong)
    assert (1, 1) == (run(wrong)[0], finding.count("\n"))
