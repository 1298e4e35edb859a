"""A figure against the least that is required of it: judged by what floating point can tell apart, printed so that it shows."""

from __future__ import annotations

import math

ROUNDING = 1e-9  # relative: 128.016 / 106.68 is 1.2, and a hair less in floating point
MOST = 12  # decimals


def reached(figure: float, least: float) -> bool:
    """Whether a figure is at least so much, rounding aside."""
    return figure >= least or math.isclose(figure, least, rel_tol=ROUNDING)


def shown(figure: float, least: float | None, decimals: int) -> str:
    """A figure with so many decimals, or with as many more as show that it is below `least`: 1.1996 is not 1.2."""
    if least is not None and not reached(figure, least):
        while decimals < MOST and reached(float(f"{figure:.{decimals}f}"), least):
            decimals += 1
    return f"{figure:.{decimals}f}"
