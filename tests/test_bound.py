"""Bounds: reached exactly is reached, and what is printed never contradicts the outcome."""

from __future__ import annotations

from fractions import Fraction

import pytest

from roadworthy import bound
from roadworthy.target import Drop


def test_an_exact_ratio_reaches_its_bound_whatever_floating_point_makes_of_it():
    """1.2 times every figure of two decimals; 9999 of 10000 of it does not."""
    below = [Fraction(n, 100) for n in range(10_000, 20_000)]
    above = [float(f * Fraction(12, 10)) for f in below]

    assert not all(a / float(b) >= 1.2 for a, b in zip(above, below, strict=True))  # which is why
    assert all(bound.reached(a / float(b), 1.2) for a, b in zip(above, below, strict=True))
    assert not any(bound.reached(0.9999 * a / float(b), 1.2) for a, b in zip(above, below, strict=True))


@pytest.mark.parametrize(
    ("target", "drop", "floor"), [(0.7715, Drop(points=0.2), 0.7695), (0.7223, Drop(relative=0.01), 0.715077)]
)
def test_a_floor_that_is_met_exactly_is_reached(target, drop, floor):
    """Although the difference of two floats may lie above it."""
    assert bound.reached(floor, drop.floor(target))
    assert not bound.reached(floor - 1e-7, drop.floor(target))


@pytest.mark.parametrize(
    ("figure", "least", "decimals", "text"),
    [
        (1.3, 1.2, 3, "1.300"),
        (1.1, 1.2, 3, "1.100"),
        (1.199996, 1.2, 3, "1.199996"),
        (1.1996, 1.2, 3, "1.1996"),
        (1.2, 1.2, 3, "1.200"),
        (128.016 / 106.68, 1.2, 4, "1.2000"),
        (1.199996, None, 3, "1.200"),
        (99.989999, 99.99, 4, "99.989999"),
    ],
)
def test_a_figure_below_its_bound_is_printed_below_it(figure, least, decimals, text):
    """With as many decimals as that needs, and no more."""
    assert text == bound.shown(figure, least, decimals)
