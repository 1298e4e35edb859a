"""Printed tables: which tables of a page have columns of chips, and what their cells say."""

from __future__ import annotations

import re
from textwrap import indent

import pytest

from roadworthy import printed
from roadworthy.printed import Subject
from roadworthy.problem import Problem

TABLE = "| batch | 310 | 310P |\n| --- | --- | --- |\n| 1 | 100.5 | 120 |\n"


def subjects(head: str) -> tuple[Subject, ...]:
    """What a head is taken for."""
    tables = printed.find(f"| x | T4 | {head} |\n| - | - | - |\n| 1 | 2 | 3 |\n")
    return tables[0].columns[2].of


def figure(cell: str) -> str | None:
    """The figure that is read of a cell."""
    table = printed.find(f"| x | 310 |\n| - | - |\n| 1 | {cell} |\n")[0]
    found = table.rows[0].figure(table.figures[0])
    return found.text if found else None


@pytest.mark.parametrize(
    ("head", "chip", "tuned", "kind"),
    [
        ("310", "310", False, ""),
        ("**310P**", "310P", False, ""),
        ("310p", "310P", False, ""),
        ("`Ascend310P3`", "310P", False, ""),
        ("昇腾 310P3", "310P", False, ""),
        ("710", "310P", False, ""),
        ("310P-AOE", "310P", True, ""),
        ("Ascend310P3+aoe", "310P", True, ""),
        ("310P\uff08AOE调优后\uff09", "310P", True, ""),
        ("aoe", "310P", True, ""),
        ("T4 FPS", "T4", False, "throughput"),
        ("310P吞吐率", "310P", False, "throughput"),
        ("310性能 (images/s)", "310", False, "throughput"),
        ("310P精度", "310P", False, "accuracy"),
        ("310P mIoU(%)", "310P", False, "accuracy"),
        ("310P时延(ms)", "310P", False, "latency"),
        ("gpu吞吐率", "GPU", False, "throughput"),
    ],
)
def test_a_head_names_a_chip_and_a_kind_of_figures(head, chip, tuned, kind):
    """In the spellings of guides, Chinese and English."""
    assert (Subject(chip, tuned, kind),) == subjects(head)


@pytest.mark.parametrize(
    ("head", "above", "below"),
    [
        ("310P/310", ("310P", False), ("310", False)),
        ("310p / T4", ("310P", False), ("T4", False)),
        ("310P-AOE/310", ("310P", True), ("310", False)),
        ("310P-aoe/310P", ("310P", True), ("310P", False)),
        ("AOE/T4", ("310P", True), ("T4", False)),
        ("310P3\uff0f310", ("310P", False), ("310", False)),
        ("Ascend310P3 / Ascend310", ("310P", False), ("310", False)),
        ("310P/310性能比", ("310P", False), ("310", False)),
    ],
)
def test_a_head_of_two_chips_is_a_ratio(head, above, below):
    """The left one over the right one."""
    assert [above, below] == [(of.chip, of.tuned) for of in subjects(head)]


@pytest.mark.parametrize(
    "head", ["x T4", "310P driver", "310 310P", "310P/310/T4", "3100", "310P优化后", "提升", "", "/"]
)
def test_a_head_with_another_word_is_anything_else(head):
    """What is not understood is not judged."""
    assert () == subjects(head)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("292.137", "292.137"),
        ("**292.137**", "292.137"),
        ("5.85fps", "5.85"),
        ("1,234.5 img/s", "1,234.5"),
        ("80.85%", "80.85%"),
        ("mIoU  79.06", "79.06"),
        ("292.137 (bs1)", "292.137"),
        ("292.137¹", "292.137"),
        ("**292.137**² ³", "292.137"),
        ("292.137<sup>1</sup>", "292.137"),
        ("292.137[^1]", "292.137"),
        ("bs16", None),
        ("-", None),
        ("/", None),
        ("", None),
        ("内存分配失败", None),
        ("1 - 2", None),
        ("1.2.3", None),
        ("9" * 5000, None),
    ],
)
def test_a_cell_has_one_figure_or_none(cell, text):
    """Several numbers are none that could be judged."""
    assert text == figure(cell)


@pytest.mark.parametrize(
    "page",
    [
        TABLE,
        TABLE.replace("\n|", "\n    |"),  # in a list
        "".join(f"> {line}\n" for line in TABLE.splitlines()),
        re.sub(r"^\| | \|$", "", TABLE, flags=re.MULTILINE),  # without pipes around it
        TABLE.replace("| --- |", "|:---:|", 1),
        "```\na\n```\n" + TABLE,
        "a | b\n---\n" + TABLE,
        TABLE.replace("batch", "batch \\| size"),
        f"- a\n\n{indent(TABLE, 4 * ' ')}",
        f"1. a\n   - b\n\n{indent(TABLE, 8 * ' ')}",
        f"<!-- a -->\n{TABLE}",
        f"```pip install a```\n\n{TABLE}",
    ],
)
def test_a_table_is_found_wherever_it_stands(page):
    """In lists and quotes, with and without pipes around it."""
    (table,) = printed.find(page)

    assert [["310"], ["310P"]] == [[of.chip for of in column.of] for column in table.figures]
    assert ["100.5"] == [found.text for row in table.rows if (found := row.figure(table.figures[0]))]
    assert page.count("\n") == table.rows[0].line


@pytest.mark.parametrize(
    "page",
    [
        f"```\n{TABLE}```\n",
        f"   ~~~text\n{TABLE}",
        f"a\n<!--\n{TABLE}-->\n",
        f"<!-- a\n\n{TABLE}\n{TABLE}\n-->\n",
        f"a\n\n{indent(TABLE, 4 * ' ')}",
        f"a\n\n{indent(TABLE, chr(9))}",
        f"- a\n\n{indent(TABLE, 6 * ' ')}",
        "| 0       310P3     | OK |\n| 0       0 | 0000:82:00.0 |\n",  # npu-smi's
        "| batch | x T4 | x 310 |\n| - | - | - |\n| 1 | 1.2 | 1.3 |\n",
        "| gpu |\n| - |\n| 5 |\n",
        "",
    ],
)
def test_code_comments_and_tables_of_other_things_are_passed_over(page):
    """Only a table that is shown and has a column of 310, 310P or T4 counts."""
    assert [] == printed.find(page)


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("## 7 性能对比\n\n如下\n\n", "throughput"),
        ("精度\uff1a\n\n", "accuracy"),
        ("# 性能&精度\n\n精度参考下列数据:\n\n", "accuracy"),
        ("# 性能&精度\n\n", ""),
        ("性能\n# Results\n", ""),
        ("精度\n\n| 310精度 |\n| - |\n\n", ""),  # words of another table
        ("according to the mapping\n", ""),
        ("精度\n\n<!-- 性能 -->\n\n", "accuracy"),  # nobody reads a comment
    ],
)
def test_the_words_before_a_table_say_what_its_bare_columns_are(before, kind):
    """The nearest that name one kind of figures, up to the heading."""
    table = printed.find(before + TABLE)[-1]

    assert [kind, kind] == [column.of[0].kind for column in table.figures]


@pytest.mark.parametrize(
    ("label", "key"),
    [("1", 1), ("bs16", 16), ("Batch size 4", 4), ("batch=8", 8), ("最优batch", "best"), ("**Best**", "best"), ("性能最优bs", "best"),
     ("best (bs8)", "best(bs8)"), ("ErfNet", "erfnet")],
)  # fmt: skip
def test_a_row_is_known_by_its_batch(label, key):
    """Or as that of the best ones; one that names a batch beside is neither."""
    (table,) = printed.find(TABLE.replace("| 1 |", f"| {label} |"))

    assert key == table.rows[0].key


def test_a_file_that_is_no_page_is_told_in_one_sentence(tmp_path):
    """Missing, a folder, or in another encoding."""
    other = tmp_path / "gbk.md"
    other.write_bytes("性能".encode("gbk"))
    with pytest.raises(Problem, match=r"nowhere\.md: No such file or directory; lint takes Markdown files"):
        printed.read(tmp_path / "nowhere.md")
    with pytest.raises(Problem, match=r"Is a directory; lint takes"):
        printed.read(tmp_path)
    with pytest.raises(Problem, match=r"gbk\.md: byte 0 is not UTF-8"):
        printed.read(other)


def test_marks_of_windows_are_no_part_of_a_page(tmp_path):
    """A byte order mark and carriage returns."""
    page = tmp_path / "page.md"
    page.write_bytes(b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode())
    (table,) = printed.read(page)

    assert (1, 3, ["batch", "310", "310P"]) == (table.line, table.rows[0].line, [c.head for c in table.columns])
