"""What a written guide says of a model beyond what the rest of its card tells: `[guide]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENVIRONMENT = ("driver", "firmware", "cann", "python", "torch")  # as records call them


@dataclass(frozen=True)
class Guide:
    """One sentence on the network in each language, its paper, and the versions that the published guide states."""

    en: str = ""
    zh: str = ""
    paper: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := sorted(self.environment.keys() - set(ENVIRONMENT)):
            raise ValueError(f"environment names {wrong[0]!r}; known: {', '.join(ENVIRONMENT)}")
