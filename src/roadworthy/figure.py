"""A number as it is printed, and exact values rounded to print them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Figure:
    """A number as it is printed, in percent where its cell or its column says so."""

    text: str
    percent: bool = False

    @property
    def digits(self) -> str:
        """The number alone, without the commas of thousands and the sign of percent."""
        return self.text.replace(",", "").removesuffix("%")

    @property
    def decimals(self) -> int:
        """How many digits stand behind the point."""
        return len(self.digits.partition(".")[2])

    @property
    def value(self) -> Fraction:
        """What stands there, exactly."""
        return Fraction(self.digits)

    def mistyped(self, other: Figure) -> bool:
        """Whether the two have as many digits, and differ in one of them or in the order of two neighbours."""
        one, two = self.digits, other.digits
        if len(one) != len(two) or self.decimals != other.decimals:
            return False
        apart = [i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        first, last = (apart[0], apart[-1]) if apart else (0, 0)
        swapped = len(apart) == 2 and last == first + 1 and (one[first], one[last]) == (two[last], two[first])
        return len(apart) == 1 or swapped


def down(value: Fraction, decimals: int) -> Fraction:
    """A value with further digits cut off."""
    return Fraction(value * 10**decimals // 1, 10**decimals)


def up(value: Fraction, decimals: int) -> Fraction:
    """A value rounded, halves up."""
    return down(value + Fraction(1, 2 * 10**decimals), decimals)


def even(value: Fraction, decimals: int) -> Fraction:
    """A value rounded, halves to the even digit."""
    return Fraction(round(value * 10**decimals), 10**decimals)


def printable(value: Fraction, decimals: int) -> str:
    """A value that has no more digits than these, with all of them."""
    whole, rest = divmod(int(value * 10**decimals), 10**decimals)
    return f"{whole}.{rest:0{decimals}}" if decimals else str(whole)
