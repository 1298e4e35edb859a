"""A training run as records: the guide's names for the guide's numbers, figures with their samples, lost runs too."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from roadworthy import card as cards
from roadworthy import record
from roadworthy.problem import OutOfMemory, Problem
from roadworthy.train import plan as plans
from roadworthy.train import results
from roadworthy.train.checkpoint import History
from roadworthy.train.results import Ran

ICNET = cards.find([cards.builtin_models()])["icnet"]
COLD, WARM, LAST = [10, 1280, 99.0, 9.0, 0.0], [20, 1280, 16.0, 1.0, 1.0], [30, 1280, 14.0, 1.0, 1.0]
HISTORY = History([3.0, 2.0, 1.0], [0.1, 0.1, 0.05], [COLD, WARM, LAST], [[1, 10, 0.5], [2, 20, 0.7], [3, 30, 0.681]])


def ran(devices: int = 8, soc: str = "NPU", **given: object) -> Ran:
    """A run of ICNet, with flags."""
    plan = plans.resolve(ICNET, ICNET, devices, "npu", given)
    recipe = plans.resolve(ICNET, ICNET, devices, "npu", {"recipe": plan.recipe})
    more = {"data": "cityscapes-0a1b2c3d/500", "frames": 500, "drawn": False, "weights": "fresh", "steps": 30}
    return Ran(ICNET, plan, recipe, soc, "Ascend910B", **more)


def figures(found: Ran, tmp_path, history: History = HISTORY) -> dict[str, record.Record]:
    """Records by metric."""
    return {row.metric: row for row in results.records(found, history, tmp_path, 30)}


@pytest.mark.parametrize(
    ("devices", "soc", "given", "name", "group"),
    [
        (8, "NPU", {}, "NPU-8p", "result"),
        (1, "GPU", {}, "GPU-1p", "result"),
        (8, "NPU", {"recipe": "8p"}, "NPU-8p", "result"),
        (8, "NPU", {"seed": 7, "validate": 0, "window": 50, "max_steps": 100}, "NPU-8p", "result"),
        (8, "NPU", {"rate": 0.12}, "NPU-8p batch 16 lr 0.12 scale 32 O1", "NPU-8p"),
        (8, "GPU", {"loss_scale": 128.0}, "GPU-8p batch 16 lr 0.1 scale 128 O1", "GPU-8p"),
        (8, "NPU", {"precision": "fp32"}, "NPU-8p batch 16 lr 0.1 O0", "NPU-8p"),
        (8, "NPU", {"epochs": 2}, "NPU-8p batch 16 lr 0.1 scale 32 O1", "NPU-8p"),
        (1, "NPU", {"recipe": "8p"}, "NPU-1p batch 16 lr 0.1 scale 32 O1", "NPU-1p"),  # not the guide's run on one
        (4, "NPU", {}, "NPU-4p batch 7 lr 0.01 scale 32 O1", "NPU-4p"),  # the card has no numbers for four
    ],
)
def test_a_run_is_named_as_in_the_guide(tmp_path, devices, soc, given, name, group):
    """Chip and devices where the numbers are the card's for so many, else with what the guide's tables vary."""
    rows = figures(ran(devices, soc, **given), tmp_path)

    assert {(name, group)} == {(row.run, row.settings["group"]) for row in rows.values()}


def test_figures_are_final_and_best_miou_and_images_per_second(tmp_path):
    """Of the last validated epoch, of the best, and of warm windows together: images over seconds."""
    rows = figures(ran(), tmp_path)

    assert {"train.miou": 0.681, "train.best_miou": 0.7, "train.throughput": 2560 / 30} == {
        metric: row.value for metric, row in rows.items()
    }
    assert {("icnet", "NPU", 16, 8, "measured", "eager", "Ascend910B", "fresh", "cityscapes-0a1b2c3d/500")} == {
        (r.model, r.soc, r.batch, r.devices, r.source, r.runtime, r.provider, r.weights, r.data) for r in rows.values()
    }
    assert [("wall", None), (None, 500), (None, 500)] == [
        (rows[metric].clock, rows[metric].frames) for metric in ("train.throughput", "train.miou", "train.best_miou")
    ]
    assert {"Ascend910B"} == {row.environment["device"] for row in rows.values()}


def test_settings_say_how_it_was_trained(tmp_path):
    """The plan's in the guide's words, and the steps that were made."""
    found = ran(rate=0.12)
    row = figures(found, tmp_path)["train.miou"]

    assert {"group": "NPU-8p", **found.plan.settings(), "steps": 30} == row.settings


def test_samples_hold_what_the_run_has_seen(tmp_path):
    """Losses and rates of steps, windows and scores, beside the records, named by model, devices and chip."""
    names = {row.samples for row in figures(ran(), tmp_path).values()}
    (name,) = names
    samples = np.load(tmp_path / name)

    assert re.fullmatch(r"samples/icnet-8p-NPU-training-\d{8}T\d{6}\.npz", name)
    assert {"losses", "rates", "windows", "scores"} == set(samples)
    assert all(np.array_equal(rows, samples[key]) for key, rows in vars(HISTORY).items())


def test_a_run_without_a_warm_window_has_no_speed(tmp_path):
    """A record without a value, with its reason; mIoU is a figure all the same."""
    rows = figures(ran(), tmp_path, replace(HISTORY, windows=[COLD]))

    assert (None, "unstable") == (rows["train.throughput"].value, rows["train.throughput"].outcome)
    assert "30 steps: the first 10 warm up, and images/s are of the others" == rows["train.throughput"].detail
    assert 0.681 == rows["train.miou"].value


def test_a_run_that_ended_early_has_no_final_miou(tmp_path):
    """What is promised is promised of all its epochs; a search's final mIoU is final too."""
    rows = figures(replace(ran(), steps=4600), tmp_path)

    assert (None, "unstable") == (rows["train.miou"].value, rows["train.miou"].outcome)
    assert "ended after step 30 of 4600" == rows["train.miou"].detail
    assert 0.7 == rows["train.best_miou"].value


def test_a_run_from_other_weights_is_no_run_of_the_recipe(tmp_path):
    """What is promised of training is promised from the start on."""
    rows = figures(replace(ran(), weights="best.pth@0a1b"), tmp_path)

    assert {("NPU-8p batch 16 lr 0.1 scale 32 O1 from best.pth@0a1b", "NPU-8p")} == {
        (row.run, row.settings["group"]) for row in rows.values()
    }


def test_images_per_second_are_of_the_process_that_tells_them(tmp_path):
    """A run that goes on may have come from more devices; all rows of a run have one time."""
    rows = results.records(ran(), HISTORY, tmp_path, 30, begun=2)

    assert 1280 / 14 == rows[0].value
    assert 1 == len({row.when for row in rows})


def test_a_run_without_validation_has_speed_alone(tmp_path):
    """No mIoU is made up."""
    assert ["train.throughput"] == list(figures(ran(), tmp_path, replace(HISTORY, scores=[])))


def test_drawn_frames_are_no_figures_of_a_chip(tmp_path):
    """They are told as samples."""
    assert {"sample"} == {row.source for row in figures(replace(ran(), drawn=True), tmp_path).values()}


@pytest.mark.parametrize(("problem", "outcome"), [(OutOfMemory("too large"), "oom"), (Problem("gone"), "crash")])
def test_a_run_that_gave_no_figure_is_a_record(problem, outcome):
    """With its reason."""
    (row,) = results.lost(ran(), problem, 4)

    assert ("train.throughput", None, outcome, str(problem), 4, "NPU-8p") == (
        row.metric, row.value, row.outcome, row.detail, row.settings["steps"], row.run,
    )  # fmt: skip


def test_records_are_added_to_those_of_the_folder(tmp_path):
    """And read back as they were."""
    found = results.records(ran(), HISTORY, tmp_path, 30)
    results.append(tmp_path, found[:1])
    results.append(tmp_path, found[1:])

    assert found == record.read(tmp_path / "records.jsonl")


def test_samples_that_cannot_be_written_are_told(tmp_path):
    """One sentence names the file."""
    (tmp_path / "samples").write_text("")

    with pytest.raises(Problem, match=r"samples/icnet-8p-NPU-training-.*\.npz: the samples could not be written \("):
        results.records(ran(), HISTORY, tmp_path, 30)
