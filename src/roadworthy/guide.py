"""What a written guide says of a model beyond what the rest of its card tells: `[guide]`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """One sentence on the network in each language, and the address of its paper."""

    en: str = ""
    zh: str = ""
    paper: str = ""
