"""Lines as SVG that stands in a page: its colours follow the page, its letters are text, its names are its own."""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import dates, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from roadworthy.report.grid import moment

SIZE = (5.0, 3.1)  # inches of the axes at 72 dots: on a phone a letter is still 9 pixels high
WORDS = 48  # letters of a line of the legend
BEST = ": best 1234.56 at batch 64"  # about what the legend says of a line
SIDE, FOOT, EDGE = 0.64, 0.6, 0.1  # inches of the axis of values, of the axis below, and of what is free
LEGEND = 0.21  # inches of a line of the legend
DASHES = ((0, (1, 1.5)), (0, (6, 3)), (0, (6, 2, 1, 2)), (0, (12, 3)))  # of required speeds
INK, FAINT, PAPER = "#0a0c00", "#0a0c01", "#0a0c02"  # stand for colours of the page
COLOURS = tuple(f"#0a0b0{i}" for i in range(8))  # stand for its eight colours of lines
WAYS = len(COLOURS)  # numbers of lines that are this far apart have one colour
STYLES = (("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"), ("-", "v"), ("-.", "P"), ("--", "X"), (":", "*"))
VARIABLES = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    PAPER: "var(--card)",
    **{colour: f"var(--line{i})" for i, colour in enumerate(COLOURS)},
}
SETTINGS: Any = {  # mypy knows their names one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "roadworthy",  # the same lines give the same bytes
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "legend.frameon": False,
}
LOOK: Any = ["default", SETTINGS]  # whatever a user's matplotlibrc says


@dataclass(frozen=True)
class Line:
    """One line of a chart: `at` are batch sizes, or days as ISO 8601 times; `lost` are batch sizes, each with what it met.

    Lines of one `number` look alike, in whatever chart they are; without one a line looks as its place in the chart says.
    """

    label: str
    at: tuple[float | str, ...]
    values: tuple[float, ...]
    lost: tuple[tuple[int, str], ...] = ()
    number: int | None = None


@dataclass(frozen=True)
class Chart:
    """A picture with its words: the title is its name to a screen reader, the description what it shows."""

    svg: str
    title: str


@style.context(LOOK)
def throughput(name: str, title: str, lines: Sequence[Line], required: Sequence[tuple[str, float]]) -> Chart:
    """Images/s by batch size: best batches ringed, those out of memory or broken crossed, required speeds as lines."""
    figure, axes = _figure([*(f"{line.label}{BEST}" for line in lines), *(label for label, _ in required)])
    batches = sorted({int(at) for line in lines for at in (*line.at, *dict(line.lost))})
    place = {batch: i for i, batch in enumerate(batches)}
    top = max([*(v for line in lines for v in line.values), *(v for _, v in required)], default=1.0)
    for i, line in enumerate(lines):
        colour, dash, marker = _look(i if line.number is None else line.number)
        at = [place[int(a)] for a in line.at]
        label = line.label
        if line.values:
            best = max(range(len(at)), key=lambda j: line.values[j])
            label += f": best {line.values[best]:.2f} at batch {line.at[best]}"
            axes.plot(at[best], line.values[best], "o", markersize=12, mfc="none", mec=colour, mew=1.4, clip_on=False)
        drawn: Any = {"markersize": 5, "linewidth": 1.8, "clip_on": False}  # also where a value is next to nothing
        axes.plot(at, line.values, dash, marker=marker, color=colour, label=_wrapped(label), **drawn)
        for batch, met in line.lost:
            spot = (place[batch], 0.07 * top * (1 + i % 4))
            side = -1 if place[batch] else 1  # left of the first is the axis
            axes.plot(*spot, "x", color=colour, markersize=7, mew=2)
            look: Any = {"textcoords": "offset points", "ha": "right" if side < 0 else "left", "va": "center"}
            axes.annotate(met, spot, (7 * side, 0), fontsize=9, color=INK, **look)
    for i, (label, speed) in enumerate(required):
        axes.axhline(speed, color=INK, linestyle=DASHES[i % len(DASHES)], linewidth=1.3, label=label)
    axes.set(ylim=(0, 1.16 * top), xlim=(-0.35, max(len(batches) - 0.65, 0.35)), xlabel="batch size", ylabel="images/s")
    axes.set_xticks(range(len(batches)), [str(batch) for batch in batches])
    axes.xaxis.set_minor_locator(NullLocator())
    shown = [f"{line.label} up to {max(line.values):.2f}" for line in lines if line.values]
    lost = [f"{line.label} {met} at {', '.join(map(str, at))}" for line in lines for met, at in _by_what(line).items()]
    asked = [f"{label}" for label, _ in required]
    return _svg(figure, name, title, "; ".join([*shown, *lost, *asked]))


@style.context(LOOK)
def history(name: str, title: str, unit: str, lines: Sequence[Line]) -> Chart:
    """Values by date, a line each."""
    figure, axes = _figure([line.label for line in lines])
    for i, line in enumerate(lines):
        colour, dash, marker = _look(i)
        days = [moment(str(at)) for at in line.at]
        look: Any = {"marker": marker, "color": colour, "markersize": 4.5}
        axes.plot(np.array(days), line.values, dash, label=_wrapped(line.label), **look)
    locator = dates.AutoDateLocator(tz=dates.UTC, minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=dates.UTC))  # type: ignore[no-untyped-call]
    axes.set(ylabel=unit)
    axes.margins(y=0.15)
    axes.ticklabel_format(axis="y", useOffset=False)
    last = [f"{line.label}: {line.values[-1]:.5g} {unit} on {str(line.at[-1])[:10]}" for line in lines]
    return _svg(figure, name, title, "; ".join(last))


def _by_what(line: Line) -> dict[str, list[int]]:
    """The batch sizes that were lost, by what they met."""
    found: dict[str, list[int]] = {}
    for batch, met in line.lost:
        found.setdefault(met, []).append(batch)
    return found


def _look(number: int) -> tuple[str, str, str]:
    """Colour, dash and marker of a line: a colour's second line has other dashes and another marker than its first."""
    dash, marker = STYLES[(number + number // WAYS) % len(STYLES)]
    return COLOURS[number % WAYS], dash, marker


def _figure(labels: Sequence[str]) -> tuple[Figure, Axes]:
    entries = sum(len(_wrapped(label).splitlines()) for label in labels)
    width, height, foot = SIZE[0], SIZE[1] + LEGEND * entries, FOOT + LEGEND * entries
    figure = Figure(figsize=(width, height), facecolor="none")
    place = (SIDE / width, foot / height, 1 - (SIDE + EDGE) / width, 1 - (foot + EDGE) / height)
    axes = figure.add_axes(place)  # a layout that finds its own margins takes twice as long
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _svg(figure: Figure, name: str, title: str, description: str) -> Chart:
    """The figure in the page's colours, with a name and a description, and every id behind its own name."""
    picture = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Type": None, "Format": None}
    figure.legend(loc="lower left", bbox_to_anchor=(0.08, 0.0), borderaxespad=0.2, handlelength=4, fontsize=10)
    figure.savefig(picture, format="svg", metadata=nothing)
    text = picture.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: (?:(\d+) )?([\d.]+)px [^;\"]*", _font, text)
    text = re.sub(r" font-family: [^;\"]*;", "", text)  # newer releases of matplotlib write it apart
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r'(<svg[^>]*?) (?:height|width)="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) (?:height|width)="[^"]*"', r"\1", text, count=1)
    words = (
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    role = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" focusable="false"'
    return Chart(re.sub(r"<svg([^>]*)>", rf"<svg {role}\1>", text, count=1).replace(">", f">{words}", 1), title)


def _wrapped(label: str) -> str:
    return textwrap.fill(label, WORDS)


def _font(found: re.Match[str]) -> str:
    weight = f"; font-weight: {found[1]}" if found[1] else ""
    return f"font-size: {found[2]}px{weight}"
