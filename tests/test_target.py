"""What a card promises: how far below its target a figure may lie, and shares that can be shares."""

from __future__ import annotations

import re

import pytest

from roadworthy import card as cards
from roadworthy.target import Drop, Target, TrainingTarget

ONE_PERCENT = Drop(relative=0.01)


@pytest.mark.parametrize("drop", [{}, {"points": 1.0, "relative": 0.01}])
def test_a_drop_has_one_unit(drop):
    """Neither none nor both."""
    with pytest.raises(ValueError, match='drop must hold one of "points" and "relative"'):
        Drop(**drop)


def test_a_drop_of_nothing_is_a_drop():
    """Zero points leave the target as it is."""
    assert 0.722 == Drop(points=0.0).floor(0.722) == Drop(relative=0.0).floor(0.722)


def test_the_icnet_card_promises_what_the_originals_code_reached():
    """68.4 within one per cent, and 99 % of a GPU's figures on as many devices."""
    target = cards.find([cards.builtin_models()])["icnet"].train.target

    assert (68.4, {"GPU": 0.99}, None) == (target.miou, target.vs, target.scaling)
    assert pytest.approx(0.67716) == target.drop.floor(target.miou / 100)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"vs": {"GPU": 1.2}}, "vs.GPU is 1.2; it must be a share such as 0.99"),
        ({"vs": {"NPU": 0.9, "GPU": 0.0}}, "vs.GPU is 0.0; it must be a share such as 0.99"),
        ({"scaling": 1.5}, "scaling is 1.5; it must be a share of linear such as 0.9"),
        ({"scaling": 0.0}, "scaling is 0.0; it must be a share of linear such as 0.9"),
        ({"miou": 0.684}, "0.684"),
    ],
)
def test_a_promise_that_is_no_share_is_refused(changed, told):
    """The sentence names the key and a value that would be right; a fraction is no mIoU in percent."""
    with pytest.raises(ValueError, match=re.escape(told)):
        TrainingTarget(**{"miou": 68.4, "drop": ONE_PERCENT, **changed})


def test_an_inference_target_is_in_percent_too():
    """A fraction is refused."""
    with pytest.raises(ValueError, match=re.escape("0.722")):
        Target(miou=0.722, drop=ONE_PERCENT, judge="Ascend310P3")
