"""Chips: exact names, near misses refused with the right spelling."""

from __future__ import annotations

import pytest

from roadworthy import soc
from roadworthy.problem import Problem


def test_a_tuned_variant_is_compiled_for_its_base():
    """`Ascend310P3+aoe` is the same silicon as `Ascend310P3`."""
    assert "Ascend310P3" == soc.find("Ascend310P3+aoe").atc_name
    assert "Ascend310" == soc.find("Ascend310").atc_name
    assert 4 == soc.find("Ascend310").dies


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("310P3", "did you mean Ascend310P3?"),
        ("ascend310p3", "did you mean Ascend310P3?"),
        ("310", "did you mean Ascend310?"),
        ("Ascend310P", "did you mean Ascend310P3?"),
        ("310P3+aoe", r"did you mean Ascend310P3\+aoe?"),
        ("t4", "did you mean T4?"),
        ("A310", "did you mean Ascend310?"),
        ("100", "did you mean A100 or V100 or H100?"),
        ("abacus", "known chips: cpu, T4, .*, Ascend310, Ascend310P3"),
    ],
)
def test_a_half_right_name_is_refused_with_the_right_one(name, hint):
    """ATC wants exact names, and so do records."""
    with pytest.raises(Problem, match=hint.replace("?", r"\?") if "did" in hint else hint):
        soc.find(name)
