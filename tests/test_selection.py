"""Options to cases."""

from __future__ import annotations

import pytest

from roadworthy import card as cards
from roadworthy.problem import Problem
from roadworthy.selection import Selection


def ids(selection: Selection) -> list[str]:
    """The ids of the cases."""
    return [case.id for case in selection.cases]


def test_the_cpu_runs_batches_up_to_eight_unless_more_are_asked_for(tiny_models):
    """A laptop is not asked for batch 16 by a card; --batch may."""
    assert ["tiny-bs1-cpu", "tiny-bs4-cpu"] == ids(Selection.of([tiny_models], [], []))
    assert ["tiny-bs16-cpu"] == ids(Selection.of([tiny_models], ["cpu"], [16, 16]))


def test_a_chip_runs_all_batches_of_the_card(tiny_models):
    """The guide's batch sizes, in its order."""
    selection = Selection.of([tiny_models], ["Ascend310P3"], [])

    assert ["tiny-bs1-Ascend310P3", "tiny-bs4-Ascend310P3", "tiny-bs16-Ascend310P3"] == ids(selection)
    assert ["tiny-bs4-Ascend310P3", "tiny-bs16-Ascend310P3"] == [case.id for case in selection.batched()]
    assert ["tiny-bs1-Ascend310P3"] == [case.id for case in selection.per_chip()]


def test_published_cells_are_those_of_the_guide(tiny_models):
    """Chips and batch sizes of the guide's table, narrowed by --soc and --batch."""
    assert 4 == len(Selection.of([tiny_models], [], [], published=True).cases)
    assert ["tiny-bs4-Ascend310"] == ids(Selection.of([tiny_models], ["Ascend310"], [4], published=True))


def test_a_chip_without_a_name_is_no_cell(tiny_models):
    """HRNet's GPU and ICNet's NPU are references; nobody can ask for them."""
    with pytest.raises(Problem, match="--soc GPU: is how guides speak of a chip"):
        Selection.of([tiny_models], ["GPU"], [])
    published = Selection.of([cards.builtin_models()], [], [], published=True)

    assert {"T4", "Ascend310", "Ascend310P3", "Ascend310P3+aoe"} == {case.soc.name for case in published.cases}
    assert 1 == ids(published).count("hrnet-bs1-Ascend310P3")


def test_ratios_are_of_delivered_chips(tiny_models):
    """One for each chip to compare with, with what is required."""
    selection = Selection.of([tiny_models], [], [], published=True, profile="modelzoo-310p")

    assert [("Ascend310P3", "T4", 1.6), ("Ascend310P3", "Ascend310", 1.2)] == [
        (case.soc.name, other, required) for case, other, required in selection.ratios()
    ]
    assert [] == Selection.of([tiny_models], ["cpu"], []).ratios()


def test_a_batch_size_below_one_is_refused(tiny_models):
    """Zero frames are no batch."""
    with pytest.raises(Problem, match="--batch 0: a batch size is 1 or more"):
        Selection.of([tiny_models], [], [0])
