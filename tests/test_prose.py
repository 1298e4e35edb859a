"""Lines of Markdown: what a reader of the page sees as text, and what as code or not at all."""

from __future__ import annotations

import pytest

from roadworthy import prose

SIGNS = {"text": "t", "code": "c", "comment": "-"}


def kinds(*lines: str) -> str:
    """A letter for the kind of every line."""
    return "".join(SIGNS[kind] for kind in prose.kinds(lines))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("a", "```sh", "b", "", "```", "c"), "tcccct"),
        (("~~~", "```", "~~~~", "a"), "ccct"),  # ended by its own mark, as long or longer
        (("````", "```", "````", "a"), "ccct"),
        (("- a", "  ```", "  b", "  ```", "  c"), "tccct"),
        (("- ```", "  b", "  ```", "  c"), "ccct"),
        (("> ```", "> a", "> ```", "> b"), "ccct"),
        (("> ```", "> a", "b"), "cct"),  # it ends with the quote around it
        (("```", "a"), "cc"),
        (("```", "``` a", "```", "b"), "ccct"),
        (("```", "    ```", "    a", "    ```", "```", "b"), "ccccct"),  # a fence shown by four blanks ends none
        (("```", "> ```", "a", "```", "b"), "cccct"),
        (("- ```", "  a", "", "b"), "ccct"),  # it ends with the item around it
        (("```pip install a```", "b"), "tt"),  # of one line: a span within text
    ],
)
def test_a_fence_and_what_it_holds_is_code(lines, expected):
    """In lists and quotes, to the mark that ends it or to the end of the page."""
    assert expected == kinds(*lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("a", "", "    b", "", "\tc", "d"), "ttctct"),
        (("# a", "    b"), "tc"),
        (("a", "    b"), "tt"),  # a paragraph goes on
        ((">     a", ">     b", "> c"), "cct"),
        (("> a", "", "    b"), "ttc"),
        (("---", "    a"), "tc"),
        (("    ```", "a"), "ct"),  # code that shows a fence opens none
        (("    <!--", "a"), "ct"),
    ],
)
def test_four_blanks_make_code(lines, expected):
    """Unless a paragraph goes on."""
    assert expected == kinds(*lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("- a", "", "    b", "", "      c"), "ttttc"),
        (("1. a", "   - b", "", "       c", "", "         d"), "tttttc"),
        (("10. a", "", "       b", "", "        c"), "ttttc"),
        (("- - a", "", "       b"), "ttt"),
        (("- a", "", "  > b", "", "    c"), "ttttt"),
        (("> - a", ">", ">     b", ">", ">       c"), "ttttc"),
        (("- a", "b", "", "    c"), "tttt"),  # `b` goes on with the item's paragraph
        (("- a", "", "b", "", "    c"), "ttttc"),  # here it ends the list
        (("- a", "# b", "    c"), "ttc"),
        (("* * *", "    a"), "tc"),  # a rule, no item
        (("-     a",), "c"),
        (("a", "-     b"), "tc"),
        (("1.   a", "    # b", "", "     c"), "tttt"),
        (("> a", "    # b", "    c"), "ttt"),
        (("a", "    # b", "    c"), "ttt"),
        (("-", "  a", "", " b", "", "    c"), "tttttc"),
        (("-", "  a"), "tt"),
        (("- " * 1500 + "a", "b"), "tt"),
    ],
)
def test_what_items_of_lists_hold_is_text(lines, expected):
    """Blanks count from where the item's own text begins."""
    assert expected == kinds(*lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("a", "<!--", "b", "", "c -->", "d"), "t----t"),
        (("<!-- a -->", "b"), "-t"),
        (("a <!-- b", "c"), "tt"),  # GitHub shows a table that follows
        (("<!--", "```", "-->", "a"), "---t"),
        (("```", "<!--", "```", "a"), "ccct"),
        (("- a", "  <!--", "  b", "  -->", "  c"), "t---t"),
        (("> <!-- a", "b"), "-t"),
        (("<!--", "a"), "--"),
        (("a", "    <!--", "b"), "ttt"),
    ],
)
def test_a_comment_is_shown_by_nobody(lines, expected):
    """From a line that begins with one to the line that ends it."""
    assert expected == kinds(*lines)
