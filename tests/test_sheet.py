"""Sheets: which rows a layout asks for, and what stands in a cell."""

from __future__ import annotations

from typing import Any

import pytest

from roadworthy.layout import Column, Layout
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.sheet import Sheet

P3, OLD = "Ascend310P3", "Ascend310"


def figure(soc: str, batch: int | None, value: float | None, metric: str = "throughput", **more: Any) -> Record:
    """A measured figure; None is out of memory."""
    outcome = "ok" if value is not None else "oom"
    return Record(
        model="tiny", soc=soc, batch=batch, metric=metric, value=value, outcome=outcome, source="measured", **more
    )


KNOWN = [
    figure(P3, 1, 100.0), figure(P3, 4, 150.0), figure(P3, 8, 120.0), figure(P3, 16, None),
    figure(OLD, 1, 50.0), figure(OLD, 4, None),
    figure(P3, 1, 0.5, "miou"), figure(P3, 4, 0.6, "miou"), figure("T4", 2, 0.7, "miou"),
]  # fmt: skip
SPEED = Column("speed", "throughput", as_="{:g}")
BATCH = Column("batch", "batch")
SPEED_OF_P3 = Column("P3", "throughput", P3, "{:g}")


def texts(card: object, layout: Layout, known: list[Record] = KNOWN) -> list[list[str]]:
    """The table, row by row."""
    return Sheet(card, layout, known, known).texts()  # type: ignore[arg-type]


def test_rows_of_batches_end_with_each_chips_own_best(tiny_card):
    """Every size that a column's chip has figures of; best over best although the sizes differ."""
    columns = (
        BATCH,
        Column("P3", "throughput", P3, "{:g}", oom="too big"),
        Column("310", "throughput", OLD, "{:g}", oom="too big", blank="-"),
        Column("P3/310", "ratio", f"{P3} / {OLD}", "{:g}", blank="/"),
    )
    sheet = Sheet(tiny_card, Layout("t", "batches", columns, best="best", bold=True), KNOWN, KNOWN)

    assert [
        ["1", "100", "50", "2"],
        ["4", "150", "too big", "/"],
        ["8", "120", "-", "/"],
        ["16", "too big", "-", "/"],
        ["best", "150", "50", "3"],
    ] == sheet.texts()
    assert [(1, 1), (0, 2)] == sorted(
        ((r, c) for r, row in enumerate(sheet.marked()) for c, best in enumerate(row) if best), key=lambda at: at[1]
    )


def test_of_equal_batches_the_smallest_is_the_best(tiny_card):
    """As for verdicts, in whatever order they are known."""
    columns = (BATCH, SPEED_OF_P3)
    known = [figure(P3, 8, 150.0), figure(P3, 4, 150.0), figure(P3, 1, 100.0)]
    sheet = Sheet(tiny_card, Layout("t", "batches", columns, best="best", bold=True), known, known)

    assert [False, True, False, False] == [row[1] for row in sheet.marked()]


def test_a_ratio_that_is_not_there_has_nothing_behind_it(tiny_card):
    """A blank stands for no figure, so that no note says where it was measured; words for lost memory are of what was lost."""
    pair = f"{P3} / {OLD}"
    columns = (Column("ratio", "ratio", pair, blank="/"), Column("ratio", "ratio", pair, oom="too big"))
    sheet = Sheet(tiny_card, Layout("t", "batches", columns), KNOWN, KNOWN)

    assert [["2.0", "2.0"], ["/", "too big"], ["/", ""], ["/", "too big"]] == sheet.texts()
    assert [[2, 2], [0, 1], [0, 0], [0, 1]] == [[len(cell) for cell in row] for row in sheet.behind()]


def test_the_crops_of_a_training_run_are_no_batch_size(tiny_card):
    """A chip without throughput stands at the size that it has a mIoU of, whatever was trained on it before."""
    row = Layout("t", "chips", (BATCH, Column("mIoU", "miou", as_="{:g}")), chips={"T4": "T4"})
    run = figure("T4", 16, 0.9, "train.miou", run="T4-8p", devices=8)

    assert [["2", "70"]] == texts(tiny_card, row, [run, *KNOWN])


def test_batches_may_be_listed(tiny_card):
    """Those, whatever there are figures of; the best row is of all."""
    layout = Layout("t", "batches", (BATCH, Column("P3", "throughput", P3, "{:g}")), batches=(1, 2), best="best")

    assert [["1", "100"], ["2", ""], ["best", "150"]] == texts(tiny_card, layout)


def test_rows_of_chips_are_in_order_at_the_best_batch(tiny_card):
    """The only batch where there is no throughput, blanks where there is nothing."""
    columns = (Column("chip", "chip"), BATCH, SPEED, Column("mIoU", "miou", as_="{:.1f}"))
    layout = Layout("t", "chips", columns, {"T4": "a T4", P3: "310P", "GPU": "a GPU"})

    assert [["a T4", "2", "", "70.0"], ["310P", "4", "150", "60.0"], ["a GPU", "", "", ""]] == texts(tiny_card, layout)


def test_rows_of_cells_are_every_batch_of_every_chip(tiny_card):
    """A batch that did not fit has its words in the column that has some, whichever metric was lost."""
    columns = (Column("chip", "chip"), BATCH, Column("mIoU", "miou.fraction", oom="too big", blank="?"), SPEED)
    found = texts(tiny_card, Layout("t", "cells", columns, {OLD: "310", P3: "310P"}))

    assert [
        ["310", "1", "?", "50"],
        ["310", "4", "too big", ""],
        ["310P", "1", "0.5", "100"],
        ["310P", "4", "0.6", "150"],
        ["310P", "8", "?", "120"],
        ["310P", "16", "too big", ""],
    ] == found


def test_rows_of_runs_are_those_of_one_group(tiny_card):
    """MIoU in percent, images/s as they are, settings by name; a run of the same name in another group stays out."""
    columns = (
        Column("run", "run"),
        Column("devices", "devices", blank="-"),
        Column("lr", "setting", "lr"),
        Column("mIoU", "train.miou", as_="{:.1f}", blank="-"),
        Column("best", "train.best_miou", as_="{:.1f}", blank="-"),
        Column("FPS", "train.throughput", as_="{:g}", blank="-"),
    )
    known = [
        figure("NPU", None, 0.681, "train.miou", run="one", devices=8, settings={"group": "g", "lr": 0.1}),
        figure("NPU", None, 83.0, "train.throughput", run="one", settings={"group": "g", "lr": 0.1}),
        figure("NPU", None, 0.1, "train.best_miou", run="one", settings={"group": "h"}),
        figure("GPU", None, 0.7, "train.best_miou", run="two", settings={"group": "g"}),
    ]
    found = texts(tiny_card, Layout("t", "runs", columns, group="g"), known)

    assert [["one", "8", "0.1", "68.1", "-", "83"], ["two", "-", "", "-", "70.0", "-"]] == found


def test_a_target_and_a_text_are_the_cards(tiny_card):
    """The same in every row, the last one too."""
    columns = (BATCH, SPEED_OF_P3, Column("target", "target", as_="{:.1f}%"), Column("data", "text", "cityscapes"))
    found = texts(tiny_card, Layout("t", "batches", columns, batches=(1,), best="best"))

    assert [["1", "100", "90.0%", "cityscapes"], ["best", "150", "90.0%", "cityscapes"]] == found


def test_a_setting_that_its_format_cannot_show_is_told(tiny_card):
    """The sentence names the card, the table, the column and the value."""
    layout = Layout("t", "runs", (Column("level", "setting", "level", "{:.2f}"),), group="g")
    known = [figure("NPU", None, 0.681, "train.miou", run="one", settings={"group": "g", "level": "O1"})]

    with pytest.raises(
        Problem, match=r"card\.toml: table 't', column 'level': as is '{:\.2f}', which cannot show 'O1'"
    ):
        texts(tiny_card, layout, known)


@pytest.mark.parametrize("outcome", ["crash", "timeout", "unsupported"])
def test_a_batch_that_gave_nothing_says_what_became_of_it(tiny_card, outcome):
    """As a record calls it: a blank would look like a batch that nobody tried. The ratio has its own words."""
    lost = Record(model="tiny", soc=P3, batch=4, metric="throughput", value=None, outcome=outcome, source="measured")
    columns = (
        BATCH,
        Column("P3", "throughput", P3, "{:g}", oom="too big"),
        Column("x", "ratio", f"{P3} / {OLD}", blank="/"),
    )
    layout = Layout("t", "batches", columns, batches=(4,))

    assert [["4", outcome, "/"]] == texts(tiny_card, layout, [lost, figure(OLD, 4, 50.0)])
