"""A printed cell, and the value that it must show."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from roadworthy.figure import Figure, down, even, printable, up


@dataclass(frozen=True)
class Claim:
    """A cell whose value follows from others: where it stands and what there, its value exactly, and why that.

    `digits` are the decimals that a repeated figure has at its source; `others` are values that a cell may show by mistake, in
    words; `span` is what a ratio may be of figures that were rounded to print them; `padded` are the decimals of a cell that
    had more of them, all noughts.
    """

    line: int
    index: int
    column: str
    row: str
    figure: Figure
    value: Fraction
    because: str
    digits: int | None = None
    others: dict[str, Fraction] = field(default_factory=dict)
    span: tuple[Fraction, Fraction] | None = None
    padded: int | None = None

    @property
    def decimals(self) -> int:
        """How many decimals are judged."""
        return self.figure.decimals if self.padded is None else self.padded

    @property
    def follows(self) -> bool:
        """Whether the cell is the value rounded half up or half to even, or the value's source is the cell rounded so."""
        shown, digits = self.figure.value, self.decimals
        if self.digits is not None and self.digits < digits:
            return self.value in {up(shown, self.digits), even(shown, self.digits)}
        return shown in {up(self.value, digits), even(self.value, digits)}

    @property
    def cut(self) -> bool:
        """Whether it is the value with digits cut off, where rounding gives another."""
        return not self.follows and self.figure.value == down(self.value, self.decimals)

    @property
    def wanted(self) -> str:
        """What should stand there."""
        digits = self.decimals if self.digits is None else min(self.digits, self.decimals)
        return printable(up(self.value, digits), digits) + "%" * self.figure.text.endswith("%")

    @property
    def cause(self) -> str:
        """How the cell may have come about; empty where nothing is known."""
        if self.cut:
            at = "" if self.padded is None else f" at {self.padded} decimals, as in the rest of the column"
            return f"cut off, not rounded{at}"
        shown, digits = self.figure.value, self.decimals
        if shown == down(self.value, digits) + Fraction(1, 10**digits):
            return "rounded up"
        if found := [words for words, value in self.others.items() if shown == up(value, digits)]:
            return found[0]
        if self.span and up(self.span[0], digits) <= shown <= up(self.span[1], digits):
            return "it may come of figures with more digits than stand here"
        return "mistyped" if self.mistyped else ""

    @property
    def mistyped(self) -> bool:
        """Whether one digit of the cell is another, or two neighbours have changed places."""
        return self.figure.mistyped(Figure(self.wanted))
