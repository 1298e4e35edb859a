"""One chip or a tuned variant of one, from `socs.toml`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from roadworthy.problem import Problem
from roadworthy.schema import load_toml, read_table

TABLE = Path(__file__).with_name("socs.toml")


@dataclass(frozen=True)
class Soc:
    """A chip: its exact name (as ATC spells it), the runtime it runs by default, dies on a card.

    A variant names the chip that it is as `base`; a `tuned` one is built by AOE. `unnamed`: what guides call a chip without saying which one; its figures are shown and never judged.
    """

    name: str
    runtime: str
    vendor: Literal["host", "huawei", "nvidia", "none"] = "none"
    base: str | None = None
    tuned: bool = False
    dies: int = 1
    batches: int | None = None
    unnamed: bool = False

    @property
    def atc_name(self) -> str:
        """The name that the Ascend compiler knows: a tuned variant is compiled for its base."""
        return self.base or self.name


@cache
def socs() -> dict[str, Soc]:
    """All known chips by name, in the order of the table."""
    return {name: read_table(Soc, {**row, "name": name}, TABLE, name) for name, row in load_toml(TABLE).items()}


def find(name: str) -> Soc:
    """The chip of this exact name; raises Problem with the right spelling for a near miss such as `310P3`."""
    if name not in socs():
        raise Problem(unknown(name))
    return socs()[name]


def unknown(name: str) -> str:
    """What is wrong with a name that no chip has, with the right spelling where it can be guessed."""
    folded, low = {known.lower(): known for known in socs()}, name.lower()
    near = [folded[low]] if low in folded else [folded[k] for k in folded if _number(k) == _number(low) != ""]
    near = near or [folded[k] for k in difflib.get_close_matches(low, folded, n=1)]
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"known chips: {', '.join(n for n in socs() if not socs()[n].unnamed)}"
    )
    return f"{name}: there is no chip of this name; {hint}"


def _number(name: str) -> str:
    """What follows the maker's letters: 310p3 of ascend310p3."""
    return name.lstrip("abcdefghijklmnopqrstuvwxyz")
