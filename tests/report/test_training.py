"""Training runs as a table: the guide's and the newest measured ones."""

from __future__ import annotations

from dataclasses import replace

from roadworthy import judged
from roadworthy.record import Record
from roadworthy.report import training

RUN = Record(
    model="icnet", soc="H100", batch=16, metric="train.miou", value=0.69, source="measured", data="val-0/500",
    frames=500, run="H100-8p", devices=8, when="2026-01-02", settings={"group": "result"},
)  # fmt: skip


def rows(card, records) -> dict[str, list[str]]:
    """The texts by run."""
    table = training.table(card, records, judged.verdicts(card, records))
    return {row[0].text: [cell.text for cell in row] for row in table.rows}


def test_the_guides_runs_are_there(models):
    """More than linear is flagged by a sign."""
    found = rows(models["icnet"], [])

    assert ["NPU-8p", "NPU", "8", "68.10", "", "83", "✕ 1.116", "result", "published", ""] == found["NPU-8p"]
    assert ["NPU-8p lr 0.12 scale 32 O1", "NPU", "8", "67.00", "67.50"] == found["NPU-8p lr 0.12 scale 32 O1"][:5]


def test_the_newest_run_of_a_name_is_shown_whole(models):
    """None of its figures is of an older one; a measured run comes first."""
    older = [
        replace(RUN, metric=m, value=v, when="2025-01-01")
        for m, v in (("train.miou", 0.5), ("train.throughput", 400.0))
    ]
    found = rows(models["icnet"], [*older, RUN])

    assert "H100-8p" == next(iter(found))
    assert ["69.00", "", "", ""] == found["H100-8p"][3:7]


def test_a_run_that_was_lost_says_why(models):
    """In the words of its record."""
    lost = replace(RUN, metric="train.throughput", value=None, outcome="oom", detail="64 <crops> do not fit")

    assert "64 <crops> do not fit" == rows(models["icnet"], [lost])["H100-8p"][-1]


def test_a_model_that_is_not_trained_has_no_table(models):
    """No heading without runs."""
    assert training.table(models["hrnet"], [], []) is None
