"""The lines above the tests: what is judged, by what."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadworthy import header
from roadworthy.case import Case, TrainCase
from roadworthy.problem import Problem
from roadworthy.soc import find


def test_a_run_names_its_chip_data_and_weights(tiny_card, tiny_data):
    """Why it is that chip, how many frames, and by what rule."""
    cells = [Case(tiny_card, find("cpu"), batch) for batch in (1, 4)]
    judging, weights = header.running(cells, str(tiny_data), None, "why", ", by the profile x")

    assert f"judging cpu (why) on {tiny_data} (5 frames, drawn by roadworthy), by the profile x" == judging
    assert weights.startswith(f"weights of tiny: {tiny_card.own_weights} (")
    assert [] == header.running([], "nowhere", Path("none.pth"), "", "")
    with pytest.raises(Problem, match=r"none\.pth: there is no such file"):
        header.running(cells, str(tiny_data), Path("none.pth"), "", "")


def test_training_names_its_chips_and_folders(tiny_card):
    """Nothing is said where nothing was trained."""
    cells = [TrainCase(tiny_card, find("H100"), devices) for devices in (1, 8)]

    assert ["judging training on H100 by the records in a, b"] == header.trained(cells, [Path("a"), Path("b")])
    assert [] == header.trained([], [Path("a")])


def test_the_guides_figures_name_every_chip_once(tiny_card):
    """Of inference and of training."""
    cells = [Case(tiny_card, find("T4"), 1), Case(tiny_card, find("T4"), 4), TrainCase(tiny_card, find("GPU"), 8)]

    assert ["judging T4, GPU by the figures that the guides publish"] == header.published(cells, "")
