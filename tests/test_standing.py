"""The figures that stand: of every cell the newest, and what verdicts are given on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import standing
from roadworthy.record import Record

SPEED = Record(
    model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=222.0, source="measured", runtime="ascend",
    clock="device", when="2026-01-02T00:00:00+00:00",
)  # fmt: skip
LOST = {"value": None, "outcome": "crash", "detail": "aicore died"}
UNSTABLE = {"value": None, "outcome": "unstable", "detail": "never steady"}
NEWER, OLDER = "2026-01-03T00:00:00+00:00", "2026-01-01T00:00:00+00:00"


def of_cell(found: list[Record], batch: int = 1) -> list[tuple[float | None, str, str]]:
    """Value, outcome and source of the chip's throughput at a batch size."""
    own = [r for r in found if (r.soc, r.metric, r.batch) == ("Ascend310P3", "throughput", batch)]
    return [(r.value, r.outcome, r.source) for r in own]


def test_the_newest_figure_of_a_cell_stands_in_whatever_order_records_come(tiny_card):
    """What was measured before what is published, a later loss before an older figure."""
    older, lost = replace(SPEED, value=200.0, when=OLDER), replace(SPEED, when=NEWER, **LOST)

    assert [(110.0, "ok", "published")] == of_cell(standing.figures(tiny_card, []))
    assert [(222.0, "ok", "measured")] == of_cell(standing.figures(tiny_card, [SPEED, older]))
    assert [(None, "crash", "measured")] == of_cell(standing.figures(tiny_card, [lost, SPEED]))


@pytest.mark.parametrize(
    ("when", "stands"), [(NEWER, (110.0, "ok", "published")), (OLDER, (None, "crash", "measured"))]
)
def test_an_unstable_run_is_no_figure_and_takes_an_older_loss_away(tiny_card, when, stands):
    """The chip ran again, so that it is no longer lost; a loss that came later is."""
    rows = [replace(SPEED, **LOST), replace(SPEED, when=when, **UNSTABLE)]

    assert [stands] == of_cell(standing.figures(tiny_card, rows))


def test_a_figure_that_is_older_than_an_unstable_run_stands(tiny_card):
    """How fast it was then is known; how fast it is now, nobody knows."""
    rows = [SPEED, replace(SPEED, when=NEWER, **UNSTABLE)]

    assert [(222.0, "ok", "measured")] == of_cell(standing.figures(tiny_card, rows))


def test_verdicts_of_a_chip_that_ran_are_given_on_what_it_ran(tiny_card):
    """No batch of its guide is left, also where it never ran steadily; chips that it is compared with keep theirs."""
    ran, unsteady = (standing.counted(tiny_card, [row]) for row in (SPEED, replace(SPEED, **UNSTABLE)))
    guides = [r.value for r in standing.counted(tiny_card, []) if (r.soc, r.metric) == ("Ascend310", "throughput")]

    assert [(222.0, "ok", "measured")] == of_cell(ran)
    assert [(None, "unstable", "measured")] == of_cell(unsteady)
    assert [] == of_cell(ran, 4) == of_cell(unsteady, 4)
    assert guides == [r.value for r in ran if (r.soc, r.metric) == ("Ascend310", "throughput")] != []


def test_another_models_records_are_not_this_models(tiny_card):
    """Every card has its own."""
    assert standing.figures(tiny_card, []) == standing.figures(tiny_card, [replace(SPEED, model="other")])
