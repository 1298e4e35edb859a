"""A device is one run's at a time, and free as soon as that run has ended, however it ended."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from roadworthy import lease
from roadworthy.problem import Problem

SRC = Path(lease.__file__).parents[1]
RUN = """
import sys

from roadworthy import lease

with lease.device("huawei", [int(number) for number in sys.argv[1:]], lambda told: print(told, flush=True)) as number:
    print("holds", number, flush=True)
    sys.stdin.readline()
"""


class Holder:
    """Another run, which wants one of these devices."""

    def __init__(self, *devices: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, devices)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(SRC)},
        )

    def says(self) -> str:
        """Its next line, for which it may take a while."""
        assert select.select([self.process.stdout], [], [], 60)[0]
        return self.process.stdout.readline().strip()

    def is_silent(self, seconds: float) -> bool:
        """Whether it says nothing for so long."""
        return not select.select([self.process.stdout], [], [], seconds)[0]

    def end(self) -> None:
        """It is done with its device."""
        self.process.communicate("\n", timeout=60)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A place of our own, where all devices are free."""
    monkeypatch.setenv(lease.VARIABLE, str(tmp_path / "leases"))
    return tmp_path / "leases"


@pytest.fixture
def another():
    """Starts another run."""
    runs = []

    def start(*devices: int) -> Holder:
        runs.append(Holder(*devices))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.communicate()


def test_two_runs_never_hold_one_device(another):
    """The second waits, says so once, and goes on when the first is done."""
    first = another(0)
    assert "holds 0" == first.says()
    second = another(0)

    assert "waiting for device 0 (huawei), which another run holds" == second.says()
    assert second.is_silent(2.5 * lease.AGAIN_S)
    first.end()
    assert "holds 0" == second.says()


def test_the_next_free_device_is_taken(another):
    """Nobody waits while one is free; when none is, all that would do are named."""
    runs = [another(0, 2)]
    assert "holds 0" == runs[0].says()
    runs.append(another(0, 2))

    assert "holds 2" == runs[1].says()
    with lease.device("huawei", [1], pytest.fail) as own:
        assert own == 1
    third = another(0, 2)
    assert "waiting for device 0 or 2 (huawei), which another run holds" == third.says()
    runs[1].end()
    assert "holds 2" == third.says()


def test_a_run_that_is_killed_frees_its_device(another):
    """No lock outlives its holder."""
    first = another(0)
    assert "holds 0" == first.says()
    first.process.kill()
    first.process.wait()

    with lease.device("huawei", [0], pytest.fail) as number:
        assert number == 0


def test_a_run_that_fails_frees_its_device(another):
    """And holds it as long as it works."""

    def work() -> None:
        with lease.device("huawei", [0], pytest.fail):
            waiting.append(another(0))
            assert waiting[0].says().startswith("waiting")
            raise ZeroDivisionError

    waiting = []
    with pytest.raises(ZeroDivisionError):
        work()

    assert "holds 0" == waiting[0].says()


def test_devices_of_two_vendors_are_not_one(another):
    """Number 0 of both may be in one machine."""
    assert "holds 0" == another(0).says()

    began = time.monotonic()
    with lease.device("nvidia", [0], pytest.fail) as number:
        assert number == 0
    assert time.monotonic() - began < lease.AGAIN_S


def test_all_users_of_a_machine_have_one_place(monkeypatch, tmp_path):
    """Whatever folder each has for temporary files."""
    monkeypatch.delenv(lease.VARIABLE)
    before = lease.folder()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    assert before == lease.folder()
    assert before.is_absolute()


def test_every_user_of_the_machine_holds_its_devices(place):
    """Whoever came first, and however closed their files are by habit."""
    before = os.umask(0o077)
    try:
        with lease.device("huawei", [0, 1], pytest.fail), lease.device("huawei", [0, 1], pytest.fail):
            held = [path.name for path in place.glob("*.lock")]
    finally:
        os.umask(before)

    assert ["huawei-0.lock", "huawei-1.lock"] == sorted(held)
    assert 0o777 == stat.S_IMODE(place.stat().st_mode)
    assert {0o666} == {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}


def test_a_place_without_locks_is_told(tmp_path, monkeypatch):
    """By its name, with the reason."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(lease.VARIABLE, str(tmp_path / "file" / "leases"))

    told = r"file/leases: a device cannot be held here \(Not a directory\)"
    with pytest.raises(Problem, match=told), lease.device("huawei", [0], pytest.fail):
        pytest.fail("it was held")
