"""Verdicts from records alone: those that the acceptance suite gives, of the newest record of every cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import gates, judged, profile, tables
from roadworthy import soc as chips
from roadworthy.judged import Judged
from roadworthy.published import Published
from roadworthy.record import Record
from roadworthy.selection import Selection

MODELS = cards.find([cards.builtin_models()])
SPEED = Record(
    model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=222.0, source="measured", runtime="ascend",
    clock="device", weights="tiny.pth@0", when="2026-01-02",
)  # fmt: skip
MIOU = replace(SPEED, metric="miou", value=0.91, clock=None, data="val-1234abcd/500", frames=500)
DRAWN = replace(
    MIOU, soc="cpu", value=0.7831, source="sample", runtime="onnxruntime", data="tiny-v1/5", frames=5,
    weights="tiny.safetensors@0",
)  # fmt: skip


def outcomes(found: list[Judged]) -> dict[tuple[str, str], str]:
    """Outcome by cell and gate."""
    told = {(one.cell, one.verdict.gate): one.verdict.outcome for one in found}
    assert len(told) == len(found), "a cell was judged twice by one gate"
    return told


def test_a_guide_alone_is_judged_as_by_the_suite():
    """Every test of `pytest acceptance --published` has its verdict here, and no other is given."""
    selection = Selection.of([cards.builtin_models()], [], [], published=True, profile="modelzoo-310p")
    rule = profile.find("modelzoo-310p")
    asked = {(case.id, "accuracy") for case in selection.cases} | {(case.id, "memory") for case in selection.cases}
    asked |= {
        (f"{case.card.key}-{case.soc.name}-vs-{o}", f"throughput against {o}") for case, o, _ in selection.ratios()
    }
    asked |= {(case.id, "training accuracy") for case in selection.training}
    asked |= {(f"{case.id}-vs-{o}", f"training against {o}") for case, o, _ in selection.training_ratios()}
    asked |= {(case.id, "scaling") for case in selection.scaled()}
    given = [one for card in MODELS.values() for one in judged.verdicts(card, [], rule)]

    assert asked == outcomes(given).keys()
    assert {("published",)} == {one.sources for one in given if one.sources}


def test_verdicts_are_those_of_the_gates(tiny_card):
    """With the same texts and figures."""
    found = {(one.cell, one.verdict.gate): one.verdict for one in judged.verdicts(tiny_card, [SPEED, MIOU])}
    known = [
        SPEED,
        *(r for r in tiny_card.published() if (r.soc, r.batch, r.metric) != ("Ascend310P3", 1, "throughput")),
    ]

    assert gates.accuracy(tiny_card, [MIOU]) == found["tiny-bs1-Ascend310P3", "accuracy"]
    assert (
        gates.memory(tiny_card, chips.find("Ascend310"), 4, [r for r in known if (r.soc, r.batch) == ("Ascend310", 4)])
        == (found["tiny-bs4-Ascend310", "memory"])
    )
    assert (
        gates.ratio(tiny_card, chips.find("Ascend310P3"), "Ascend310", 1.2, known)
        == (found["tiny-Ascend310P3-vs-Ascend310", "throughput against Ascend310"])
    )


def test_the_newest_record_of_a_cell_is_judged(tiny_card):
    """In whatever order the files have them; a chip that crashed last is not saved by its guide."""
    better, worse = replace(MIOU, value=0.95, when="2026-01-01"), replace(MIOU, value=0.5, when="2026-01-03")
    crashed = replace(SPEED, value=None, outcome="crash", detail="code 507011", when="2026-01-04")
    told = outcomes(judged.verdicts(tiny_card, [worse, SPEED, better, crashed]))

    assert "failed" == told["tiny-bs1-Ascend310P3", "accuracy"]
    assert "failed" == told["tiny-bs1-Ascend310P3", "regression"]
    assert "failed" == told["tiny-bs1-Ascend310P3", "memory"]


def test_regression_compares_with_the_record_before(tiny_card):
    """Not with itself, a newer one, or another batch of the same run; where there is none, it is unjudged and says so."""
    first, second = replace(MIOU, value=0.93, when="2026-01-01"), replace(MIOU, value=0.91)
    other = replace(first, batch=4, when="2025-12-31")
    alone = next(
        one for one in judged.verdicts(tiny_card, [first, other]) if (one.verdict.gate, one.batch) == ("regression", 1)
    )
    both = next(one for one in judged.verdicts(tiny_card, [second, first]) if one.verdict.gate == "regression")

    assert "unjudged" == alone.verdict.outcome
    assert "no older record of tiny on Ascend310P3 at this batch size" in alone.verdict.because
    assert "failed" == both.verdict.outcome
    assert both.verdict.because.startswith("the older record of 2026-01-01 at batch 1")


def test_what_nobody_compared_is_unjudged(tiny_card):
    """Parity and batch invariance of a chip that ran are asked for, and of one that did not they are not."""
    ran = outcomes(judged.verdicts(tiny_card, [replace(MIOU, batch=4)]))
    compared = replace(MIOU, batch=4, metric="agreement.batch", value=1.0)
    graph = [replace(MIOU, metric=f"agreement.{what}", value=1.0) for what in ("exported", "operated")]
    full = outcomes(judged.verdicts(tiny_card, [replace(MIOU, batch=4), compared, *graph]))

    assert "unjudged" == ran["tiny-bs4-Ascend310P3", "batch invariance"]
    assert "unjudged" == ran["tiny-Ascend310P3", "parity"]
    assert "passed" == full["tiny-bs4-Ascend310P3", "batch invariance"]
    assert "passed" == full["tiny-bs1-Ascend310P3", "parity"]
    assert not [gate for _, gate in outcomes(judged.verdicts(tiny_card, [])) if gate in ("parity", "batch invariance")]


def test_drawn_frames_are_judged_beside_the_promise(tiny_card):
    """By the sample target, marked as what they are; the guide's figures stay judged."""
    found = judged.verdicts(tiny_card, [DRAWN])
    drawn = next(one for one in found if (one.cell, one.verdict.gate) == ("tiny-bs1-cpu", "accuracy"))

    assert ("passed", ("sample",), False) == (drawn.verdict.outcome, drawn.sources, drawn.untrained)
    assert "sample target" in drawn.verdict.because
    assert "passed" == outcomes(found)["tiny-bs1-Ascend310P3", "accuracy"]


def test_the_network_in_torch_does_not_hide_its_graph(tiny_card):
    """On the cpu each runtime is judged by itself, by what was measured with it before."""
    rows = [DRAWN, replace(DRAWN, value=0.2, when="2026-01-01"), replace(DRAWN, runtime="eager", when="2026-02-01")]
    found = [o for o in judged.verdicts(tiny_card, rows) if o.soc == "cpu" and o.verdict.gate == "regression"]

    assert [(("eager",), "unjudged"), (("onnxruntime",), "passed")] == sorted(
        (o.runtimes, o.verdict.outcome) for o in found
    )


def test_batches_that_one_runtime_compared_are_not_compared_by_another(tiny_card):
    """The graph is unjudged beside the network in torch."""
    graph = replace(DRAWN, batch=4)
    torch = replace(graph, runtime="eager")
    found = judged.verdicts(tiny_card, [graph, torch, replace(torch, metric="agreement.batch", value=1.0)])

    assert [("eager", "passed"), ("onnxruntime", "unjudged")] == sorted(
        (*o.runtimes, o.verdict.outcome) for o in found if o.verdict.gate == "batch invariance"
    )


def test_untrained_weights_are_marked(tiny_card):
    """Their accuracy is unjudged."""
    found = judged.verdicts(tiny_card, [replace(DRAWN, weights="untrained-tiny.safetensors@0", value=0.02)])
    drawn = next(one for one in found if (one.cell, one.verdict.gate) == ("tiny-bs1-cpu", "accuracy"))

    assert ("unjudged", True) == (drawn.verdict.outcome, drawn.untrained)


def test_few_frames_do_not_stand_in_the_place_of_the_promise(tiny_card):
    """Nine frames of a chip are unjudged beside the guide's mIoU, which stays judged."""
    few = replace(MIOU, frames=9, data="nine-1234abcd/9")
    found = [one for one in judged.verdicts(tiny_card, [few]) if one.verdict.gate == "accuracy" and one.batch == 1]
    own = [(one.verdict.outcome, one.sources) for one in found if one.soc == "Ascend310P3"]

    assert [("passed", ("published",)), ("unjudged", ("measured",))] == sorted(own)


def test_what_came_later_and_replaces_nothing_is_judged_too(tiny_card):
    """Nine frames after five hundred; five hundred after nine are the newest word, and the nine are of the past."""
    few = replace(MIOU, frames=9, data="nine-1234abcd/9", when="2026-01-05")
    later = [o for o in judged.verdicts(tiny_card, [MIOU, few]) if (o.soc, o.batch) == ("Ascend310P3", 1)]
    before = [o for o in judged.verdicts(tiny_card, [MIOU, replace(few, when="2025-01-01")]) if o.batch == 1]

    assert ["passed", "unjudged"] == sorted(o.verdict.outcome for o in later if o.verdict.gate == "accuracy")
    assert ["passed"] == [o.verdict.outcome for o in before if o.verdict.gate == "accuracy" and o.soc == "Ascend310P3"]


def test_of_drawn_frames_the_newest_record_counts(tiny_card):
    """In whatever order the files have them."""
    worse = replace(DRAWN, value=0.1, when="2026-01-01")
    found = [outcomes(judged.verdicts(tiny_card, rows)) for rows in ([DRAWN, worse], [worse, DRAWN])]

    assert ["passed", "passed"] == [told["tiny-bs1-cpu", "accuracy"] for told in found]


def test_unstable_throughput_replaces_nothing(tiny_card):
    """The ratio keeps the figure that there was."""
    unstable = replace(SPEED, value=None, outcome="unstable", detail="never steady", when="2026-02-01")
    found = next(o for o in judged.verdicts(tiny_card, [SPEED, unstable]) if o.cell.endswith("-vs-Ascend310"))

    assert pytest.approx(2.22) == found.verdict.figures["ratio"]


@pytest.mark.parametrize(("last", "outcome"), [("crash", "failed"), ("unstable", "passed")])
def test_of_an_unstable_run_and_a_crash_the_newer_is_judged(tiny_card, last, outcome):
    """A chip that ran since is not lost, and one that crashes since is."""
    rows = [
        replace(SPEED, value=None, outcome=word, detail="why", when=f"2026-0{1 + (word == last)}-01")
        for word in ("unstable", "crash")
    ]
    found = [
        one.verdict.outcome
        for one in judged.verdicts(tiny_card, rows)
        if one.cell == "tiny-bs1-Ascend310P3" and one.verdict.gate == "memory"
    ]

    assert {outcome} == set(found)


@pytest.mark.parametrize("others", [[], [SPEED]], ids=["published", "measured"])
def test_frames_that_did_not_fit_are_out_of_memory(tiny_card, others):
    """Whatever throughput there is, in the page as in the summary: nothing else judges their loss."""
    rows = [replace(MIOU, value=None, outcome="oom", detail="245000"), *others]

    assert "failed" == outcomes(judged.verdicts(tiny_card, rows))["tiny-bs1-Ascend310P3", "memory"]
    assert "failed: memory" in tables.summary([tiny_card], rows)


@pytest.mark.parametrize(("best", "outcome"), [(90.0, "failed"), (None, "unjudged")])
def test_a_chip_that_ran_is_not_delivered_by_a_batch_of_its_guide(tiny_card, best, outcome):
    """As in a run, whose ratio is of what it measured; the guide has 110 images/s at batch 1."""
    ran = {"value": best} if best else {"value": None, "outcome": "unstable", "detail": "never steady"}
    rows = [replace(SPEED, batch=4, **ran)]
    found = next(o for o in judged.verdicts(tiny_card, rows) if o.cell.endswith("-vs-Ascend310"))
    others = [r for r in tiny_card.published() if r.soc != "Ascend310P3"]
    run = gates.ratio(tiny_card, chips.find("Ascend310P3"), "Ascend310", 1.2, [*rows, *others])

    assert run == found.verdict
    assert outcome == found.verdict.outcome


@pytest.mark.parametrize("row", [{"runtime": "standin"}, {"soc": "Ascend999"}, {"model": "other"}])
def test_what_says_nothing_of_the_model_is_left_out(tiny_card, row):
    """Stand-ins' figures, unknown chips, other models."""
    assert judged.verdicts(tiny_card, []) == judged.verdicts(tiny_card, [replace(SPEED, value=9999.0, **row)])


def test_a_profile_asks_for_its_ratios(tiny_card):
    """Told and unjudged without it."""
    rule = profile.find("modelzoo-310p")
    t4 = replace(SPEED, soc="T4", value=100.0)
    told = outcomes(judged.verdicts(tiny_card, [t4]))
    asked = outcomes(judged.verdicts(tiny_card, [t4], rule))

    assert "unjudged" == told["tiny-Ascend310P3-vs-T4", "throughput against T4"]
    assert "failed" == asked["tiny-Ascend310P3-vs-T4", "throughput against T4"]


def test_a_card_that_publishes_nothing_has_its_ratios_unjudged(tiny_card):
    """And no other verdict."""
    bare = replace(tiny_card, published_=Published())

    assert {"unjudged"} == set(outcomes(judged.verdicts(bare, [])).values())
    assert 2 == len(judged.verdicts(bare, []))


def trained_on(soc: str, **more: object) -> Record:
    """The mIoU of a training run."""
    return Record(
        **{
            "model": "icnet", "soc": soc, "batch": 16, "metric": "train.miou", "value": 0.69, "source": "measured",
            "data": "val-0/500", "frames": 500, "run": f"{soc}-8p", "devices": 8, "when": "2026-01-02",
            "settings": {"group": "result"}, **more,
        }
    )  # fmt: skip


def test_training_is_judged_by_measured_runs():
    """The suite's verdicts; a trial on drawn frames does not hide a run on Cityscapes."""
    real = trained_on("H100")
    trial = trained_on("H100", source="sample", data="sample-v1/24", frames=24, value=0.1, when="2026-02-01")
    found = {(o.cell, o.verdict.gate): o for o in judged.verdicts(MODELS["icnet"], [trial, real])}
    own = found["icnet-8p-H100", "training accuracy"]
    alone = {(o.cell, o.verdict.gate): o for o in judged.verdicts(MODELS["icnet"], [trial])}

    assert ("passed", ("measured",), "2026-01-02") == (own.verdict.outcome, own.sources, own.when)
    assert "unjudged" == alone["icnet-8p-H100", "training accuracy"].verdict.outcome
