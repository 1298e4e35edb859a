"""Work on a case: where it cannot be done, what is held meanwhile, how often it is built, and what is told of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from roadworthy import lease, runtimes, worker, workshop
from roadworthy.case import Case
from roadworthy.material import Material
from roadworthy.problem import CaseFailed, OutOfMemory, Problem, TimedOut, Unavailable
from roadworthy.runtimes import devices, om
from roadworthy.soc import find
from roadworthy.workshop import Manner, Workshop

LIMIT_S = 7.0


class Calls:
    """In place of worker.call: notes each call, and does what it is told in place of the work."""

    def __init__(self) -> None:
        self.made = []
        self.does = lambda **_: "answer"

    def __call__(self, step: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Its name and what it was called with."""
        self.made.append((step.__name__, arguments, more))
        return self.does(**more)


@pytest.fixture(autouse=True)
def leases(tmp_path, monkeypatch):
    """The folder of the locks, where all devices are free."""
    monkeypatch.setenv(lease.VARIABLE, str(tmp_path / "leases"))
    (tmp_path / "leases").mkdir()
    return tmp_path / "leases"


@pytest.fixture
def calls():
    """How work is called."""
    return Calls()


@pytest.fixture
def told():
    """What was told of long steps."""
    return []


@pytest.fixture
def shop(tiny_data, tmp_path, calls, told):
    """A workshop whose work is never done in earnest."""
    manner = Manner(limit_s=LIMIT_S, tell=told.append, call=calls)
    return Workshop(tmp_path / "logs", manner, Material(str(tiny_data), None))


@pytest.fixture
def case(tiny_card):
    """The small model at batch 4 on the cpu."""
    return Case(tiny_card, find("cpu"), 4)


@pytest.fixture
def on_a_chip(tiny_card, monkeypatch):
    """Makes cases of chips that are here."""
    monkeypatch.setattr(runtimes, "missing", lambda _: None)
    return lambda name: Case(tiny_card, find(name), 4)


def step():
    """Work that is never done."""


def raises(error):
    """Work that goes wrong."""

    def work(**_: Any) -> NoReturn:
        raise error

    return work


def held(leases):
    """The devices that were held."""
    return sorted(path.name for path in leases.iterdir())


def test_a_case_that_cannot_run_here_is_not_begun(shop, tiny_card, calls, tmp_path):
    """With the reason; nothing is built and nothing is held."""
    with pytest.raises(Unavailable, match="tiny-bs1-T4 cannot run here: "), shop.ready(Case(tiny_card, find("T4"), 1)):
        pytest.fail("it was ready")

    assert [] == calls.made
    assert [] == held(tmp_path / "leases")


@pytest.mark.parametrize(("alone", "expected"), [(False, []), (True, ["host-0.lock"])])
def test_the_host_is_held_by_who_measures_alone(shop, case, leases, alone, expected):
    """Accuracy of two runs may be counted side by side."""
    with shop.ready(case, alone=alone) as (artifact, job):
        assert ("answer", 0, leases.parent / "logs") == (artifact, job.device, job.logs)

    assert expected == held(leases)


@pytest.mark.parametrize("name", ["Ascend310P3", "Ascend310P3+aoe", "T4"])
def test_a_device_is_held_while_a_chip_works(shop, on_a_chip, leases, monkeypatch, name):
    """And while its kernels are timed; a compiler that needs no device holds none."""
    order = []
    monkeypatch.setattr(shop, "_built", lambda case, _: order.append(held(leases)) or case.id)
    with shop.ready(on_a_chip(name)) as (artifact, _):
        assert f"tiny-bs4-{name}" == artifact
    lock = ["nvidia-0.lock" if name == "T4" else "huawei-0.lock"]

    assert order == ([[], lock] if name == "Ascend310P3" else [lock])


def test_a_case_is_built_once(shop, case, calls):
    """Whatever figures of it are asked for."""
    for _ in range(2):
        with shop.ready(case):
            pass

    assert ["build"] == [name for name, *_ in calls.made]


def test_a_build_that_failed_is_not_tried_again(shop, case, calls):
    """It may have taken hours."""
    calls.does = raises(worker.Died(1, "E1: nothing", shop._logs / "x.log"))
    for _ in range(2):
        with pytest.raises(CaseFailed), shop.ready(case):
            pytest.fail("it was ready")

    assert 1 == len(calls.made)


@pytest.mark.parametrize(
    ("name", "limit"), [("cpu", workshop.BUILD_S), ("T4", workshop.BUILD_S), ("Ascend310P3", None)]
)
def test_a_build_may_be_silent_for_longer(shop, calls, on_a_chip, name, limit):
    """Atc and aoe have limits of their own; any other work has the run's."""
    case = on_a_chip(name)
    with shop.ready(case):
        shop.work(case, step)

    assert [("build", limit), ("step", LIMIT_S)] == [(name, more["limit_s"]) for name, _, more in calls.made]


def test_a_long_step_is_told_now_and_then(shop, case, calls, told, tmp_path):
    """Once a minute, with the folder of its log."""
    calls.does = lambda alive, **_: [alive(seconds) for seconds in (59, 61, 70, 119, 121)]
    shop.work(case, step)

    assert [f"tiny-bs4-cpu: step, {n} min so far; {tmp_path / 'logs'}" for n in (1, 2)] == told


def test_a_line_shows_the_step_and_its_last_news_every_second(tiny_data, case, calls, told, tmp_path):
    """In words for people, in place of the word a minute, which would be a line each."""
    shown = []

    @contextlib.contextmanager
    def line(text: str):
        yield lambda done, total: shown.append((text, done, total))
        shown.append("over")

    def evaluated():
        """As the step of accuracy is called."""

    def does(alive, progress, **_: object):
        for step in (lambda: alive(1), lambda: progress(3, 24), lambda: alive(61), lambda: alive(121)):
            step()

    calls.does = does
    manner = Manner(tell=told.append, call=calls, line=line)
    Workshop(tmp_path / "logs", manner, Material(str(tiny_data), None)).work(case, evaluated)
    words = "tiny-bs4-cpu: frames"

    assert [(words, 0, 0), (words, 3, 24), (words, 3, 24), (words, 3, 24), "over"] == shown
    assert [] == told


def test_the_progress_of_a_verb_is_told_of_frames_alone(tiny_data, case, calls, tmp_path):
    """Its bar lets the time go on by itself."""
    seen = []
    calls.does = lambda alive, progress, **_: [alive(1), progress(1, 5), alive(2), progress(2, 5)]
    manner = Manner(call=calls, progress=lambda done, total: seen.append((done, total)))
    Workshop(tmp_path / "logs", manner, Material(str(tiny_data), None)).work(case, step)

    assert [(1, 5), (2, 5)] == seen


def test_nothing_but_figures_goes_to_standard_output(capfd):
    """Whoever runs from a script of their own may read figures there."""
    Manner().tell("waiting for device 0")

    assert ("", "waiting for device 0\n") == capfd.readouterr()


def write(log, text, age_s):
    """A log that was written so long ago."""
    log.parent.mkdir(exist_ok=True)
    log.write_text(text, encoding="utf-8")
    os.utime(log, (1e9 - age_s, 1e9 - age_s))


@pytest.mark.parametrize(
    ("error", "kind", "sentence", "evidence"),
    [
        (worker.Died(-9, "", None), CaseFailed, "killed with SIGKILL", ["two", "three", "four"]),
        (TimedOut("no sign of life"), TimedOut, "tiny-bs4-cpu: no sign of life", ["two", "three", "four"]),
        (TimedOut("no sign of life", ["own"]), TimedOut, "tiny-bs4-cpu: no sign of life", ["own"]),
        (MemoryError("no page"), OutOfMemory, "does not fit in the host's memory (no page)", []),
    ],
)
def test_what_goes_wrong_is_told_by_case_with_the_last_words(
    shop, case, calls, tmp_path, error, kind, sentence, evidence
):
    """Those of the work itself, else of the newest log of the case that has any."""
    write(tmp_path / "logs" / "tiny-bs4-cpu-step.log", " \n", 1)
    write(tmp_path / "logs" / "tiny-bs4-cpu-atc.log", "one\rtwo\n\nthree\nfour \n", 2)
    write(tmp_path / "logs" / "tiny-bs4-cpu-older.log", "older\n", 3)
    write(tmp_path / "logs" / "tiny-bs1-cpu-step.log", "another case\n", 0)
    calls.does = raises(error)
    with pytest.raises(kind) as caught:
        shop.work(case, step)

    assert sentence in str(caught.value)
    assert "tiny-bs4-cpu" in str(caught.value)
    assert evidence == list(caught.value.evidence)


def test_no_memory_on_the_host_is_not_the_chips(shop, calls, on_a_chip):
    """It says nothing of the batch."""
    calls.does = raises(MemoryError())
    with pytest.raises(CaseFailed, match="the host's memory ran out, not the device's; the log is ") as caught:
        shop.work(on_a_chip("T4"), step)

    assert not isinstance(caught.value, OutOfMemory)
    assert "MemoryError()" == caught.value.evidence[0]


def test_what_a_user_is_told_goes_through(shop, case, calls):
    """A Problem of the work is one here."""
    calls.does = raises(Problem("x.toml: nothing is right"))

    with pytest.raises(Problem, match=r"^x.toml: nothing is right$"):
        shop.work(case, step)


def test_facts_are_of_the_device_that_was_held(shop, on_a_chip, monkeypatch):
    """Asked once, none before; what a card is counts with them."""
    asked = []
    monkeypatch.setattr(devices, "facts", lambda soc, number: asked.append((soc.name, number)) or {"chip": soc.name})
    chip = on_a_chip("Ascend310")
    before = shop.facts(chip)
    with shop.ready(chip):
        pass
    facts = [shop.facts(chip) for _ in range(2)]

    assert {} == before
    assert [{"chip": "Ascend310", "dies": "1 measured of 4 on a card; throughput is times 4"}] * 2 == facts
    assert [("Ascend310", 0)] == asked


@pytest.mark.parametrize(("tools", "road"), [([], "ascend"), (["atc"], "standin")])
def test_a_stand_in_makes_the_road_its_own(shop, on_a_chip, monkeypatch, tools, road):
    """Of Ascend chips; a cpu beside them is a cpu."""
    monkeypatch.setattr(om, "standins", lambda: tools)

    assert [road, "onnxruntime"] == [shop.road(on_a_chip(name)) for name in ("Ascend310P3", "cpu")]


def test_workers_are_warmed_where_there_are_any(tmp_path, tiny_data, monkeypatch):
    """Work in the run's own process has none."""
    warmed = []
    monkeypatch.setattr(worker, "warm", lambda: warmed.append("warm"))
    for call in (worker.here, worker.call):
        Workshop(tmp_path, Manner(call=call), Material(str(tiny_data), None)).warm()

    assert ["warm"] == warmed
