"""Options -> the cases of a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy import card as cards
from roadworthy import profile as profiles
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import Case, expand
from roadworthy.problem import Problem
from roadworthy.profile import Profile


@dataclass(frozen=True)
class Selection:
    """The cells that a session judges; `named` are the chips asked for by name."""

    cases: tuple[Case, ...]
    named: tuple[str, ...]
    profile: Profile | None = None

    @classmethod
    def of(  # noqa: PLR0913  the options of a session
        cls,
        folders: Iterable[Path],
        socs: Sequence[str],
        batches: Sequence[int],
        *,
        published: bool = False,
        profile: str | None = None,
        runtime: str = "",
        default: str = "cpu",
    ) -> Selection:
        """The cells of all cards in `folders` on the named chips (else the default) at the given batch sizes.

        With `published`, the cells of the guides' tables instead, of all named chips unless some are chosen.
        Raises Problem for an unknown chip or profile, a batch size below 1, and a broken card.
        """
        for batch in batches:
            if batch < 1:
                raise Problem(f"--batch {batch}: a batch size is 1 or more")
        named = tuple(dict.fromkeys(chips.find(name).name for name in socs))
        if nameless := [name for name in named if chips.find(name).unnamed]:
            raise Problem(
                f"--soc {nameless[0]}: is how guides speak of a chip whose name they leave out; --soc takes a name, such as T4"
            )
        rule = profiles.find(profile) if profile else None
        found = cards.find(folders)
        if published:
            cells = [
                Case(card, chips.find(soc), batch)
                for card in found.values()
                for soc, batch in _published_cells(card)
                if soc in (named or (soc,)) and batch in (batches or (batch,))
            ]
            return cls(tuple(cells), named, rule)
        chosen = [chips.find(name) for name in named or (default,)]
        return cls(tuple(expand(found.values(), chosen, list(dict.fromkeys(batches)), runtime)), named, rule)

    def batched(self) -> list[Case]:
        """The cases whose class maps are compared with those at batch 1."""
        return [case for case in self.cases if case.batch > 1]

    def per_chip(self) -> list[Case]:
        """One case, that of the smallest batch, for every model and chip."""
        smallest: dict[tuple[str, str], Case] = {}
        for case in sorted(self.cases, key=lambda case: case.batch):
            smallest.setdefault((case.card.key, case.soc.name), case)
        return list(smallest.values())

    def ratios(self) -> list[tuple[Case, str, float | None]]:
        """Every delivered chip with each chip that it is compared with, and the ratio required (None: told only)."""
        return [
            (case, other, required)
            for case in self.per_chip()
            for other, required in profiles.ratios(case.card, case.soc, self.profile).items()
        ]


def _published_cells(card: ModelCard) -> list[tuple[str, int]]:
    """What the guide says of chips that it names."""
    cells = [(r.soc, r.batch) for r in card.published() if r.batch is not None and not chips.find(r.soc).unnamed]
    return list(dict.fromkeys(cells))
