"""Gates: records in, a verdict with its reason out; nothing unjudged is green."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import gates
from roadworthy.record import Record
from roadworthy.soc import find
from roadworthy.target import Drop, Target

MIOU = Record(
    model="tiny", soc="cpu", batch=1, metric="miou", value=0.9, source="measured", runtime="onnxruntime",
    data="val-0/500", frames=500, when="2026-01-01",
)  # fmt: skip


@pytest.fixture(scope="module")
def erfnet() -> cards.ModelCard:
    """The real card."""
    return cards.find([cards.builtin_models()])["erfnet"]


@pytest.mark.parametrize(("value", "outcome"), [(0.891, "passed"), (0.8909999, "failed"), (1.0, "passed")])
def test_accuracy_on_all_of_val_is_judged_by_the_target(tiny_card, value, outcome):
    """90.0 less one per cent of it is 89.1."""
    verdict = gates.accuracy(tiny_card, [replace(MIOU, value=value)])

    assert (outcome, ">= 0.891000") == (verdict.outcome, verdict.required)


@pytest.mark.parametrize(("value", "outcome"), [(0.7822, "passed"), (0.7820, "failed")])
def test_accuracy_on_sample_data_is_judged_by_the_sample_target(tiny_card, value, outcome):
    """The card's figure for its own sample data, less 0.1 points."""
    verdict = gates.accuracy(tiny_card, [replace(MIOU, value=value, data="tiny-v1/5", frames=5, source="sample")])

    assert (outcome, ">= 0.782100") == (verdict.outcome, verdict.required)


def test_accuracy_on_other_data_is_unjudged_with_its_figure(tiny_card):
    """A target for 500 frames says nothing about 40 others."""
    pooled = replace(MIOU, metric="pooled_miou", value=0.95)
    verdict = gates.accuracy(tiny_card, [replace(MIOU, data="street-1/40", frames=40), pooled])

    assert ("unjudged", "mIoU 0.900000 (pooled 0.950000)") == (verdict.outcome, verdict.observed)
    assert "for the 500 frames of Cityscapes val, not for street-1/40" in verdict.because


def test_no_record_is_unjudged():
    """Absence is never a pass."""
    assert "unjudged" == gates.batch_invariance([]).outcome
    assert "unjudged" == gates.parity([]).outcome


def test_a_lost_value_fails_with_its_reason(tiny_card):
    """NaN is told in the verdict; out of memory is left to the gate of memory."""
    lost = replace(MIOU, value=None, outcome="crash", detail="because")
    verdict = gates.accuracy(tiny_card, [lost])

    assert ("failed", "crash", "because") == (verdict.outcome, verdict.observed, verdict.because)
    assert "failed" == gates.batch_invariance([replace(lost, metric="agreement.batch")]).outcome
    assert "failed" == gates.parity([replace(lost, metric="agreement.operated")]).outcome
    assert "unjudged" == gates.accuracy(tiny_card, [replace(lost, outcome="oom")]).outcome


@pytest.mark.parametrize(("share", "outcome"), [(0.9999, "passed"), (0.99989, "failed"), (1.0, "passed")])
def test_batch_invariance_wants_9999_pixels_of_10000(share, outcome):
    """99.99 per cent of pixels."""
    assert outcome == gates.batch_invariance([replace(MIOU, metric="agreement.batch", value=share)]).outcome


@pytest.mark.parametrize(
    ("exported", "operated", "outcome"),
    [(1.0, 1.0, "passed"), (1.0, 0.9991, "passed"), (0.9998, 1.0, "failed"), (1.0, 0.9989, "failed")],
)
def test_parity_judges_the_graph_before_and_after_surgery(exported, operated, outcome):
    """Each has its own bound; either can fail the gate."""
    records = [
        replace(MIOU, metric="agreement.exported", value=exported),
        replace(MIOU, metric="agreement.operated", value=operated),
    ]

    assert outcome == gates.parity(records).outcome


def test_pixels_below_the_bound_are_printed_below_it():
    """99.99 % of pixels are not 99.989999 %."""
    verdict = gates.batch_invariance([replace(MIOU, metric="agreement.batch", value=0.99989999)])

    assert ("failed", "99.989999% of pixels", ">= 99.99%") == (verdict.outcome, verdict.observed, verdict.required)


def test_parity_with_one_graph_missing_is_unjudged():
    """Half a comparison is none."""
    assert "unjudged" == gates.parity([replace(MIOU, metric="agreement.exported", value=1.0)]).outcome
    assert "unjudged" == gates.parity([replace(MIOU, metric="agreement.operated", value=1.0)]).outcome
    assert "failed" == gates.parity([replace(MIOU, metric="agreement.operated", value=0.5)]).outcome


def test_regression_compares_with_the_newest_like_record():
    """Same model, chip, data and runtime; the same batch where there is one."""
    committed = [
        replace(MIOU, value=0.95, when="2026-01-02"),
        replace(MIOU, value=0.90, when="2026-01-03"),
        replace(MIOU, value=0.99, when="2026-01-04", batch=4),
        replace(MIOU, value=0.99, when="2026-01-05", data="other/1"),
        replace(MIOU, value=0.99, when="2026-01-05", runtime="ascend"),
        replace(MIOU, value=0.99, when="2026-01-05", soc="T4"),
        replace(MIOU, value=None, outcome="oom", when="2026-01-06"),
    ]

    assert "passed" == gates.regression([replace(MIOU, value=0.8996)], committed).outcome
    assert "failed" == gates.regression([replace(MIOU, value=0.8994)], committed).outcome
    assert "failed" == gates.regression([replace(MIOU, value=0.9, batch=8)], committed).outcome
    assert "unjudged" == gates.regression([replace(MIOU, data="new/1")], committed).outcome


def test_a_miou_at_its_bound_is_reached_and_one_below_is_printed_below(tiny_card):
    """Whatever floating point makes of target less drop, and of the older record less what noise may be."""
    card = replace(tiny_card, target=Target(miou=60.02, drop=Drop(points=0.2), judge="Ascend310P3"))
    at_floor, below = (gates.accuracy(card, [replace(MIOU, value=value)]) for value in (0.5982, 0.59819996))
    older = [replace(MIOU, value=0.7002, when="2026-01-02")]
    same, worse = (gates.regression([replace(MIOU, value=value)], older) for value in (0.6997, 0.69969996))

    assert 60.02 / 100 - 0.2 / 100 > 0.5982  # which is why
    assert 0.7002 - 0.0005 > 0.6997
    assert ["passed", "failed"] * 2 == [verdict.outcome for verdict in (at_floor, below, same, worse)]
    assert "mIoU 0.59819996" == below.observed
    assert "mIoU 0.69969996" == worse.observed


def test_an_older_record_of_no_number_is_none_to_compare_with():
    """A file of records may hold one."""
    endless = replace(MIOU, value=math.nan, when="2026-01-03")

    assert "passed" == gates.regression([MIOU], [replace(MIOU, when="2026-01-02"), endless]).outcome


def test_a_stand_in_is_not_told_to_keep_its_records():
    """None of a stand-in is ever kept."""
    told, plain = (gates.regression([replace(MIOU, runtime=name)], []).because for name in ("standin", "ascend"))

    assert ("standin", "--update-records adds one") == (told.rpartition(" ")[2], plain.rpartition("; ")[2])


def test_the_published_ratios_of_erfnet(erfnet):
    """Best batch over best batch: 1.327 untuned, 1.735 tuned against the 310; the T4 is told, or judged if asked."""
    plain, tuned = (
        gates.ratio(erfnet, find(soc), "Ascend310", 1.2, erfnet.published())
        for soc in ("Ascend310P3", "Ascend310P3+aoe")
    )
    told, asked = (gates.ratio(erfnet, find("Ascend310P3"), "T4", r, erfnet.published()) for r in (None, 1.6))

    assert ("passed", "1.327 x Ascend310", ">= 1.2 x Ascend310") == (plain.outcome, plain.observed, plain.required)
    assert ("passed", "1.735 x Ascend310") == (tuned.outcome, tuned.observed)
    assert "381.95 images/s at batch 8 over 220.20 at 1" in tuned.because
    assert ("unjudged", "1.167 x T4", "") == (told.outcome, told.observed, told.required)
    assert "no ratio is required by card.toml or a --profile" in told.because
    assert ("failed", "1.167 x T4", ">= 1.6 x T4") == (asked.outcome, asked.observed, asked.required)
    assert "measured unlike: device clock against wall clock of eager" in asked.because


@pytest.mark.parametrize(
    ("speed", "other", "outcome", "observed"),
    [(128.016, 106.68, "passed", "1.200"), (119.9996, 100.0, "failed", "1.199996"), (120.0, 100.0, "passed", "1.200")],
)
def test_a_ratio_at_its_bound_is_reached_and_one_below_is_printed_below(tiny_card, speed, other, outcome, observed):
    """128.016 is 1.2 times 106.68, whatever floating point makes of it."""
    cell = ("Ascend310P3", "throughput")
    own = replace(next(r for r in tiny_card.published() if (r.soc, r.metric) == cell), value=speed)
    verdict = gates.ratio(
        tiny_card, find("Ascend310P3"), "Ascend310", 1.2, [own, replace(own, soc="Ascend310", value=other)]
    )

    assert (outcome, f"{observed} x Ascend310") == (verdict.outcome, verdict.observed)
    assert f"is {observed.ljust(6, '0')}" in verdict.because


def test_a_ratio_below_the_promise_fails(tiny_card):
    """A chip must be as much faster as asked; a missing reference, or nothing measured, leaves it unjudged."""
    records = [replace(r, value=115.0) if r.soc == "Ascend310" and r.value else r for r in tiny_card.published()]
    chip = find("Ascend310P3")

    assert "passed" == gates.ratio(tiny_card, chip, "Ascend310", 1.2, tiny_card.published()).outcome
    assert "failed" == gates.ratio(tiny_card, chip, "Ascend310", 1.2, records).outcome
    assert "unjudged" == gates.ratio(tiny_card, chip, "T4", 1.2, records).outcome
    assert "unjudged" == gates.ratio(tiny_card, find("cpu"), "Ascend310", 1.2, records).outcome


def test_a_chip_without_a_name_is_no_reference():
    """HRNet's guide compares with a GPU that it does not name: the T4 gate is unjudged, and says so."""
    hrnet = cards.find([cards.builtin_models()])["hrnet"]
    verdict = gates.ratio(hrnet, find("Ascend310P3"), "T4", 1.6, hrnet.published())

    assert "unjudged" == verdict.outcome
    assert "there is no throughput of T4 to compare with; the guide does not name the GPU" in verdict.because


@pytest.mark.parametrize(
    ("soc", "batch", "outcome"),
    [("Ascend310", 4, "oom"), ("Ascend310", 1, "oom"), ("Ascend310", 4, "ok"), ("cpu", 1, "")],
)
def test_memory_passes_where_the_card_expects_what_happened(tiny_card, soc, batch, outcome):
    """Out of memory passes where the card knows of it and fails where not; nothing run is unjudged."""
    row = replace(MIOU, soc=soc, batch=batch, outcome=outcome or "ok", value=None if outcome == "oom" else 0.5)
    verdict = gates.memory(tiny_card, find(soc), batch, [row] if outcome else [])

    assert {("oom", 4): "passed", ("oom", 1): "failed", ("ok", 4): "passed", ("", 1): "unjudged"}[
        outcome, batch
    ] == verdict.outcome


@pytest.mark.parametrize(("outcome", "verdict"), [("crash", "failed"), ("timeout", "failed"), ("unstable", "passed")])
def test_a_batch_that_broke_alone_does_not_fit(tiny_card, outcome, verdict):
    """What was run to see whether it fits and gave nothing fails; what ran unsteadily fits."""
    row = replace(MIOU, metric="throughput", value=None, outcome=outcome, detail="died by SIGSEGV")

    assert verdict == gates.memory(tiny_card, find("Ascend310"), 1, [row]).outcome


def test_throughput_with_untrained_weights_is_told_and_no_ratio(tiny_card):
    """Weights that nobody trained may be slower or faster than those that are delivered."""
    row = replace(MIOU, soc="Ascend310P3", metric="throughput", value=500.0, weights="untrained-tiny.safetensors@0")
    verdict = gates.ratio(tiny_card, find("Ascend310P3"), "Ascend310", 1.2, [row])

    assert "unjudged" == verdict.outcome
    assert "with trained weights (500.00 images/s with untrained-tiny.safetensors@0)" in verdict.because


def test_throughput_that_was_never_steady_is_told_and_no_ratio(tiny_card):
    """The chip ran: that there is no figure has another reason than that nobody measured."""
    row = replace(MIOU, soc="Ascend310P3", metric="throughput", value=None, outcome="unstable", detail="windows differ")
    verdict = gates.ratio(tiny_card, find("Ascend310P3"), "Ascend310", 1.2, [row])

    assert "unjudged" == verdict.outcome
    assert (
        "there is no throughput of Ascend310P3 that counts: it never ran steadily (windows differ)" == verdict.because
    )


def test_memory_is_unjudged_where_frames_were_drawn_small(tiny_card):
    """A sixteenth of the pixels fits where the whole may not; what does not fit small fails."""
    small = replace(MIOU, data="sample-v1/6@32x64", source="sample")
    lost = replace(small, value=None, outcome="oom")

    assert ("unjudged", "fits at 32x64") == (
        gates.memory(tiny_card, find("cpu"), 1, [small]).outcome,
        gates.memory(tiny_card, find("cpu"), 1, [small]).observed,
    )
    assert "failed" == gates.memory(tiny_card, find("cpu"), 1, [lost]).outcome


def test_a_ratio_is_of_one_model_and_trained_weights(tiny_card):
    """Another model's images/s on the same chip are nothing to this one."""
    fast = Record(model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=900.0, source="measured")
    others = [replace(fast, model="other"), replace(fast, weights="untrained-tiny.safetensors@0")]

    assert (
        "1.300 x Ascend310"
        == gates.ratio(tiny_card, find("Ascend310P3"), "Ascend310", 1.2, [*tiny_card.published(), *others]).observed
    )


def test_weights_that_nobody_trained_have_no_accuracy(tiny_card):
    """On any data, and against any committed record."""
    row = replace(MIOU, weights="untrained-tiny.safetensors@0", data=tiny_card.sample.data, source="sample")

    assert {"unjudged"} == {gates.accuracy(tiny_card, [row]).outcome, gates.regression([row], [row]).outcome}
    assert "not trained; --weights takes tiny.pth" in gates.accuracy(tiny_card, [row]).because


def test_what_surgery_means_to_change_is_told():
    """Parity is with torch doing the same; how far that is from the evaluated network stands in the verdict."""
    same = [replace(MIOU, metric=f"agreement.{m}", value=1.0) for m in ("exported", "operated")]
    verdict = gates.parity([*same, replace(MIOU, metric="agreement.kept", value=0.75)])

    assert "passed" == verdict.outcome
    assert "75.00% of pixels keep its class" in verdict.because
    assert "keep" not in gates.parity([*same, replace(MIOU, metric="agreement.kept", value=1.0)]).because


def test_a_ratio_across_clocks_says_so(tiny_card):
    """Wall time against device time is no like for like."""
    records = [
        Record(
            model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=9.0, source="measured", clock="device"
        ),
        Record(model="tiny", soc="Ascend310", batch=1, metric="throughput", value=3.0, source="measured", clock="wall"),
    ]

    assert (
        "unlike: device clock against wall clock"
        in gates.ratio(tiny_card, find("Ascend310P3"), "Ascend310", 1.2, records).because
    )


def test_a_verdict_reads_as_one_line():
    """Gate, outcome, observed, required, because."""
    verdict = gates.Verdict("accuracy", "failed", "mIoU 0.1", ">= 0.2", "the target is 0.2")

    assert "accuracy failed: observed mIoU 0.1, required >= 0.2; the target is 0.2" == str(verdict)


def test_figures_are_the_numbers_behind_the_texts(tiny_card):
    """By the metrics of records, with what is required of them; a batch that fits tells its images/s."""
    pooled = replace(MIOU, metric="pooled_miou", value=0.95)
    speeds = [replace(MIOU, soc=soc, metric="throughput", value=v) for soc, v in (("T4", 100.0), ("Ascend310", 150.0))]
    ratio = gates.ratio(tiny_card, find("Ascend310"), "T4", 1.2, speeds)
    memory = gates.memory(tiny_card, find("Ascend310"), 1, speeds[1:])

    assert {"miou": 0.9, "pooled_miou": 0.95, "required_miou": pytest.approx(0.891)} == gates.accuracy(
        tiny_card, [MIOU, pooled]
    ).figures
    assert {"miou": 0.9, "required_miou": pytest.approx(0.8995)} == gates.regression([MIOU], [MIOU]).figures
    assert {"throughput": 150.0, "reference_throughput": 100.0, "ratio": 1.5, "required_ratio": 1.2} == ratio.figures
    assert {"throughput": 150.0} == memory.figures
    assert {} == gates.accuracy(tiny_card, []).figures


def test_a_chip_that_ran_is_not_judged_by_a_batch_of_its_guide(erfnet):
    """Its own measured batches count; a chip to compare with keeps its best batch, whoever took it."""
    slow = Record(model="erfnet", soc="Ascend310P3", batch=4, metric="throughput", value=200.0, source="measured")
    t4 = replace(slow, soc="T4", batch=1, value=100.0)
    known = gates.counted(erfnet, [*erfnet.published(), slow, t4])

    assert gates.best(known, "Ascend310P3") is slow
    assert 250.2417 == gates.best(known, "T4").value
    assert 381.9549 == gates.best(known, "Ascend310P3+aoe").value
    assert any(r.soc == "Ascend310P3" and r.metric == "miou" for r in known)


def test_a_batch_that_is_known_not_to_fit_is_no_run(tiny_card):
    """That it was tried, as the card expects, leaves the guide's figures to stand."""
    card = replace(tiny_card, target=replace(tiny_card.target, oom={"Ascend310P3": (16,)}))
    lost = Record(
        model="tiny", soc="Ascend310P3", batch=16, metric="throughput", value=None, outcome="oom", source="measured"
    )

    assert 130.0 == gates.best(gates.counted(card, [*card.published(), lost]), "Ascend310P3").value
    assert gates.best(gates.counted(tiny_card, [*tiny_card.published(), lost]), "Ascend310P3") is None
