"""One chip or a tuned variant of one, from `socs.toml`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from roadworthy.problem import Problem
from roadworthy.schema import load_toml, read_table

TABLE = Path(__file__).with_name("socs.toml")


@dataclass(frozen=True)
class Soc:
    """A chip: its exact name (as ATC spells it), the runtime it runs by default, dies on a card.

    `unnamed`: what guides call a chip without saying which one; its figures are shown and never judged.
    """

    name: str
    runtime: str
    base: str | None = None
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
    folded = {known.lower(): known for known in socs()}
    near = [known for low, known in folded.items() if low.removeprefix("ascend") == name.lower().removeprefix("ascend")]
    near = near or [folded[low] for low in difflib.get_close_matches(name.lower(), folded, n=1)]
    hint = (
        f"did you mean {near[0]}?" if near else f"known chips: {', '.join(n for n in socs() if not socs()[n].unnamed)}"
    )
    return f"{name}: there is no chip of this name; {hint}"
