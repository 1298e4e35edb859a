"""Gates: records in, a verdict with its reason out; nothing unjudged is green."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import gates
from roadworthy.record import Record
from roadworthy.soc import find

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


@pytest.mark.parametrize("judged", [gates.batch_invariance, gates.parity])
def test_no_record_is_unjudged(judged):
    """Absence is never a pass."""
    assert "unjudged" == judged([]).outcome


@pytest.mark.parametrize("outcome", ["oom", "crash"])
def test_a_lost_value_fails_with_its_reason(tiny_card, outcome):
    """Out of memory and NaN are told in the verdict."""
    lost = replace(MIOU, value=None, outcome=outcome, detail="because")
    verdict = gates.accuracy(tiny_card, [lost])

    assert ("failed", outcome, "because") == (verdict.outcome, verdict.observed, verdict.because)
    assert "failed" == gates.batch_invariance([replace(lost, metric="agreement.batch")]).outcome
    assert "failed" == gates.parity([replace(lost, metric="agreement.operated")]).outcome


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


def test_parity_with_one_graph_missing_is_unjudged():
    """Half a comparison is none."""
    assert "unjudged" == gates.parity([replace(MIOU, metric="agreement.exported", value=1.0)]).outcome


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


def test_the_published_ratios_of_erfnet(erfnet):
    """Best batch over best batch: 1.327 untuned, 1.735 tuned; the reference itself is unjudged."""
    plain, tuned, own = (
        gates.ratios(erfnet, find(soc), erfnet.published()) for soc in ("Ascend310P3", "Ascend310P3+aoe", "Ascend310")
    )

    assert ("passed", "1.327 x Ascend310", ">= 1.2 x Ascend310") == (plain.outcome, plain.observed, plain.required)
    assert ("passed", "1.735 x Ascend310") == (tuned.outcome, tuned.observed)
    assert "381.95 images/s at batch 8 over 220.20 at 1" in tuned.because
    assert "unjudged" == own.outcome
    assert "the card promises ratios of Ascend310P3+aoe, not of Ascend310" == own.because


def test_a_ratio_below_the_promise_fails(tiny_card):
    """A chip must be as much faster as the card says; a missing reference leaves it unjudged."""
    records = [replace(r, value=115.0) if r.soc == "Ascend310" and r.value else r for r in tiny_card.published()]

    assert "passed" == gates.ratios(tiny_card, find("Ascend310P3"), tiny_card.published()).outcome
    assert "failed" == gates.ratios(tiny_card, find("Ascend310P3"), records).outcome
    assert (
        "unjudged" == gates.ratios(tiny_card, find("Ascend310P3"), [r for r in records if r.soc != "Ascend310"]).outcome
    )
    assert "unjudged" == gates.ratios(tiny_card, find("cpu"), records).outcome


def test_a_ratio_across_clocks_says_so(tiny_card):
    """Wall time against device time is no like for like."""
    records = [
        Record(
            model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=9.0, source="measured", clock="device"
        ),
        Record(model="tiny", soc="Ascend310", batch=1, metric="throughput", value=3.0, source="measured", clock="wall"),
    ]

    assert "unlike: device" in gates.ratios(tiny_card, find("Ascend310P3"), records).because


def test_a_verdict_reads_as_one_line():
    """Gate, outcome, observed, required, because."""
    verdict = gates.Verdict("accuracy", "failed", "mIoU 0.1", ">= 0.2", "the target is 0.2")

    assert "accuracy failed: observed mIoU 0.1, required >= 0.2; the target is 0.2" == str(verdict)
