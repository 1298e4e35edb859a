"""Layouts: a table that could not be filled is refused where it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy.layout import Column, Layout
from roadworthy.problem import Problem

BATCHES = Layout("t", "batches", (Column("b", "batch"),))
CHIPS = Layout("t", "chips", (Column("c", "chip"),), {"T4": "T4"})
RUNS = Layout("t", "runs", (Column("r", "run"),), group="g")


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ({"show": "ratio", "of": "T4"}, "of is 'T4'; a ratio is of \"chip / chip\""),
        ({"show": "ratio", "of": "T4 / GPU / NPU"}, 'a ratio is of "chip / chip"'),
        ({"show": "throughput", "of": "T4 / GPU"}, "of is 'T4 / GPU'; throughput is of one chip"),
        ({"show": "setting"}, 'of is missing; it names the setting, such as "lr"'),
        ({"show": "miou", "as_": "{:d}"}, "as is '{:d}'; it must be a Python format of one value"),
        ({"show": "miou", "as_": "{} {}"}, "must be a Python format of one value"),
        ({"show": "miou", "as_": "{value}"}, "must be a Python format of one value"),
        ({"show": "miou", "as_": "{0.unit}"}, "must be a Python format of one value"),
        ({"show": "miou", "as_": "{0[1]}"}, "must be a Python format of one value"),
        ({"show": "chip", "as_": "{:.2f}"}, "must be a Python format of one value"),
    ],
)
def test_a_column_that_cannot_be_shown_is_refused(column, told):
    """The sentence names the key, what was found and what would be right."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the text is compared below
        Column("head", **column)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("layout", "changes", "told"),
    [
        (BATCHES, {"name": "two words"}, "name is 'two words'; it must be one word"),
        (BATCHES, {"name": ""}, "name is ''; it must be one word"),
        (BATCHES, {"name": "zh"}, "name is 'zh'; the model's results in that language are called so"),
        (BATCHES, {"columns": ()}, "columns is empty"),
        (CHIPS, {"chips": {}}, 'chips is missing; the rows "chips" are of the chips that it names'),
        (CHIPS, {"rows": "cells", "chips": {}}, 'the rows "cells" are of the chips that it names'),
        (RUNS, {"group": ""}, "group is missing"),
        (RUNS, {"best": "best"}, "best is 'best'; the rows \"runs\" have no last row of best batches"),
        (RUNS, {"columns": (Column("r", "run"), Column("b", "batch"))}, "columns[1].show is 'batch'; the rows"),
        (BATCHES, {"columns": (Column("m", "train.miou"),)}, 'the rows "batches" are no training runs'),
        (BATCHES, {"columns": (Column("c", "chip"),)}, 'the rows "batches" are of no chip'),
        (BATCHES, {"columns": (Column("s", "throughput"),)}, 'are of no chip, and its "of" names none'),
    ],
)
def test_a_layout_whose_rows_have_no_such_cells_is_refused(layout, changes, told):
    """The same layout without the change is good."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the text is compared below
        replace(layout, **changes)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("show", "as_"), [("batch", "bs{:d}"), ("text", "{:>9}"), ("run", "{}"), ("target", "{:.1f}%")]
)
def test_a_format_is_tried_on_a_value_of_its_kind(show, as_):
    """Batch sizes are whole numbers, names are texts, figures are numbers with a fraction."""
    assert as_ == Column("head", show, as_=as_).as_


def test_a_card_names_the_table_and_the_key(tmp_path):
    """What is wrong with a layout in a card.toml is told with its file and place."""
    text = (cards.builtin_models() / "deeplabv3" / "card.toml").read_text(encoding="utf-8")
    path = tmp_path / "card.toml"
    path.write_text(text.replace('name    = "throughput"', 'name    = "images a second"'), encoding="utf-8")

    with pytest.raises(Problem, match=r"card\.toml: table\[1\]\.name is 'images a second'"):
        cards.load(path)


def test_a_column_names_the_chips_that_a_card_checks():
    """Of a ratio both, of a figure the one; a text is no chip."""
    assert ["T4", "GPU"] == Column("r", "ratio", "T4 / GPU").chips
    assert ["T4"] == Column("s", "throughput", "T4").chips
    assert [] == Column("t", "text", "T4").chips
