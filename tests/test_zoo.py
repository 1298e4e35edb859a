"""The lines of modelzoo_level.txt and their reasons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy import gates, standing, tables, zoo
from roadworthy.record import Record
from roadworthy.schema import load_toml

MODELS = cards.find([cards.builtin_models()])
LEVELS = ["FuncStatus", "PrecisionStatus", "AutoTune", "PerfStatus", "ModelConvert", "QuantStatus"]
SPEED = Record(
    model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=100.0, source="measured", clock="device"
)
SCORE = replace(SPEED, metric="miou", value=0.9, source="published", clock=None)
LOST = {"value": None, "outcome": "crash", "detail": "aicore died"}


@pytest.fixture
def tuned(tiny_card):
    """The small model delivered tuned."""
    return replace(tiny_card, target=replace(tiny_card.target, judge="Ascend310P3+aoe"))


def statuses(card, *known: Record) -> dict[str, str | None]:
    """Status by key."""
    return {level.key: level.status for level in zoo.levels(card, gates.counted(card, known))}


def because(card, key: str, *known: Record) -> str:
    """The English reason of a line."""
    return next(level.because("en") for level in zoo.levels(card, gates.counted(card, known)) if level.key == key)


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("erfnet", ["FuncStatus:OK", "PrecisionStatus:OK", "AutoTune:OK", "PerfStatus:PERFECT", "ModelConvert:OK"]),
        ("deeplabv3", ["FuncStatus:OK", "PrecisionStatus:OK", "PerfStatus:POK", "ModelConvert:OK"]),
        ("hrnet", ["FuncStatus:OK", "PrecisionStatus:OK", "ModelConvert:OK"]),
        ("icnet", ["FuncStatus:OK", "PrecisionStatus:OK", "ModelConvert:OK"]),
    ],
)
def test_the_file_of_every_model_by_what_its_guide_publishes(key, lines):
    """In the order of the zoo's files, a line left out where nothing shows its status."""
    found = zoo.levels(MODELS[key], standing.counted(MODELS[key], []))

    assert LEVELS == [level.key for level in found]
    assert "".join(f"{line}\n" for line in lines) == zoo.text(found)


@pytest.mark.parametrize(
    ("ratio", "status"),
    [
        (9.0, "PERFECT"),
        (1.2, "PERFECT"),
        (1.19999, "OK"),
        (128.016 / 106.68, "PERFECT"),  # 1.2, and less in floating point
        (1.0, "OK"),
        (0.99999, "POK"),
        (0.5, "POK"),
        (0.49999, "NOK"),
    ],
)
def test_the_status_of_a_ratio(ratio, status):
    """The borders belong to the better status, and nothing is rounded but what floating point cannot tell apart."""
    assert status == zoo.of_ratio(ratio)


def test_a_status_is_never_contradicted_by_its_reason(tiny_card):
    """A figure just below a border is printed below it."""
    t4, score = replace(SPEED, soc="T4", value=100.0), replace(SCORE, value=0.8909999)

    assert because(tiny_card, "PerfStatus", replace(SPEED, value=119.9996), t4).endswith(" is 1.199996")
    assert "lowest mIoU on Ascend310P3: 89.09999 %; at least 89.100 %" in because(tiny_card, "PrecisionStatus", score)


@pytest.mark.parametrize(("gpu", "status"), [(83.3, "PERFECT"), (100.0, "OK"), (200.0, "POK"), (200.1, "NOK")])
def test_performance_is_best_batch_over_best_batch(tiny_card, gpu, status):
    """Of other batch sizes nothing counts."""
    slow, t4 = replace(SPEED, batch=4, value=1.0), replace(SPEED, soc="T4", batch=8, value=gpu)

    assert status == statuses(tiny_card, slow, SPEED, t4, replace(t4, batch=1, value=2.0))["PerfStatus"]


def test_the_tuned_variant_is_judged_where_it_is_delivered(tuned):
    """And the untuned one where that is."""
    best = replace(SPEED, soc="Ascend310P3+aoe", value=130.0)
    t4 = replace(SPEED, soc="T4")
    plain = replace(tuned, target=replace(tuned.target, judge="Ascend310P3"))

    assert "PERFECT" == statuses(tuned, SPEED, best, t4)["PerfStatus"]
    assert "OK" == statuses(plain, SPEED, best, t4)["PerfStatus"]


def test_a_measured_figure_changes_the_status():
    """A T4 measured with TensorRT puts an end to ERFNet's comparison with inference in the framework."""
    card = MODELS["erfnet"]
    t4 = replace(SPEED, model="erfnet", soc="T4", batch=16, value=400.0, runtime="tensorrt", when="2026-01-01")
    before, after = (zoo.levels(card, standing.counted(card, rows)) for rows in ([], [t4]))

    assert ["PERFECT", "POK"] == [found[3].status for found in (before, after)]
    assert ["OK", "POK"] == [found[2].status for found in (before, after)]
    assert "T4 was timed by the wall clock of eager" in before[3].because("en")
    assert "unlike" not in after[3].because("en")


def test_a_chip_that_ran_is_judged_by_what_was_measured(tiny_card):
    """A faster batch of its guide makes no status."""
    guide = [replace(SPEED, value=200.0, source="published"), replace(SPEED, soc="T4", source="published")]

    assert "PERFECT" == statuses(tiny_card, *guide)["PerfStatus"]
    assert "POK" == statuses(tiny_card, *guide, replace(SPEED, batch=4, value=60.0))["PerfStatus"]


def test_two_clocks_are_told(tiny_card):
    """Whoever's they are."""
    t4 = replace(SPEED, soc="T4", clock="wall", runtime="onnxruntime-cuda")

    assert because(tiny_card, "PerfStatus", SPEED, t4).endswith("this ratio compares unlike")


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([SPEED], "there is no throughput of T4 to compare with"),
        ([SPEED, replace(SPEED, soc="GPU")], "the guide does not name its GPU, and there is no throughput of T4"),
        ([SPEED, replace(SPEED, soc="T4", value=None, outcome="oom")], "there is no throughput of T4"),
        ([replace(SPEED, soc="T4")], "there is no throughput of Ascend310P3"),
    ],
)
def test_no_performance_is_made_up(tiny_card, known, told):
    """Without a figure of the chip or of the T4 there is no status."""
    assert statuses(tiny_card, *known)["PerfStatus"] is None
    assert told in because(tiny_card, "PerfStatus", *known)


def test_the_worst_batch_decides_on_precision(tiny_card):
    """At the floor it is reached, below it not, whatever the other batch sizes have."""
    at_floor, below = replace(SCORE, batch=4, value=0.9 * 0.99), replace(SCORE, batch=8, value=0.8909)

    assert "OK" == statuses(tiny_card, SCORE, at_floor)["PrecisionStatus"]
    assert "NOK" == statuses(tiny_card, SCORE, at_floor, below)["PrecisionStatus"]
    assert "lowest mIoU on Ascend310P3: 89.090 %; at least 89.100 %" in because(
        tiny_card, "PrecisionStatus", SCORE, below
    )


def test_a_lost_run_is_no_precision_and_one_without_memory_is_none_to_judge(tiny_card):
    """A crash decides against the model; out of memory is not about accuracy."""
    lost = replace(SCORE, batch=4, source="measured", **LOST)

    assert "NOK" == statuses(tiny_card, SCORE, lost)["PrecisionStatus"]
    assert "aicore died" in because(tiny_card, "PrecisionStatus", SCORE, lost)
    assert "OK" == statuses(tiny_card, SCORE, SPEED, replace(lost, outcome="oom"))["PrecisionStatus"]


def test_precision_on_other_frames_is_not_judged(tiny_card):
    """The target is for all of Cityscapes val."""
    few = replace(SCORE, source="measured", data="mine-0/9", frames=9)

    assert statuses(tiny_card, few)["PrecisionStatus"] is None
    assert "there is no mIoU of Ascend310P3 on Cityscapes val" == because(tiny_card, "PrecisionStatus", few)


def test_the_untuned_miou_stands_in_for_a_tuned_one_that_nobody_took(tuned):
    """And says so; once the tuned OM was scored, that counts."""
    scored = replace(SCORE, soc="Ascend310P3+aoe", value=0.5)
    lost = replace(scored, source="measured", **{**LOST, "outcome": "oom"})

    assert "OK" == statuses(tuned, SCORE)["PrecisionStatus"]
    assert "no mIoU of the tuned OM is known" in because(tuned, "PrecisionStatus", SCORE)
    assert "OK" == statuses(tuned, SCORE, lost, replace(SPEED, soc=scored.soc))["PrecisionStatus"]
    assert "NOK" == statuses(tuned, SCORE, scored)["PrecisionStatus"]
    assert "no mIoU of the tuned OM" not in because(tuned, "PrecisionStatus", SCORE, scored)


@pytest.mark.parametrize(
    ("speed", "gpu", "status", "told"),
    [
        (120.0, 120.0, "OK", "tuned 120 images/s, untuned 100; best batch over best batch 1.0000 x T4"),
        (120.0, 121.0, "POK", "untuned 100"),
        (100.0, 50.0, "NOK", "tuning gained nothing: 100 images/s, untuned 100"),
        (120.0, None, None, "there is no throughput of T4"),
        (None, 50.0, None, "there is no throughput of Ascend310P3+aoe"),
    ],
)
def test_what_tuning_is_worth(tuned, speed, gpu, status, told):
    """A gain that reaches the GPU, a gain that does not, no gain; else unknown."""
    known = [SPEED]
    known += [replace(SPEED, soc="Ascend310P3+aoe", value=speed)] if speed else []
    known += [replace(SPEED, soc="T4", value=gpu)] if gpu else []

    assert status == statuses(tuned, *known)["AutoTune"]
    assert told in because(tuned, "AutoTune", *known)


def test_tuning_is_not_judged_without_it(tiny_card, tuned):
    """An untuned delivery, or no figure of before."""
    best = replace(SPEED, soc="Ascend310P3+aoe")

    assert statuses(tiny_card, SPEED)["AutoTune"] is None
    assert "not tuned" in because(tiny_card, "AutoTune", SPEED)
    assert statuses(tuned, best)["AutoTune"] is None
    assert "there is no throughput of the untuned Ascend310P3" in because(tuned, "AutoTune", best)


def test_what_never_ran_has_failed(tiny_card):
    """A crash may be of an OM that was made; a graph that the compiler does not take was not converted."""
    crashed, refused = replace(SPEED, **LOST), replace(SPEED, **{**LOST, "outcome": "unsupported"})

    assert ("NOK", None) == tuple(statuses(tiny_card, crashed)[key] for key in ("FuncStatus", "ModelConvert"))
    assert ("NOK", "NOK") == tuple(statuses(tiny_card, refused)[key] for key in ("FuncStatus", "ModelConvert"))
    assert "crash at batch 1: aicore died" in because(tiny_card, "FuncStatus", crashed)
    assert ("OK", "OK") == tuple(
        statuses(tiny_card, crashed, replace(SPEED, batch=4))[key] for key in ("FuncStatus", "ModelConvert")
    )


def test_a_run_counts_before_what_the_guide_says(tiny_card):
    """Where all that was measured crashed, the network does not run, whatever was published."""
    published = replace(SPEED, batch=4, source="published")

    assert "OK" == statuses(tiny_card, published)["FuncStatus"]
    assert "NOK" == statuses(tiny_card, published, replace(SPEED, **LOST))["FuncStatus"]


def test_nothing_good_is_said_of_a_network_that_does_not_run(tiny_card):
    """Figures of its guide are there, and are of a chip on which it ran."""
    published = [replace(r, batch=4, source="published") for r in (SPEED, SCORE, replace(SPEED, soc="T4"))]
    ran = statuses(tiny_card, *published)
    lost = statuses(tiny_card, *published, replace(SPEED, **LOST))

    assert ("OK", "OK") == (ran["PrecisionStatus"], ran["PerfStatus"])
    assert (None, None) == (lost["PrecisionStatus"], lost["PerfStatus"])
    assert "crash at batch 1" in because(tiny_card, "PerfStatus", *published, replace(SPEED, **LOST))


def test_what_did_not_run_is_named_beside_what_did(tiny_card):
    """Frames that did not fit where the graph alone ran, a batch that crashed; none that is known not to fit."""
    frames = replace(SCORE, source="measured", **{**LOST, "outcome": "oom"})
    rows = [SPEED, frames, replace(SPEED, batch=4, **LOST)]

    assert "OK" == statuses(tiny_card, *rows)["FuncStatus"]
    assert "Ascend310P3 ran it at batch 1; batch 1: oom; batch 4: crash" == because(tiny_card, "FuncStatus", *rows)
    assert "Ascend310P3 ran it at batch 1" == because(tiny_card, "FuncStatus", SPEED)


def test_a_batch_that_is_known_not_to_fit_is_no_failure(tiny_card):
    """It was tried, as the card expects: what the guide says of the others stands."""
    card = replace(tiny_card, target=replace(tiny_card.target, oom={"Ascend310P3": (16,)}))
    lost, published = replace(SPEED, batch=16, **{**LOST, "outcome": "oom"}), replace(SPEED, source="published")

    assert "OK" == statuses(card, lost, published)["FuncStatus"]
    assert "NOK" == statuses(tiny_card, lost, published)["FuncStatus"]


def test_graphs_compared_on_the_host_are_no_run_of_the_chip():
    """Parity is recorded under the chip's name and runs in ONNX Runtime: it shows neither that an OM was made nor that it ran."""
    alike = replace(SPEED, model="hrnet", metric="agreement.operated", value=1.0, clock=None, runtime="onnxruntime")
    crashed = replace(SPEED, model="hrnet", when="2026-01-01", **LOST)
    lost, told = (
        zoo.levels(MODELS["hrnet"], standing.counted(MODELS["hrnet"], rows)) for rows in ([alike, crashed], [alike])
    )

    assert ("NOK", None) == (lost[0].status, lost[4].status)
    assert "Ascend310P3 ran it at batch 1, 4" == told[0].because("en")


def test_a_chip_that_ran_unsteadily_ran(tiny_card):
    """It converts and runs; how fast is not known, whatever the guide publishes."""
    unstable = replace(SPEED, value=None, outcome="unstable", detail="never steady")
    found = {level.key: level.status for level in zoo.levels(tiny_card, standing.counted(tiny_card, [unstable]))}

    assert ("OK", "OK", None) == (found["FuncStatus"], found["ModelConvert"], found["PerfStatus"])
    told = because(tiny_card, "PerfStatus", *standing.counted(tiny_card, [unstable]))
    assert "Ascend310P3 never ran steadily, so that no throughput of it counts: never steady" == told


@pytest.mark.parametrize(("last", "status", "verdict"), [("crash", "NOK", "failed"), ("unstable", "OK", "passed")])
def test_of_an_unstable_run_and_a_crash_the_newer_counts(tiny_card, last, status, verdict):
    """In delivery and summary alike, at every batch."""
    rows = [
        replace(SPEED, batch=batch, value=None, outcome=outcome, detail="why", when=f"2026-0{1 + (outcome == last)}-01")
        for outcome in ("unstable", "crash")
        for batch in (1, 4, 16)
    ]
    found = {level.key: level.status for level in zoo.levels(tiny_card, standing.counted(tiny_card, rows))}
    summary = tables.summary([tiny_card], rows).splitlines()[2]

    assert status == found["FuncStatus"]
    assert (verdict == "failed") == ("failed: memory" in summary)


def test_nothing_known_is_nothing_said(tiny_card):
    """No line at all; training and other models are not looked at."""
    other = replace(SPEED, model="other")
    trained = replace(SPEED, metric="train.throughput", run="1p")

    assert dict.fromkeys(LEVELS) == statuses(tiny_card, other, trained)
    assert "" == zoo.text(zoo.levels(tiny_card, [other, trained]))


def test_every_reason_has_both_languages_with_the_same_figures():
    """No sentence lacks one, no figure is in one alone."""
    for name, sentence in load_toml(zoo.TABLE).items():
        assert ["en", "zh"] == sorted(sentence), name
        fields = [sorted(re.findall(r"\{(\w+)", text)) for text in sentence.values()]
        assert fields[0] == fields[1], name


def test_a_reason_holds_text_of_records_as_it_is(tiny_card):
    """Braces of a message are no fields."""
    crashed = replace(SPEED, **{**LOST, "detail": "{soc} {0} died"})

    assert because(tiny_card, "FuncStatus", crashed).endswith("{soc} {0} died")
