"""Claims: whether a cell shows its value, what should stand there, and how it may have come about."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from roadworthy.claim import Claim
from roadworthy.figure import Figure


def claim(shown: str, value: str, **more: Any) -> Claim:
    """A cell that shows one thing and must show another."""
    return Claim(3, 1, "310P", "8", Figure(shown, "%" in shown), Fraction(value), "so it is", **more)


@pytest.mark.parametrize("shown", ["1.12", "1.13", "1.1", "1.125", "1.1250", "1"])
def test_any_number_of_decimals_may_stand_there(shown):
    """Rounded half up or half to even at as many as there are."""
    assert claim(shown, "1.125").follows


@pytest.mark.parametrize(
    ("shown", "value", "wanted", "cause"),
    [
        ("0.920", "0.9208", "0.921", "cut off, not rounded"),
        ("1.61", "1.604", "1.60", "rounded up"),
        ("381.9545", "381.9549", "381.9549", "mistyped"),
        ("1.75", "1.62", "1.62", "that is the figure of 4"),
        ("1.64", "1.615", "1.62", "it may come of figures with more digits than stand here"),
        ("2.91", "1.615", "1.62", ""),
        ("119.0%", "119.06", "119.1%", "cut off, not rounded"),
    ],
)
def test_a_cell_that_does_not_follow_says_how_it_may_have_come_about(shown, value, wanted, cause):
    """The most certain cause alone; what should stand there has as many decimals."""
    others, span = {"that is the figure of 4": Fraction("1.75")}, (Fraction("1.58"), Fraction("1.645"))
    wrong = claim(shown, value, others=others, span=span)

    assert (False, wanted, cause) == (wrong.follows, wrong.wanted, wrong.cause)


@pytest.mark.parametrize(("shown", "follows"), [("381.95", True), ("381.94", False), ("382", True), ("381.953", True)])
def test_a_copy_may_have_fewer_digits_or_more_than_its_source(shown, follows):
    """One is the other rounded."""
    assert follows == claim(shown, "381.95", digits=2).follows


def test_a_cell_that_lost_its_noughts_is_judged_at_the_decimals_that_it_had():
    """1.6 is 1.606 at one decimal, and 1.60, which is cut off, at two."""
    lost = claim("1.6", "1.606", padded=2)

    assert claim("1.6", "1.606").follows
    assert not lost.follows
    assert ("1.61", "cut off, not rounded at 2 decimals, as in the rest of the column") == (lost.wanted, lost.cause)
