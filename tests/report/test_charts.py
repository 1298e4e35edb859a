"""Charts: SVG in the page's colours, with names of their own, and the same bytes for the same lines."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from roadworthy.report import charts
from roadworthy.report.charts import Line

LINES = [
    Line("Ascend310", (1, 4), (100.0, 120.0), ((16, "out of memory"),)),
    Line("T4 <b> & $x$", (1, 4, 16), (80.0, 95.5, 90.0)),
]
REQUIRED = [("required: 1.2 x Ascend310 = 144.00", 144.0)]
DAYS = [Line("cpu, batch 1", ("2026-01-01", "2026-02-01T08:00:00+00:00"), (71.0, 72.0))]


@pytest.fixture(params=["throughput", "history"])
def drawn(request) -> charts.Chart:
    """One chart of either kind."""
    if request.param == "throughput":
        return charts.throughput("one", "A <title> & more", LINES, REQUIRED)
    return charts.history("one", "A <title> & more", "mIoU %", DAYS)


def texts(svg: str) -> list[str]:
    """The words of a picture, its title and description left out."""
    return ["".join(node.itertext()).strip() for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314  ours


def test_it_has_a_name_and_a_description(drawn):
    """For a screen reader, escaped."""
    root = ET.fromstring(drawn.svg)  # noqa: S314  ours
    title, description = (root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))

    assert ("img", "one-title", "one-desc") == tuple(
        root.get(k) for k in ("role", "aria-labelledby", "aria-describedby")
    )
    assert ("A <title> & more", "one-title") == (title.text, title.get("id"))
    assert "2" in description.text


def test_colours_are_the_pages(drawn):
    """No colour of its own, so that dark is dark; letters too."""
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", drawn.svg)) - {"none"}

    assert colours <= {"currentColor", "var(--faint)", "var(--card)", *(f"var(--line{i})" for i in range(8))}
    assert {"currentColor", "var(--line0)"} <= colours
    assert all("fill: currentColor" in tag for tag in re.findall(r"<text[^>]*>", drawn.svg))


def test_no_name_is_in_two_charts(drawn):
    """What is referred to is there."""
    other = charts.history("two", "Other", "images/s", DAYS)
    ids = re.findall(r'\bid="([^"]+)"', drawn.svg)
    used = re.findall(r'(?:url\(#|href="#)([^")]+)', drawn.svg)

    assert len(ids) == len(set(ids))
    assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', other.svg))
    assert set(used) <= set(ids)


def test_nothing_of_a_style_sheet_reaches_the_page(drawn):
    """Nor a font, a size in points, a time."""
    assert not re.search(r"<style|<metadata|font: |DejaVu|<svg[^>]* width=|DOCTYPE", drawn.svg)


def test_the_same_lines_give_the_same_bytes():
    """Twice."""
    assert charts.throughput("a", "b", LINES, REQUIRED) == charts.throughput("a", "b", LINES, REQUIRED)


def test_throughput_says_best_required_and_lost():
    """In the legend, with dashes and markers that differ, and in the description."""
    svg = charts.throughput("one", "Throughput", LINES, REQUIRED).svg
    words = texts(svg)

    assert "Ascend310: best 120.00 at batch 4" in words
    assert "T4 <b> & $x$: best 95.50 at batch 4" in words
    assert "required: 1.2 x Ascend310 = 144.00" in words
    assert "out of memory" in words
    assert ["1", "4", "16"] == [word for word in words if word in ("1", "4", "16")]
    assert "Ascend310 out of memory at 16" in svg
    assert len(set(re.findall(r"stroke-dasharray: ([^;]+)", svg))) >= 2


def test_no_two_lines_look_alike():
    """Also of more chips than there are colours; neighbours differ in more than their colour."""
    looks = [charts._look(i) for i in range(20)]

    assert len(looks) == len(set(looks))
    assert 8 == len({(dash, marker) for _, dash, marker in looks[:8]})


def test_lines_of_one_number_look_alike_in_every_chart():
    """In whatever place they are there."""
    line = Line("T4", (1, 4), (80.0, 95.5), number=5)
    others = [Line(name, (1, 4), (90.0, 99.0), number=i) for i, name in enumerate("ab")]
    first, last = (charts.throughput("n", "t", lines, []).svg for lines in ([line, *others], [*others, line]))

    assert "var(--line5)" in first
    assert sorted(re.findall(r"var\(--line\d\)", first)) == sorted(re.findall(r"var\(--line\d\)", last))


def test_a_figure_of_next_to_nothing_is_drawn_whole():
    """Its mark and ring reach below the axis."""
    drawn = charts.throughput("n", "t", [Line("cpu", (1,), (0.01,)), LINES[1]], []).svg

    assert {"var(--faint)"} == {re.search(r"var\(--\w+\)", cut)[0] for cut in re.findall(r"clip-path=[^>]*>", drawn)}


def test_a_chip_without_a_figure_is_drawn_as_lost():
    """Out of memory at its only batch."""
    assert "crash" in texts(charts.throughput("one", "T", [Line("T4", (), (), ((1, "crash"),))], []).svg)


def test_batches_that_were_lost_are_told_by_what_they_met():
    """In one clause each; what the first batch met stands right of its mark, where the axis is not."""
    svg = charts.throughput(
        "one", "T", [Line("T4", (4,), (2.0,), ((1, "crash"), (8, "timeout"), (16, "timeout")))], []
    ).svg

    assert "T4 crash at 1; T4 timeout at 8, 16" in svg
    assert ["start", "end", "end"] == re.findall(r"text-anchor: (\w+)[^>]*>(?:crash|timeout)<", svg)


SEEN = {  # Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as it is seen
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour: str, seen: list[list[float]]) -> np.ndarray:
    """A colour of the style sheet as it is seen, in CIELAB."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.clip(seen @ np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ linear / (0.9505, 1, 1.089)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN.keys())
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lines_that_a_colour_blind_reader_takes_for_one_colour_have_other_dashes(seen, scheme):
    """A marker of another form alone is too little to follow a line by."""
    style = Path(charts.__file__).with_name("page.css").read_text(encoding="utf-8")
    colours = [pair[scheme] for pair in re.findall(r"--line\d: light-dark\((#\w+), (#\w+)\)", style)]
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(8), 2)
        if np.linalg.norm(lab(colours[i], seen) - lab(colours[j], seen)) < 10
    ]

    assert 8 == len(colours)
    assert [] == [(i, j) for i, j in pairs if charts.STYLES[i][0] == charts.STYLES[j][0]]
