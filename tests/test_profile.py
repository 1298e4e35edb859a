"""Profiles: ratios that a delivery rule requires beside those of the card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import profile
from roadworthy.problem import Problem
from roadworthy.soc import find

ZOO = profile.find("modelzoo-310p")


def test_the_zoos_rule():
    """1.2 x Ascend310 and 1.6 x T4, for the 310P3."""
    assert ("Ascend310P3", {"Ascend310": 1.2, "T4": 1.6}) == (ZOO.judge, ZOO.vs)


def test_an_unknown_profile_lists_the_known_ones():
    """No silent default."""
    with pytest.raises(Problem, match="--profile zoo: there is no such profile; known: modelzoo-310p"):
        profile.find("zoo")


@pytest.mark.parametrize("soc", ["Ascend310P3", "Ascend310P3+aoe"])
def test_the_t4_is_told_and_judged_only_where_asked(tiny_card, soc):
    """Of the chip that is delivered, tuned or not."""
    assert {"T4": None, "Ascend310": 1.2} == profile.ratios(tiny_card, find(soc), None)
    assert {"T4": 1.6, "Ascend310": 1.2} == profile.ratios(tiny_card, find(soc), ZOO)


def test_the_higher_demand_holds(tiny_card):
    """Of card and profile."""
    harder = replace(tiny_card, target=replace(tiny_card.target, vs={"Ascend310": 1.5, "T4": 1.1}))

    assert {"Ascend310": 1.5, "T4": 1.6} == profile.ratios(harder, find("Ascend310P3"), ZOO)


@pytest.mark.parametrize("soc", ["cpu", "T4", "Ascend310"])
def test_other_chips_promise_nothing(tiny_card, soc):
    """No ratio is asked of a chip that the card does not deliver."""
    assert {} == profile.ratios(tiny_card, find(soc), ZOO)
