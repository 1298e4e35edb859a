"""Gates of training: records in, a verdict with its reason out; nothing unjudged is green."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import trained
from roadworthy.case import TrainCase
from roadworthy.record import Record
from roadworthy.soc import find
from roadworthy.target import Drop

ICNET = cards.find([cards.builtin_models()])["icnet"]
GUIDE = ICNET.published()
RECIPE = {"group": "result", "precision": "fp16", "crop": "960x960", "batch_size": 16}
MIOU = Record(
    model="icnet", soc="H100", batch=16, metric="train.miou", value=0.68, source="measured", data="val-0/500", frames=500,
    run="H100-8p", devices=8, settings=RECIPE, when="2026-01-01",
)  # fmt: skip
SPEED = replace(MIOU, metric="train.throughput", value=830.0)
ALONE = replace(SPEED, devices=1, run="H100-1p", batch=7, value=110.0)
SEARCH = {**RECIPE, "group": "H100-8p", "lr": 0.3}


def case(soc: str = "H100", devices: int = 8, card: cards.ModelCard = ICNET) -> TrainCase:
    """A case of ICNet."""
    return TrainCase(card, find(soc), devices)


def asking(**target: object) -> cards.ModelCard:
    """ICNet's card with another target of training."""
    return replace(ICNET, train=replace(ICNET.train, target=replace(ICNET.train.target, **target)))


def test_the_guides_mious_are_judged_by_the_training_target():
    """68.4 less one per cent of it is 67.716; NPU and GPU reach it on 8 devices, on 1 the guide says nothing."""
    eight = [trained.accuracy(case(soc), GUIDE) for soc in ("NPU", "GPU")]
    one = trained.accuracy(case("NPU", 1), GUIDE)

    assert [("passed", "mIoU 0.681000", ">= 0.677160"), ("passed", "mIoU 0.683000", ">= 0.677160")] == [
        (verdict.outcome, verdict.observed, verdict.required) for verdict in eight
    ]
    assert "the training target of card.toml is 0.6840" == eight[0].because
    assert ("unjudged", "nothing", "there is no mIoU of NPU-1p") == (one.outcome, one.observed, one.because)


@pytest.mark.parametrize(("value", "outcome"), [(0.677161, "passed"), (0.677159, "failed"), (0.9, "passed")])
def test_a_measured_miou_is_judged_by_its_last_epoch(value, outcome):
    """The best epoch is told, and decides nothing."""
    best = replace(MIOU, metric="train.best_miou", value=0.95)
    verdict = trained.accuracy(case(), [replace(MIOU, value=value), best])

    assert (outcome, f"mIoU {value:.6f}, best 0.950000") == (verdict.outcome, verdict.observed)


def test_a_miou_at_its_bound_is_reached_and_one_below_is_printed_below():
    """60.02 less 0.2 points is 59.82, and a hair more in floating point."""
    card = asking(miou=60.02, drop=Drop(points=0.2))
    at_floor, below = (trained.accuracy(case(card=card), [replace(MIOU, value=v)]) for v in (0.5982, 0.59819996))

    assert ("passed", "failed") == (at_floor.outcome, below.outcome)
    assert "mIoU 0.59819996" == below.observed


def test_a_share_at_its_bound_is_reached():
    """0.6365 is 0.95 times 0.67, and less in floating point; a share of linear below the one asked for is not rounded to it."""
    guide = [replace(r, value=0.67) if r.metric == "train.miou" and r.soc == "GPU" else r for r in GUIDE]
    verdict = trained.against(case(), "GPU", 0.95, [*guide, replace(MIOU, value=0.6365), SPEED])
    scaled = trained.scaling(case(card=asking(scaling=0.9)), [ALONE, replace(SPEED, value=791.99999)])

    assert 0.6365 / 0.67 < 0.95  # which is why
    assert "passed" == verdict.outcome
    assert "is 0.89999999 of linear" in scaled.because


@pytest.mark.parametrize(
    ("record", "observed", "told"),
    [
        (replace(MIOU, source="sample", data="sample-v1/24"), "mIoU 0.680000", "val, not for sample-v1/24"),
        (replace(MIOU, frames=9, data="val-0/9"), "mIoU 0.680000", "the 500 frames of Cityscapes val, not for val-0/9"),
        (replace(MIOU, settings=SEARCH, run="H100-8p lr 0.3"), "mIoU 0.680000", "H100-8p lr 0.3 departs from the"),
        (replace(MIOU, metric="train.best_miou"), "best 0.680000", "there is no mIoU of H100-8p"),
        (replace(MIOU, value=None, outcome="unstable", detail="why"), "nothing", "there is no mIoU of H100-8p (why)"),
        (replace(MIOU, soc="L4"), "nothing", "there is no mIoU of H100-8p"),
        (replace(MIOU, model="erfnet"), "nothing", "there is no mIoU of H100-8p"),
        (replace(MIOU, metric="miou"), "nothing", "there is no mIoU of H100-8p"),
    ],
    ids=["drawn", "few-frames", "search", "best-alone", "unstable", "other-chip", "other-model", "inference"],
)
def test_what_the_target_is_not_for_is_unjudged_with_its_figure(record, observed, told):
    """Drawn data, a part of val, a search for settings, and no figure at all."""
    verdict = trained.accuracy(case(), [record])

    assert ("unjudged", observed) == (verdict.outcome, verdict.observed)
    assert told in verdict.because


def test_a_card_that_asks_nothing_of_training_judges_nothing():
    """ERFNet has recipes and no guide of training; a card may have neither."""
    erfnet = cards.find([cards.builtin_models()])["erfnet"]
    row = replace(MIOU, model="erfnet")

    assert {"unjudged"} == {
        trained.accuracy(case(card=card), [row]).outcome for card in (erfnet, replace(erfnet, train=None))
    }
    assert "card.toml asks for no mIoU" in trained.accuracy(case(card=erfnet), [row]).because


@pytest.mark.parametrize(
    ("outcome", "observed"), [("crash", "crash"), ("oom", "out of memory"), ("timeout", "timeout")]
)
def test_a_run_that_died_fails_with_its_reason(outcome, observed):
    """Whichever figure says so; a recipe that does not fit is no delivery. Older figures do not hide it."""
    lost = replace(SPEED, value=None, outcome=outcome, detail="died by SIGKILL", when="2026-01-02")
    alone, later = (trained.accuracy(case(), rows) for rows in ([lost], [MIOU, SPEED, lost]))
    mended = [replace(r, when="2026-01-03") for r in (MIOU, SPEED)]

    assert ("failed", observed, "died by SIGKILL") == (alone.outcome, alone.observed, alone.because)
    assert alone == later
    assert "passed" == trained.accuracy(case(), [lost, *mended]).outcome


def test_a_search_that_died_says_why_and_fails_nothing():
    """Trying what does not fit is what a search is for."""
    lost = replace(MIOU, value=None, outcome="oom", detail="batch 64 does not fit", settings=SEARCH)
    verdict = trained.accuracy(case(), [lost])

    assert "unjudged" == verdict.outcome
    assert verdict.because.endswith("; batch 64 does not fit")


def test_the_newest_run_by_the_recipe_is_judged_and_no_other():
    """Not the guide's row where there is a measured one, not a later search, and no mixture of two runs."""
    older = [replace(r, when="2025-01-01", samples="a.npz") for r in (replace(MIOU, value=0.5), SPEED)]
    search = replace(MIOU, value=0.1, settings=SEARCH, when="2026-01-02")

    assert {"train.miou": MIOU} == trained.figures(case(), [*GUIDE, *older, MIOU, search])
    assert {"train.miou": search} == trained.figures(case(), [*GUIDE, search])
    assert {"train.miou", "train.throughput"} == trained.figures(case("NPU"), GUIDE).keys()
    assert {"train.miou": replace(search, soc="NPU")} == trained.figures(
        case("NPU"), [*GUIDE, replace(search, soc="NPU")]
    )
    assert {} == trained.figures(case("H100", 4), [*GUIDE, MIOU])


def test_records_of_one_run_share_their_end_or_their_samples():
    """A second between two lines of a run makes no two runs of them."""
    slow = [replace(MIOU, samples="a.npz"), replace(SPEED, samples="a.npz", when="2026-01-02")]

    assert {"train.miou", "train.throughput"} == trained.figures(case(), slow).keys()
    assert {"train.miou", "train.throughput"} == trained.figures(case(), [MIOU, SPEED]).keys()
    assert {"train.throughput"} == trained.figures(case(), [MIOU, replace(SPEED, when="2026-01-02")]).keys()


def test_the_guides_npu_keeps_up_with_its_gpu():
    """68.1 over 68.3 and 83 over 83 on 8 devices; on 1, images/s alone, since there is no mIoU."""
    eight, one = (trained.against(case("NPU", n), "GPU", 0.99, GUIDE) for n in (8, 1))

    assert ("passed", "0.997 x mIoU and 1.000 x images/s", ">= 0.99 x GPU-8p") == (
        eight.outcome, eight.observed, eight.required,
    )  # fmt: skip
    assert (
        "mIoU 0.6810 over 0.6830 is 0.9971; images/s 83 over 83 is 1.0000; the guide does not name its GPU"
        == eight.because
    )
    assert ("passed", "1.000 x images/s") == (one.outcome, one.observed)
    assert one.because.startswith("there is no mIoU of GPU-1p; images/s 9.3 over 9.3 is 1.0000")


@pytest.mark.parametrize(
    ("miou", "speed", "outcome", "ratios"),
    [
        (0.68, 83.0, "passed", ("0.996", "1.000")),
        (0.676, 83.0, "failed", ("0.9898", "1.000")),
        (0.68, 82.0, "failed", ("0.996", "0.988")),
        (0.5, 1.0, "failed", ("0.732", "0.012")),
    ],
)
def test_the_worse_of_miou_and_speed_decides(miou, speed, outcome, ratios):
    """0.99 of 68.3 is 67.617, of 83 it is 82.17; a ratio below what is asked is not rounded to it."""
    verdict = trained.against(case(), "GPU", 0.99, [*GUIDE, replace(MIOU, value=miou), replace(SPEED, value=speed)])

    assert (outcome, "{} x mIoU and {} x images/s".format(*ratios)) == (verdict.outcome, verdict.observed)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([MIOU], "there is no images/s of H100-8p"),
        ([SPEED], "there is no mIoU of H100-8p"),
        ([MIOU, replace(SPEED, value=None, outcome="unstable", detail="windows differ")], "H100-8p (windows differ)"),
        ([replace(MIOU, value=None, outcome="crash", detail="died")], "there is no mIoU of H100-8p (died)"),
        ([replace(MIOU, frames=9, data="val-0/9"), SPEED], "mIoU 0.6800 is not compared with 0.6830: *on val-0/9"),
        ([replace(r, source="sample", data="sample-v1/24") for r in (MIOU, SPEED)], "images/s 830 is not compared"),
        ([replace(r, settings=SEARCH) for r in (MIOU, SPEED)], "departs from the card's recipe"),
        ([], "there is no mIoU of H100-8p"),
    ],
    ids=["no-speed", "no-miou", "unstable", "crash", "few-frames", "drawn", "search", "nothing"],
)
def test_half_a_comparison_is_none(records, told):
    """What the other chip has a figure of is asked for; other frames are no like."""
    verdict = trained.against(case(), "GPU", 0.99, [*GUIDE, *records])

    assert "unjudged" == verdict.outcome
    assert all(part in verdict.because for part in told.split("*")), verdict.because


def test_a_figure_that_is_too_low_fails_whatever_else_is_missing():
    """One miss is enough."""
    assert "failed" == trained.against(case(), "GPU", 0.99, [*GUIDE, replace(SPEED, value=1.0)]).outcome


def test_without_a_figure_of_the_other_chip_nothing_is_compared():
    """The guide has none of 4 devices."""
    rows = [*GUIDE, *(replace(r, devices=4, run="H100-4p") for r in (MIOU, SPEED))]
    verdict = trained.against(case(devices=4), "GPU", 0.99, rows)

    assert ("unjudged", "nothing", "") == (verdict.outcome, verdict.observed, verdict.required)
    assert "there is no mIoU of GPU-4p; there is no images/s of GPU-4p" == verdict.because


def test_a_measured_reference_comes_before_the_guides():
    """Also on drawn frames, where both chips trained on the same; a search is no reference."""
    own = [replace(r, source="sample", data="sample-v1/24", frames=24) for r in (MIOU, SPEED)]
    theirs = [replace(r, soc="GPU", run="GPU-8p", value=r.value / 2) for r in own]
    search = [replace(r, value=1.0, settings=SEARCH) for r in theirs]
    verdict = trained.against(case(), "GPU", 0.99, [*GUIDE, *own, *theirs, *search])
    guides = trained.against(case(), "GPU", 0.99, [*GUIDE, MIOU, SPEED, *search])

    assert ("passed", "2.000 x mIoU and 2.000 x images/s") == (verdict.outcome, verdict.observed)
    assert "does not name" not in verdict.because
    assert "mIoU 0.6800 over 0.6830" in guides.because


def test_unlike_work_is_said():
    """Batch and precision as measured, against the card's recipe for the guide's row."""
    own = [replace(r, batch=8, settings={**RECIPE, "precision": "bf16"}) for r in (MIOU, SPEED)]
    alike, unlike = (trained.against(case(), "GPU", 0.99, [*GUIDE, *rows]) for rows in ([MIOU, SPEED], own))

    assert "same work" not in alike.because
    assert unlike.because.endswith("do not do the same work: batch 8 a device against 16, bf16 against fp16")


def test_the_numbers_behind_a_verdict_are_told():
    """For JUnit's XML and the report: what was found and what is required, the worse of two ratios."""
    own = [MIOU, replace(SPEED, value=83.0 * 0.995)]
    asked = trained.scaling(case(card=asking(scaling=0.9)), [ALONE, SPEED])
    told = trained.scaling(case(), [ALONE, SPEED])

    assert {"train.miou": 0.68, "required_miou": 0.684 * 0.99} == trained.accuracy(case(), own).figures
    assert (
        pytest.approx({"ratio": 0.995, "required_ratio": 0.99})
        == trained.against(case(), "GPU", 0.99, [*GUIDE, *own]).figures
    )
    assert pytest.approx({"ratio": 830 / 880, "required_ratio": 0.9}) == asked.figures
    assert {"ratio"} == told.figures.keys()


@pytest.mark.parametrize("soc", ["GPU", "NPU"])
def test_the_guides_scaling_is_above_linear(soc):
    """83 of 8 devices against 9.3 of one: a defect to flag, and the card's recipes say where it comes from."""
    verdict = trained.scaling(case(soc), GUIDE)

    assert ("failed", "1.116 of linear", "<= 1.02 of linear") == (verdict.outcome, verdict.observed, verdict.required)
    assert (
        "83 images/s against 8 x 9.3 is 1.1156 of linear; the two runs do not do the same work: batch 16 a device "
        "against 7; devices cannot do more together than each alone"
    ) == verdict.because


@pytest.mark.parametrize(
    ("speed", "share", "outcome", "required"),
    [
        (880.0, None, "unjudged", ""),
        (897.6, None, "unjudged", ""),
        (897.7, None, "failed", "<= 1.02 of linear"),
        (897.7, 0.9, "failed", "<= 1.02 of linear"),
        (880.0, 0.9, "passed", ">= 0.9 of linear"),
        (792.0, 0.9, "passed", ">= 0.9 of linear"),
        (791.9, 0.9, "failed", ">= 0.9 of linear"),
        (88.0, None, "unjudged", ""),
    ],
)
def test_scaling_is_judged_where_it_is_impossible_or_asked_for(speed, share, outcome, required):
    """8 x 110 is linear. Where the card asks for no share, one that is possible is told and is no pass."""
    verdict = trained.scaling(case(card=asking(scaling=share)), [ALONE, replace(SPEED, value=speed)])

    assert (outcome, required) == (verdict.outcome, verdict.required)
    assert f"{speed / 880:.{4 if speed == 791.9 else 3}f} of linear" == verdict.observed  # 0.8999 is not 0.9
    assert (outcome == "unjudged") == ("card.toml requires no share of linear" in verdict.because)


def test_one_device_that_did_the_same_work_is_the_fair_comparison():
    """A run of one device at the batch of eight, although no recipe has it, comes before the recipe's."""
    same = replace(ALONE, batch=16, value=120.0, settings=SEARCH)
    recipe, fair = (trained.scaling(case(), rows) for rows in ([ALONE, SPEED], [ALONE, same, ALONE, SPEED]))

    assert recipe.because.startswith("830 images/s against 8 x 110 is 0.9432 of linear; the two runs do not do")
    assert fair.because.startswith("830 images/s against 8 x 120 is 0.8646 of linear; card.toml")


@pytest.mark.parametrize(
    ("records", "observed", "told"),
    [
        ([SPEED, *GUIDE], "830 images/s", "there is no images/s of H100-1p, which 8 devices are compared with"),
        ([SPEED, replace(ALONE, source="sample")], "830 images/s", "there is no images/s of H100-1p"),
        ([SPEED, replace(ALONE, soc="L4")], "830 images/s", "there is no images/s of H100-1p"),
        ([SPEED, replace(ALONE, value=None, outcome="unstable", detail="why")], "830 images/s", "H100-1p (why)"),
        ([ALONE, replace(SPEED, value=None, outcome="crash", detail="died")], "nothing", "H100-8p (died)"),
        ([ALONE, MIOU], "nothing", "there is no images/s of H100-8p"),
        ([ALONE, replace(SPEED, settings=SEARCH)], "nothing", "departs from the card's recipe"),
    ],
    ids=["no-single", "other-source", "other-chip", "unstable-single", "crash", "no-speed", "search"],
)
def test_scaling_without_its_figures_is_unjudged(records, observed, told):
    """Of the same chip and source, both."""
    verdict = trained.scaling(case(), records)

    assert ("unjudged", observed) == (verdict.outcome, verdict.observed)
    assert told in verdict.because


def test_processes_of_a_cpu_share_its_cores():
    """Neither too much nor too little is a verdict there."""
    rows = [replace(r, soc="cpu") for r in (ALONE, replace(SPEED, value=9000.0))]
    verdict = trained.scaling(case("cpu", card=asking(scaling=0.9)), rows)

    assert ("unjudged", "10.227 of linear") == (verdict.outcome, verdict.observed)
    assert verdict.because.endswith("; the processes of a host share its cores")
