"""Text in Markdown: read as it stands in a record."""

from __future__ import annotations

import pytest

from roadworthy import markdown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n b\tc", "a b c"),
        ("\x1b[31mred\x07", "[31mred"),
        ("left\u202eright \ud83d", "leftright "),
        ("网络\u3000模型", "网络 模型"),
        ("", ""),
    ],
)
def test_text_is_one_printable_line(text, line):
    """Whatever ends a line or acts on a terminal is gone; letters of any language stay."""
    assert line == markdown.line(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("381.9549 erfnet_pretrained.pth #1 <= 2 - x (y) & z", "381.9549 erfnet_pretrained.pth #1 <= 2 - x (y) & z"),
        ("a|b\\|c", "a\\|b\\\\\\|c"),
        ("<script> </b> <?x &lt; &#60;", "&lt;script> &lt;/b> &lt;?x &amp;lt; &amp;#60;"),
        ("*x* _y_ __z __init__", "\\*x\\* \\_y\\_ \\_\\_z \\_\\_init\\_\\_"),
        ("`c` ~s~ $x$", "\\`c\\` \\~s\\~ \\$x\\$"),
        ("[here](javascript:x)", "\\[here\\](javascript:x)"),
        ("a\n<!-- roadworthy:end -->", "a &lt;!-- roadworthy:end -->"),
    ],
)
def test_nothing_in_text_acts(text, escaped):
    """No markup, no HTML, no end of a cell; names and numbers stand as they are."""
    assert escaped == markdown.escaped(text)
