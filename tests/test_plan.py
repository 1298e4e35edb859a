"""The plan of a dry run."""

from __future__ import annotations

from dataclasses import replace

from roadworthy import plan
from roadworthy.card import Sample
from roadworthy.case import Case
from roadworthy.soc import find


def test_a_plan_runs_nothing_and_names_every_step(tiny_card):
    """Export, surgery, build, run."""
    told = plan.lines(Case(tiny_card, find("cpu"), 4), "DATA", None)

    assert ["roadworthy", "  surgery", "onnxruntime:", "roadworthy"] == [
        line.split(" p")[0].split(" e")[0].split(" no")[0] for line in told
    ]
    assert "--data DATA" in told[-1]


def test_a_plan_says_what_weights_and_size_a_large_network_gets(tiny_card):
    """No --weights that nobody gave; drawn frames small."""
    large = replace(tiny_card, sample=Sample(size=(32, 64), frames=2))
    told = plan.lines(Case(large, find("cpu"), 1), "sample", None)

    assert "  weights untrained, made from the parameters' names; --weights takes tiny.pth" in told
    assert "  drawn frames at 32x64, the first 2" in told
    assert "--weights" not in told[-1]
