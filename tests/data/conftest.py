"""What the tests of decoding and pre-processing share: the ERFNet card."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy import card


@pytest.fixture(scope="session")
def erfnet() -> card.ModelCard:
    """The card that comes with the project."""
    return card.load(Path(__file__).parents[2] / "models" / "erfnet" / "card.toml")
