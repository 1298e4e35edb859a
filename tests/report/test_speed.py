"""Throughput: the newest figures of all chips, their ratios with footnotes, marks on what is not of the promise."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from roadworthy import judged, profile
from roadworthy.report import charts, speed


def rows(table) -> list[list[str]]:
    """The texts of a table."""
    return [[cell.text for cell in row] for row in table.rows]


def parts(card, records, rule=None):
    """Figures, and the verdicts on ratios."""
    found = judged.verdicts(card, records, rule)
    return speed.known(card, records), [one for one in found if "-vs-" in one.cell]


def test_measured_figures_stand_beside_published_ones(tiny_card, chip):
    """With where each comes from; the best batch of a chip is marked, out of memory is said in words."""
    own = replace(chip, model="tiny", batch=4, value=222.0)
    figures, _ = parts(tiny_card, [own])

    assert [
        ["Ascend310", "1", "100.00", "★", "", "published"],
        ["Ascend310", "4", "out of memory", "", "", "published"],
        ["Ascend310P3", "1", "110.00", "", "89.50", "published"],
        ["Ascend310P3", "4", "222.00", "★", "89.50",
         "measured 2026-10-01 08:00, driver 24.1.rc3, firmware 7.5.0.1.129, CANN 8.0.RC3; published"],
    ] == rows(speed.figures_table(tiny_card, figures))  # fmt: skip


def test_latency_and_temperature_are_shown_where_they_were_measured(tiny_card, chip):
    """And not beside a batch that no longer runs."""
    own = replace(chip, model="tiny")
    heat = replace(own, metric="temperature.max", value=61.0)
    lost = replace(own, value=None, outcome="oom", when="2026-11-01")
    ran, _ = parts(tiny_card, [own, heat])
    gone, _ = parts(tiny_card, [own, heat, lost])

    assert "61.00" == rows(speed.figures_table(tiny_card, ran))[2][5]
    assert "" == rows(speed.figures_table(tiny_card, gone))[2][5]


def test_latency_is_of_the_run_that_the_throughput_is_of(tiny_card, chip):
    """Not of an older run, and not of weights that nobody trained beside a guide's figure."""
    own = replace(chip, model="tiny")
    slow = replace(own, metric="latency.median", value=99.0)
    bare = {"source": "sample", "weights": "untrained-tiny@0"}
    faster = replace(own, when="2026-11-01")
    late = replace(slow, when="2026-10-01T08:00:01+00:00", samples="samples/a.npz")
    tables = [
        rows(speed.figures_table(tiny_card, parts(tiny_card, records)[0]))
        for records in (
            [replace(own, **bare), replace(slow, **bare)],
            [own, slow, faster],
            [own, slow],
            [replace(own, samples="samples/a.npz"), late],
        )
    ]

    assert ["", "", "99.00", "99.00"] == [table[2][5] for table in tables]


def test_what_did_not_run_is_copied_as_the_word_that_is_shown(tiny_card, chip):
    """It is no throughput of 0; one of 0 is a figure."""
    nothing = replace(chip, model="tiny", soc="T4", value=0.0)
    table = speed.figures_table(tiny_card, parts(tiny_card, [nothing])[0])

    assert ("out of memory", None) == (table.rows[2][2].text, table.rows[2][2].value)
    assert ("0.00", 0.0) == (table.rows[0][2].text, table.rows[0][2].value)


def test_published_figures_are_a_line_of_their_own_where_a_chip_was_measured(tiny_card, chip):
    """And the best batch is of the measured ones, in table, chart and ratio."""
    figures, asked = parts(tiny_card, [replace(chip, model="tiny", batch=4, value=90.0)])
    drawn, table = (
        speed.chart(tiny_card, figures, asked, speed.places(figures)),
        rows(speed.figures_table(tiny_card, figures)),
    )

    assert "Ascend310P3: best 90.00 at batch 4" in drawn.svg
    assert "Ascend310P3, published: best 110.00 at batch 1" in drawn.svg
    assert ["", "★"] == [row[3] for row in table if row[0] == "Ascend310P3"]
    assert ["4", "90.00"] == rows(speed.ratios(tiny_card, figures, asked))[1][1:3]


def test_the_star_of_a_chip_to_compare_with_is_at_the_batch_that_the_ratio_takes(tiny_card, chip):
    """It keeps its guide's best batch where a slower one was measured."""
    figures, asked = parts(tiny_card, [replace(chip, model="tiny", soc="Ascend310", batch=2, value=50.0)])

    assert [["1", "★"], ["2", ""], ["4", ""]] == [
        row[1:4:2] for row in rows(speed.figures_table(tiny_card, figures)) if row[0] == "Ascend310"
    ]
    assert {("1", "100.00")} == {
        tuple(row[4:6]) for row in rows(speed.ratios(tiny_card, figures, asked)) if row[3] == "Ascend310"
    }


def test_a_chip_looks_alike_in_every_chart_of_a_page(models, chip, monkeypatch):
    """Whichever other chips are beside it; its guide's line beside what was measured has its colour in another dash."""
    monkeypatch.setattr(charts, "throughput", lambda _, __, lines, ___: lines)
    measured = replace(chip, value=300.0, batch=1)
    figures = {key: parts(models[key], [measured])[0] for key in ("erfnet", "hrnet", "icnet")}
    places = speed.places(r for own in figures.values() for r in own)
    looks = {
        key: {line.label: line.number for line in speed.chart(models[key], own, [], places)}
        for key, own in figures.items()
    }

    assert 5 == len(places)
    assert {0} == {
        look - places.index(label) for own in looks.values() for label, look in own.items() if label in places
    }
    assert charts.WAYS == looks["erfnet"][f"{chip.soc}, published"] - looks["erfnet"][chip.soc]


def test_a_batch_that_broke_has_its_mark_in_the_chart(tiny_card, chip):
    """As one out of memory has: a line that only ends would hide it."""
    broken = replace(chip, model="tiny", batch=4, value=None, outcome="crash", detail="aicore died")
    figures, asked = parts(tiny_card, [broken])

    assert "Ascend310P3 crash at 4" in speed.chart(tiny_card, figures, asked, speed.places(figures)).svg


def test_of_equal_batches_the_smallest_is_the_best(tiny_card, chip):
    """In table and ratio, whichever was measured first."""
    later = [replace(chip, model="tiny", batch=b, when=f"2026-10-{20 - b:02}") for b in (8, 16)]
    figures, asked = parts(tiny_card, later)

    assert ["8"] == [
        row[1] for row in rows(speed.figures_table(tiny_card, figures)) if row[0::3][:2] == ["Ascend310P3", "★"]
    ]
    assert "8" == rows(speed.ratios(tiny_card, figures, asked))[1][1]
    assert "at batch 8 over" in asked[1].verdict.because


def test_ratios_are_of_best_batches(tiny_card, chip):
    """Unlike runtimes or clocks get a footnote, a card of several dies a note."""
    figures, asked = parts(tiny_card, [replace(chip, model="tiny", batch=4, value=222.0, clock="wall")])
    table = speed.ratios(tiny_card, figures, asked)
    told = (
        "Ascend310 was timed by the device clock, the chip divided by it by the wall clock: this ratio compares unlike"
    )

    assert ["Ascend310P3", "4", "222.00", "Ascend310", "1", "100.00", "2.220²", "≥ 1.2", "✓ passed"] == rows(table)[1]
    assert (
        "¹ Ascend310P3 against T4: there is no throughput of T4 to compare with.",
        f"² Ascend310P3 against Ascend310: {told}.",
        "Ascend310: the unit is the card of 4 dies.",
    ) == table.notes


def test_a_ratio_below_the_required_one_is_not_rounded_to_it(tiny_card, chip):
    """Its verdict stands beside it."""
    figures, asked = parts(tiny_card, [replace(chip, model="tiny", batch=4, value=119.9996)])

    assert [["1.199996", "≥ 1.2", "✕ failed"]] == [row[6:] for row in rows(speed.ratios(tiny_card, figures, asked))[1:]]


def test_footnotes_stand_before_notes_on_units(models):
    """In the order of their numbers, with nothing between."""
    table = speed.ratios(models["erfnet"], *parts(models["erfnet"], [], profile.find("modelzoo-310p")))

    assert ["¹", "²", "A"] == [note[0] for note in table.notes]


def test_a_ratio_that_is_not_required_is_told_only(models):
    """With the profile it is judged."""
    told = speed.ratios(models["erfnet"], *parts(models["erfnet"], []))
    asked = speed.ratios(models["erfnet"], *parts(models["erfnet"], [], profile.find("modelzoo-310p")))
    tuned = [row for row in (rows(told) + rows(asked)) if row[0] == "Ascend310P3+aoe" and row[3] == "T4"]

    assert ["told only", "? unjudged"] == tuned[0][-2:]
    assert ["≥ 1.6", "✕ failed"] == tuned[1][-2:]
    assert "1.526" == tuned[0][6][:5]


def test_the_chart_has_the_line_of_the_required_ratio(models):
    """1.2 times the best batch of the other chip."""
    figures, asked = parts(models["erfnet"], [])
    chart = speed.chart(models["erfnet"], figures, asked, speed.places(figures))

    assert f"required: 1.2 x Ascend310 = {1.2 * 220.2016:.2f}" in chart.svg
    assert "Ascend310 out of memory at 64" in chart.svg


def test_weights_that_nobody_trained_are_marked(tiny_card, chip):
    """In chart and table; they fill no cell that has another figure."""
    bare = replace(chip, model="tiny", soc="T4", source="sample", weights="untrained-tiny@0")
    figures, asked = parts(tiny_card, [bare, replace(bare, soc="Ascend310P3", value=999.0)])
    table = rows(speed.figures_table(tiny_card, figures))

    assert "T4, untrained weights: best 300.00" in speed.chart(tiny_card, figures, asked, speed.places(figures)).svg
    assert table[0][-1].endswith("untrained weights")
    assert ["110.00"] == [row[2] for row in table if row[:2] == ["Ascend310P3", "1"]]


def test_many_batch_sizes_take_no_longer_each(tiny_card, chip):
    """Twenty thousand cells are a table of a second, not of minutes."""
    records = [replace(chip, model="tiny", batch=batch) for batch in range(1, 20_001)]
    figures, _ = parts(tiny_card, records)
    began = time.process_time()
    table = speed.figures_table(tiny_card, figures)

    assert 20_002 == len(table.rows)
    assert 10 > time.process_time() - began


def test_a_model_without_a_figure_has_no_chart(chips_of_nothing):
    """And an empty table."""
    figures, asked = parts(chips_of_nothing, [])

    assert speed.chart(chips_of_nothing, figures, asked, []) is None
    assert () == speed.figures_table(chips_of_nothing, figures).rows


@pytest.fixture
def chips_of_nothing(tiny_card):
    """A card that publishes nothing."""
    return replace(tiny_card, published_=type(tiny_card.published_)())
