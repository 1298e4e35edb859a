"""Origins: who said a figure, when, with what; and which figures were not measured alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import origin
from roadworthy.record import Record

FIGURE = Record(
    model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=1.0, source="measured", clock="device",
    runtime="ascend", when="2026-11-21T10:11:12+00:00", environment={"cann": "8.0", "driver": "24.1", "python": "3.9"},
)  # fmt: skip
EAGER = replace(FIGURE, soc="T4", runtime="eager", clock="wall")


def test_a_measured_figure_tells_its_day_runtime_driver_and_cann():
    """Those of its environment that a figure of a chip depends on first, in this order."""
    assert "measured on 2026-11-21, by ascend, driver 24.1, CANN 8.0" == origin.origin(FIGURE, {})
    assert "2026-11-21实测，运行时ascend，驱动24.1，CANN 8.0" == origin.origin(FIGURE, {}, "zh")


def test_what_is_not_known_of_an_ascend_chip_is_said():
    """Of other chips nothing is missed."""
    bare = replace(FIGURE, environment={})

    assert "measured on 2026-11-21, by ascend, driver and CANN not known" == origin.origin(bare, {})
    assert "measured on 2026-11-21, by eager" == origin.origin(replace(EAGER, environment={}), {})
    assert "measured on 2026-11-21" == origin.origin(replace(EAGER, environment={}, runtime=None), {})


def test_a_throughput_of_one_die_is_called_so():
    """It was measured on one die and multiplied; the mIoU of the same session was not."""
    card = replace(FIGURE, soc="Ascend310", environment={"cann": "8.0", "dies": "1 measured of 4 on a card; ..."})

    assert "measured on 2026-11-21, by ascend, on one die times 4, CANN 8.0" == origin.origin(card, {})
    assert "2026-11-21实测，运行时ascend，单颗芯片实测值乘以4，CANN 8.0" == origin.origin(card, {}, "zh")
    assert "one die" not in origin.origin(replace(card, metric="miou"), {})
    assert "one die" not in origin.origin(replace(card, environment={}), {})


def test_a_published_figure_tells_what_its_guide_states():
    """Nothing more where the guide states nothing."""
    published = replace(FIGURE, source="published", when=None, environment={})

    assert "published in the guide, whose Ascend chips ran with CANN 5.1.RC1" == origin.origin(
        published, {"cann": "5.1.RC1", "torch": "1.5.0"}
    )
    assert "published in the guide" == origin.origin(published, {})


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (FIGURE, ""),
        (replace(FIGURE, soc="Ascend310", runtime=None), ""),
        (EAGER, "T4 was timed by the wall clock of eager, the chip divided by it by the device clock"),
        (replace(FIGURE, soc="Ascend310", runtime="ais_bench"),
         "Ascend310 was timed by the device clock of ais_bench, the chip divided by it by the device clock of ascend"),
        (replace(FIGURE, soc="T4", clock=None), "T4 was timed by the unknown clock of ascend"),
    ],
    ids=["same", "guide-names-none", "eager", "by-files", "no-clock"],
)  # fmt: skip
def test_figures_of_unlike_clocks_or_runtimes_are_told(other, told):
    """Where clocks differ, they are what matters; a runtime that a guide does not name is the chip's own."""
    assert origin.unlike(FIGURE, other).startswith(told)
    assert bool(told) == bool(origin.unlike(FIGURE, other))
