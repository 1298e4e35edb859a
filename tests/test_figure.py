"""Figures: what stands on a page, exactly, and values rounded to stand there."""

from __future__ import annotations

from fractions import Fraction

import pytest

from roadworthy.figure import Figure, down, even, printable, up


def test_a_figure_is_its_digits():
    """Noughts at the end count; commas of thousands and the sign of percent do not."""
    assert (4, Fraction(379966, 1000)) == (Figure("379.9660").decimals, Figure("379.9660").value)
    assert (1, Fraction(12345, 10)) == (Figure("1,234.5").decimals, Figure("1,234.5").value)
    assert (0, 120) == (Figure("120%").decimals, Figure("120%").value)


@pytest.mark.parametrize(
    ("value", "decimals", "texts"),
    [
        ("1.125", 2, ("1.12", "1.13", "1.12")),
        ("1.135", 2, ("1.13", "1.14", "1.14")),
        ("0.0499", 1, ("0.0", "0.0", "0.0")),
        ("2.5", 0, ("2", "3", "2")),
        ("1.9999", 3, ("1.999", "2.000", "2.000")),
    ],
)
def test_values_are_cut_and_rounded_exactly(value, decimals, texts):
    """Cut off, halves up, halves to even; no binary fraction on the way."""
    assert texts == tuple(printable(way(Fraction(value), decimals), decimals) for way in (down, up, even))


@pytest.mark.parametrize(
    ("other", "mistyped"),
    [
        ("381.9545", True),  # one digit
        ("381.9594", True),  # two neighbours
        ("281.9549", True),
        ("381.9549", False),
        ("381.9994", False),
        ("381.954", False),
        ("38.19549", False),
    ],
)
def test_one_digit_or_two_neighbours_are_a_misprint(other, mistyped):
    """Of figures that have the same digits before and behind the point."""
    assert mistyped == Figure("381.9549").mistyped(Figure(other))
