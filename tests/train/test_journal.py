"""What a run tells: lines on the terminal and in its log, scalars where TensorBoard is installed."""

from __future__ import annotations

import importlib.util
import re
import shutil

import pytest

from roadworthy.problem import Problem
from roadworthy.train.journal import Journal, Step

WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


@pytest.fixture
def told() -> tuple[list[str], list[Step]]:
    """Lines and steps that the terminal was given."""
    return [], []


@pytest.fixture
def journal(tmp_path, told) -> Journal:
    """Of a run in a new folder."""
    return Journal(tmp_path / "a" / "run", told[0].append, told[1].append)


def log(tmp_path) -> list[str]:
    """The lines of the log file."""
    return (tmp_path / "a" / "run" / "train.log").read_text(encoding="utf-8").splitlines()


def test_what_is_said_is_kept_with_its_time(journal, told, tmp_path):
    """A note is for the log alone."""
    journal.say("epoch 1: mIoU 0.5, the best so far")
    journal.note("precision fp32")

    assert ["epoch 1: mIoU 0.5, the best so far"] == told[0]
    assert [True, True] == [
        bool(re.fullmatch(WHEN + text, line))
        for text, line in zip(("epoch 1: mIoU 0.5, the best so far", "precision fp32"), log(tmp_path), strict=True)
    ]


def test_every_step_is_shown_and_the_end_of_a_window_noted(journal, told, tmp_path):
    """Loss, rate, images/s and what was waited for are those of the window."""
    window = Step(10, 40, 2, loss=1.25, rate=0.01, speed=12.5, waited=0.25, left=75)
    for step in (Step(9, 40, 2), window):
        journal.step(step)

    assert [Step(9, 40, 2), window] == told[1]
    (line,) = log(tmp_path)
    assert line.endswith("  epoch 2  step 10/40  loss 1.2500  rate 1.00e-02  12.50 images/s  25% waiting  0:01:15 left")


def test_a_log_that_goes_on_keeps_what_it_had(journal, told, tmp_path):
    """A run that goes on in its folder writes behind."""
    journal.note("first")
    Journal(tmp_path / "a" / "run", told[0].append, told[1].append).note("second")

    assert ["first", "second"] == [line.rpartition("  ")[2] for line in log(tmp_path)]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Before anything is trained, in one sentence."""
    (tmp_path / "file").write_text("")

    with pytest.raises(Problem, match=re.escape(f"{tmp_path / 'file' / 'run'}: a run cannot leave anything here (")):
        Journal(tmp_path / "file" / "run", print, print)


def test_a_log_that_cannot_be_written_does_not_end_the_run(journal, told, tmp_path):
    """The terminal is told instead."""
    shutil.rmtree(tmp_path / "a" / "run")
    journal.say("on it goes")

    assert [
        f"{tmp_path / 'a' / 'run' / 'train.log'}: cannot be written (No such file or directory)",
        "on it goes",
    ] == told[0]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed here")
def test_without_tensorboard_nothing_is_missed(journal, tmp_path):
    """No folder of events, no error."""
    journal.scalars({"mIoU": 0.5}, 10)

    assert ["train.log"] == [path.name for path in (tmp_path / "a" / "run").iterdir()]


def test_with_tensorboard_scalars_are_events(journal, tmp_path):
    """Loss, rate, images/s and mIoU by step."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed here")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    journal.step(Step(10, 40, 2, loss=1.25, rate=0.01, speed=12.5))
    journal.scalars({"mIoU": 0.5}, 10)
    events = EventAccumulator(str(tmp_path / "a" / "run" / "tensorboard")).Reload()

    assert {"loss": 1.25, "rate": pytest.approx(0.01), "images/s": 12.5, "mIoU": 0.5} == {
        name: events.Scalars(name)[0].value for name in events.Tags()["scalars"]
    }
