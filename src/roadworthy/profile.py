"""A rule of delivery that holds for all models, from `profiles.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.schema import load_toml, read_table
from roadworthy.soc import Soc
from roadworthy.soc import find as chip

TABLE = Path(__file__).with_name("profiles.toml")
SHOWN = ("T4",)  # ratios that are told even where nothing asks for them


@dataclass(frozen=True)
class Profile:
    """Ratios of best-batch throughput that the chip `judge`, tuned or not, must reach."""

    name: str
    judge: str
    vs: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in (self.judge, *self.vs):
            if chip(name).unnamed:
                raise ValueError(f"{name} is a chip without a name; nothing can be required of it")


@cache
def profiles() -> dict[str, Profile]:
    """All known profiles by name."""
    return {name: read_table(Profile, {**row, "name": name}, TABLE, name) for name, row in load_toml(TABLE).items()}


def find(name: str) -> Profile:
    """The profile of this name; raises Problem with the known ones."""
    if name not in profiles():
        raise Problem(f"--profile {name}: there is no such profile; known: {', '.join(profiles())}")
    return profiles()[name]


def ratios(card: ModelCard, soc: Soc, profile: Profile | None) -> dict[str, float | None]:
    """What a chip's best batch is divided by, and the ratio required: by card or profile, whichever asks more.

    None where the ratio is told and not judged. Empty for a chip that the card does not deliver.
    """
    if soc.atc_name != chip(card.target.judge).atc_name:
        return {}
    asked: dict[str, float | None] = {**card.target.vs}
    if profile is not None and soc.atc_name == chip(profile.judge).atc_name:
        asked |= {other: max(ratio, card.target.vs.get(other, 0.0)) for other, ratio in profile.vs.items()}
    return {**dict.fromkeys(SHOWN), **asked}
