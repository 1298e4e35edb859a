"""Curves as a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from roadworthy.problem import Problem
from roadworthy.train import curves
from roadworthy.train.checkpoint import History

HISTORY = History([3.0, 2.0, 2.5, 1.5], [0.1, 0.1, 0.05, 0.0], [], [[1, 2, 0.0], [2, 4, 0.5]])


def colours(path) -> set[tuple[int, ...]]:
    """Every colour of a picture."""
    pixels = np.asarray(Image.open(path).convert("RGBA")).view(np.uint32)
    return {tuple(color.tobytes()[:3]) for color in np.unique(pixels)}


BLUE, ORANGE, GREEN, RED = (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)


def test_a_picture_shows_loss_rate_and_miou(tmp_path):
    """Lines in colours of their own, and the best epoch in another; nothing half-made is left beside it."""
    curves.draw(HISTORY, "Tiny", tmp_path / "curves.png")

    assert colours(tmp_path / "curves.png") >= {BLUE, ORANGE, GREEN, RED}
    assert ["curves.png"] == [path.name for path in tmp_path.iterdir()]


def test_a_run_without_validation_has_a_picture_too(tmp_path):
    """Also one of a single step."""
    curves.draw(History([3.0], [0.1]), "Tiny", tmp_path / "curves.png")

    assert {GREEN, RED} & colours(tmp_path / "curves.png") == set()


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    """One sentence names the file."""
    (tmp_path / "x").write_text("")

    with pytest.raises(Problem, match=r"x/curves\.png: .* could not be written"):
        curves.draw(HISTORY, "Tiny", tmp_path / "x" / "curves.png")


def test_the_line_through_the_losses_begins_at_the_first():
    """An exponential mean without the pull of a zero before it: constant losses give a constant line."""
    assert pytest.approx([2.0] * 5) == curves.smoothed([2.0] * 5)
    assert pytest.approx([1.0, (0.09 + 0.1 * 2) / 0.19]) == curves.smoothed([1.0, 2.0])
    assert [] == curves.smoothed([])
