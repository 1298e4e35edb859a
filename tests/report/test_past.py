"""History: like is joined with like, much is cut down and said so, one day is no history."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from roadworthy.report import grid, past


def test_a_line_is_of_one_chip_batch_and_kind_of_data(models, chip):
    """Drawn frames, weights that nobody trained and few frames are not joined with the promise's."""
    score = replace(chip, metric="miou", value=0.72, clock=None, data="val-0/500", frames=500)
    others = [
        replace(score, when="2026-10-02", frames=9, data="nine-0/9"),
        replace(score, when="2026-10-03", source="sample", data="sample-v1/24", frames=24),
        replace(score, when="2026-10-04", batch=4),
        replace(score, when="2026-10-05", value=0.73),
    ]
    chart, table = past.history(models["erfnet"], [score, *others], "miou")

    for label in ("batch 1", "batch 1, 9 frames", "batch 1, drawn frames", "batch 4"):
        assert f">Ascend310P3, {label}</text>" in chart.svg
    assert 5 == len(table.rows)
    assert ["2026-10-05 00:00", "Ascend310P3", "1", "73.00"] == [cell.text for cell in table.rows[0]][:4]


@pytest.mark.parametrize(
    ("metric", "one", "other"),
    [
        ("miou", {"runtime": "eager"}, {"runtime": "ascend"}),
        ("miou", {"data": "val-1a2b3c4d/500"}, {"data": "val-99999999/500"}),
        ("throughput", {"runtime": "ais_bench"}, {"runtime": "ascend"}),
        ("throughput", {"clock": "wall"}, {"clock": "device"}),
    ],
)
def test_what_was_measured_in_another_way_is_another_line(models, chip, metric, one, other):
    """Another runtime or clock, of mIoU another data set; the labels tell which, those of other data do not."""
    row = replace(chip, metric=metric, value=0.72, frames=500)
    rows = [replace(row, when=f"2026-10-0{day}", **(one if day % 2 else other)) for day in range(1, 5)]
    chart, _ = past.history(models["erfnet"], [*rows, replace(row, batch=4)], metric)

    for word in (*one.values(), *other.values()):
        assert f">Ascend310P3, batch 1, {word.removeprefix('val-')}</text>" in chart.svg
    assert ">Ascend310P3, batch 4</text>" in chart.svg


def test_a_data_set_in_another_folder_is_the_same(models, chip):
    """Its digest tells, as of regression."""
    row = replace(chip, metric="miou", value=0.72, frames=500, data="val-1a2b3c4d/500")
    later = replace(row, data="elsewhere-1a2b3c4d/500", when="2026-10-02")
    chart, _ = past.history(models["erfnet"], [row, later], "miou")

    assert 1 == chart.svg.count(">Ascend310P3, batch 1</text>")


def test_words_of_records_in_labels_are_short_and_none_is_lost(models, chip):
    """Two names with one end are two lines still."""
    rows = [replace(chip, runtime=f"{i}{'a' * 10_000}", when=f"2026-10-0{i}") for i in (1, 2)]
    chart, _ = past.history(models["erfnet"], rows, "throughput")

    assert 2 == chart.svg.count(f", …{'a' * 10}")
    assert len(chart.svg) < 40_000


@pytest.mark.parametrize("count", [past.LINES, past.LINES + 1])
def test_of_many_lines_the_longest_are_drawn(models, chip, count):
    """And the table says how many there are."""
    rows = [replace(chip, batch=b, when=f"2026-10-{d:02}") for b in range(1, count + 1) for d in (1, 2)]
    chart, table = past.history(models["erfnet"], rows, "throughput")

    assert past.LINES == len(re.findall(r">Ascend310P3, batch \d+</text>", chart.svg))
    assert (count > past.LINES) == any(f"{past.LINES} of {count} lines are drawn" in note for note in table.notes)


def test_of_many_points_the_newest_are_drawn_and_listed(models, chip):
    """The others are in the records."""
    rows = [
        replace(chip, when=f"20{year:02}-{month:02}-{day:02}T08:00:00+00:00", value=float(year))
        for year in range(10, 12) for month in range(1, 13) for day in range(1, 16)
    ]  # fmt: skip
    chart, table = past.history(models["erfnet"], rows, "throughput")

    assert past.POINTS <= chart.svg.count("<use") < 1.2 * past.POINTS
    assert past.ROWS == len(table.rows)
    assert "2011-12-15 08:00" == table.rows[0][0].text
    assert f"Of every line the newest {past.POINTS} points are drawn." == table.notes[0]
    assert table.notes[1].startswith(f"{360 - past.ROWS} more figures")


def test_one_day_is_no_history(models, chip):
    """Numbers without a chart, and a sentence."""
    chart, table = past.history(models["erfnet"], [chip, replace(chip, batch=4)], "throughput")

    assert chart is None
    assert ("All of one day: there is no history yet.",) == table.notes


def test_a_time_of_another_zone_is_told_in_utc(models, chip):
    """And a text that is no time is left out of the history."""
    rows = [replace(chip, when="2026-10-01T23:30:00-02:00"), replace(chip, batch=4, when="yesterday")]
    _, table = past.history(models["erfnet"], rows, "throughput")

    assert ["2026-10-02 01:30"] == [row[0].text for row in table.rows]


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "0001-01-01", "9999-12-31"])
def test_a_time_that_no_chart_has_room_for_is_left_out(models, chip, when):
    """Its day is told as it stands in the record."""
    rows = [replace(chip, when=when), chip, replace(chip, when="1969-07-20"), replace(chip, batch=4)]
    chart, table = past.history(models["erfnet"], rows, "throughput")

    assert chart is not None
    assert 3 == len(table.rows)
    assert when == grid.day(when)


def test_nothing_measured_has_no_history(models):
    """The guide's figures have no date."""
    assert past.history(models["erfnet"], models["erfnet"].published(), "throughput") is None
