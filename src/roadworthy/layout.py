"""How a guide lays out a table of results: which rows, which columns, in whose words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from roadworthy.words import Language

Show = Literal[
    "batch",  # the row's batch size
    "chip",  # the row's chip, in the words of `chips`
    "run",  # the row's training run
    "devices",  # of the training run
    "throughput",  # images/s of the chip `of`, else of the row's chip
    "miou",  # percent, of the chip `of`, else of the row's chip
    "miou.fraction",
    "ratio",  # of throughput, `of` is "chip / chip"
    "target",  # the card's mIoU, percent
    "text",  # `of` itself
    "setting",  # the training run's setting `of`
    "train.miou",
    "train.best_miou",
    "train.throughput",
]

OF_A_CHIP = ("throughput", "miou", "miou.fraction")
OF_A_RUN = ("run", "devices", "setting", "train.miou", "train.best_miou", "train.throughput")
EXAMPLES = {
    "batch": 1,
    "devices": 1,
    "chip": "",
    "run": "",
    "text": "",
}  # of what a column formats, where it is no fraction


@dataclass(frozen=True)
class Column:
    """One column: its head in the guide's words, what it shows, as a Python format, and words for what has no value."""

    head: str
    show: Show
    of: str = ""
    as_: str = "{}"
    oom: str = ""
    blank: str = ""

    def __post_init__(self) -> None:
        if self.show == "ratio" and len(self.chips) != 2:
            raise ValueError(f'of is {self.of!r}; a ratio is of "chip / chip"')
        if self.show in OF_A_CHIP and len(self.chips) > 1:
            raise ValueError(f"of is {self.of!r}; {self.show} is of one chip")
        if self.show == "setting" and not self.of:
            raise ValueError('of is missing; it names the setting, such as "lr"')
        try:
            self.as_.format(EXAMPLES.get(self.show, 1.0))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"as is {self.as_!r}; it must be a Python format of one value ({error})") from None

    @property
    def chips(self) -> list[str]:
        """The chips that `of` names."""
        words = [word.strip() for word in self.of.split("/")]
        return [w for w in words if w] if self.show in (*OF_A_CHIP, "ratio") else []


@dataclass(frozen=True)
class Layout:
    """A table of the guide. `rows` are its batch sizes, its chips, every batch size of every chip, or training runs.

    `best` names a last row with each chip's best batch; `bold` marks the best batch of every chip in the rows above.
    """

    name: str
    rows: Literal["batches", "chips", "cells", "runs"]
    columns: tuple[Column, ...]
    chips: Mapping[str, str] = field(default_factory=dict)  # the rows' chips in the guide's words
    batches: tuple[int, ...] = ()  # of the rows; default: all that there are figures of
    group: str = ""  # of training runs
    best: str = ""
    bold: bool = False

    def __post_init__(self) -> None:
        if not self.name or any(letter.isspace() for letter in self.name):
            raise ValueError(f"name is {self.name!r}; it must be one word, for a page's marker")
        if self.name in get_args(Language):
            raise ValueError(f"name is {self.name!r}; the model's results in that language are called so")
        if self.rows in ("chips", "cells") and not self.chips:
            raise ValueError(f'chips is missing; the rows "{self.rows}" are of the chips that it names')
        if self.rows == "runs" and not self.group:
            raise ValueError('group is missing; the rows "runs" are the training runs of one group')
        if self.best and self.rows != "batches":
            raise ValueError(f'best is {self.best!r}; the rows "{self.rows}" have no last row of best batches')
        if not self.columns:
            raise ValueError("columns is empty; a table shows something")
        for i, column in enumerate(self.columns):
            if wrong := self._misplaced(column):
                raise ValueError(f"columns[{i}].show is {column.show!r}; {wrong}")

    def _misplaced(self, column: Column) -> str:
        """Why rows of this kind cannot show a column; empty where they can."""
        if (self.rows == "runs") != (column.show in OF_A_RUN) and column.show not in ("text", "target"):
            return f'the rows "{self.rows}" are {"" if self.rows == "runs" else "no "}training runs'
        if self.rows == "batches" and column.show == "chip":
            return 'the rows "batches" are of no chip'
        if self.rows == "batches" and column.show in OF_A_CHIP and not column.of:
            return 'the rows "batches" are of no chip, and its "of" names none'
        return ""
