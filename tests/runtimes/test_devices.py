"""The accelerators of this machine: which there are, whether they are well, how warm they run."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from roadworthy.problem import Problem, Unavailable
from roadworthy.runtimes import devices
from roadworthy.soc import find

STANDINS = Path(__file__).parents[1] / "standins"
TABLE = """\
+--------------------------------------------------------------------------------------------+
| npu-smi 22.0.0                       Version: 22.0.2                                       |
+-------------------+-----------------+------------------------------------------------------+
| NPU     Name      | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device    | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===================+=================+======================================================+
| 0       310P3     | OK              | 15.8         42                0    / 0              |
| 0       0         | 0000:82:00.0    | 0            1074 / 21534                            |
+===================+=================+======================================================+
| 1       310P3     | OK              | 15.4         43                0    / 0              |
| 0       1         | 0000:89:00.0    | 0            1070 / 21534                            |
+===================+=================+======================================================+
"""  # of the HRNet guide


GPUS = """\
0, Tesla T4, 585, 1590, 40, 27.50, 15360, 535.104.05
1, NVIDIA A100-SXM4-80GB, 1410, 1410, 31, 61.21, 81920, 535.104.05
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A machine without accelerators: all of its tools lie in this folder, which is empty."""
    for name in [name for name in os.environ if name.startswith(("STANDIN_", "ASCEND_", "CUDA_VISIBLE"))]:
        monkeypatch.delenv(name)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    devices.of_vendor.cache_clear()
    yield tmp_path / "bin"
    devices.of_vendor.cache_clear()


@pytest.fixture
def board(monkeypatch):
    """Makes these the chips of the machine, by device, as the stand-in of npu-smi shows them."""
    path = (STANDINS / "bin", Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))

    def put(chips: str) -> None:
        monkeypatch.setenv("STANDIN_SOC", chips)
        devices.of_vendor.cache_clear()

    return put


@pytest.fixture
def says(folder):
    """Makes a tool that prints a text, as a real one does, and counts in a file how often it was asked."""

    def put(tool: str, text: str, then: str = "") -> Path:
        (folder / "text").write_text(text, encoding="utf-8")
        lines = ["#!/bin/sh", f"echo asked >> {folder}/asks", f"/bin/cat {folder}/text", then, ""]
        (folder / tool).write_text("\n".join(lines), encoding="utf-8")
        (folder / tool).chmod(0o755)
        devices.of_vendor.cache_clear()
        return folder / "asks"

    return put


def wait(done) -> None:
    """Until it is so, for a while."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("name", "expected"), [("Ascend310P3", [0, 2]), ("Ascend310", [1]), ("Ascend310P3+aoe", [0, 2]), ("cpu", [0])]
)
def test_a_chip_is_at_its_devices(board, name, expected):
    """By the number that tools take, which is not the slot's; a tuned variant is its chip."""
    board("Ascend310P3,Ascend310,Ascend310P3")

    assert expected == devices.of_soc(find(name))


def test_a_device_that_is_wanted_is_the_only_one(board):
    """Where it is the chip."""
    board("Ascend310P3,Ascend310,Ascend310P3")

    assert [2] == devices.of_soc(find("Ascend310P3"), 2)
    with pytest.raises(Unavailable, match=r"--device 1 is Ascend310 OK; those that are Ascend310P3 .*: \[0, 2\]"):
        devices.of_soc(find("Ascend310P3+aoe"), 1)
    with pytest.raises(Unavailable, match="--device 7 is not there; those that are Ascend310P3"):
        devices.of_soc(find("Ascend310P3"), 7)


def test_the_host_has_no_numbered_devices():
    """`--device` is of the chips that the same run may judge."""
    assert [0] == devices.of_soc(find("cpu"), 3)


@pytest.mark.parametrize(("listed", "position"), [("2", 0), ("1,2", 1)])
def test_what_the_environment_hides_is_not_taken(board, monkeypatch, listed, position):
    """A device is called by its own number, and has another one in a process that sees only some."""
    board("Ascend310P3,Ascend310,Ascend310P3")
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", listed)

    assert [2] == devices.of_soc(find("Ascend310P3"))
    assert position == devices.position(find("Ascend310P3"), 2)


def test_a_chip_that_the_environment_hides_is_refused(board, monkeypatch):
    """By the variable's name."""
    board("Ascend310P3,Ascend310,Ascend310P3")
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "1")

    told = "none of the Ascend310P3 here can be used: device 0 is hidden by ASCEND_RT_VISIBLE_DEVICES, device 2 is hidden by"

    assert f"{told} ASCEND_RT_VISIBLE_DEVICES" == devices.refused(find("Ascend310P3"))


def test_another_chip_is_refused_by_both_names(board):
    """What is here, each once, and what was asked for, as the compiler calls it."""
    board("Ascend310,Ascend310,Ascend910B1")

    assert "npu-smi says that this machine has Ascend310 and Ascend910B1, not Ascend310P3" == devices.refused(
        find("Ascend310P3+aoe")
    )
    assert devices.refused(find("Ascend310")) is None


@pytest.mark.parametrize("name", ["Ascend310P3", "Ascend310P3+aoe", "T4", "cpu"])
def test_where_nothing_tells_the_first_device_is_taken(name):
    """No npu-smi, no nvidia-smi: nothing is refused, detected or known."""
    soc = find(name)

    assert ([0], None) == (devices.of_soc(soc), devices.refused(soc))
    assert ([], {}) == (devices.detected(), devices.facts(soc, 0))


def test_a_board_that_does_not_answer_is_refused(board):
    """With what its tool said; whoever asks for devices is told too."""
    board("")
    told = "npu-smi info failed with exit status 1 (DrvMngGetConsoleLogLevel failed."

    assert devices.refused(find("Ascend310")).startswith(told)
    assert [] == devices.detected()
    with pytest.raises(Problem, match="npu-smi info failed"):
        devices.of_soc(find("Ascend310"))


def test_chips_in_alarm_are_refused(says):
    """All of them; one that is well will do."""
    says("npu-smi", TABLE.replace("OK   ", "Alarm"))
    told = "none of the Ascend310P3 here can be used: device 0 is in Alarm, device 1 is in Alarm"
    assert told == devices.refused(find("Ascend310P3"))

    says("npu-smi", TABLE.replace("OK   ", "Alarm", 1))
    assert devices.refused(find("Ascend310P3")) is None
    assert [1] == devices.of_soc(find("Ascend310P3"))


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("0", "device 0 is in Alarm, device 1 is hidden by ASCEND_RT_VISIBLE_DEVICES"),
        (
            "",
            "device 0 is hidden by ASCEND_RT_VISIBLE_DEVICES and in Alarm, device 1 is hidden by ASCEND_RT_VISIBLE_DEVICES",
        ),
    ],
)
def test_a_chip_without_a_device_that_can_be_used_is_refused(says, monkeypatch, listed, told):
    """One that is well is no help where it is hidden: each is named with its reason, and nobody waits for none."""
    says("npu-smi", TABLE.replace("OK   ", "Alarm", 1))
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", listed)
    told = f"none of the Ascend310P3 here can be used: {told}"

    assert told == devices.refused(find("Ascend310P3"))
    for wanted in (None, 1):
        with pytest.raises(Unavailable) as caught:
            devices.of_soc(find("Ascend310P3"), wanted)
        assert told == str(caught.value)


def test_a_wanted_device_that_cannot_be_used_is_told_with_its_reason(says, monkeypatch):
    """It is there, and it is the chip."""
    says("npu-smi", TABLE.replace("OK   ", "Alarm", 1))
    those = r"; those that are Ascend310P3 and can be used: \[1\]"
    with pytest.raises(Unavailable, match=f"^--device 0 is in Alarm{those}"):
        devices.of_soc(find("Ascend310P3"), 0)

    says("npu-smi", TABLE)
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "1")
    with pytest.raises(Unavailable, match=f"^--device 0 is hidden by ASCEND_RT_VISIBLE_DEVICES{those}"):
        devices.of_soc(find("Ascend310P3"), 0)


def test_a_warning_is_no_alarm(says):
    """It stands in the record."""
    says("npu-smi", TABLE.replace("OK     ", "Warning"))

    assert devices.refused(find("Ascend310P3")) is None
    assert "Warning" == devices.facts(find("Ascend310P3"), 1)["health"]


def test_a_stand_in_is_no_chip_of_this_machine(board):
    """It is there for whoever asks for the chip; who asks for none is never judged on one that is played."""
    board("Ascend310P3")

    assert [0] == devices.of_soc(find("Ascend310P3"))
    assert [] == devices.detected()
    assert ("cpu", "") == devices.default()


def test_a_chip_of_this_machine_is_detected(says):
    """Under its name; a variant of it is asked for."""
    says("npu-smi", TABLE)

    assert ["Ascend310P3"] == [soc.name for soc in devices.detected()]
    assert [0, 1] == devices.of_soc(find("Ascend310P3"))


def test_a_gpu_is_found_among_others(says):
    """By whole words of its name; another one is refused by all names."""
    says("nvidia-smi", GPUS)

    assert [[0], [1]] == [devices.of_soc(find(name)) for name in ("T4", "A100")]
    assert ["T4", "A100"] == [soc.name for soc in devices.detected()]
    told = "nvidia-smi says that this machine has Tesla T4 and NVIDIA A100-SXM4-80GB, not H100"
    assert told == devices.refused(find("H100"))
    with pytest.raises(Unavailable, match=told):
        devices.of_soc(find("H100"))


def test_the_default_is_a_chip_that_is_here_and_can_run(says, folder, monkeypatch):
    """Else the cpu, with what the chip lacks."""
    says("npu-smi", TABLE)
    before = devices.default()
    (folder / "atc").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "atc").chmod(0o755)
    monkeypatch.syspath_prepend(STANDINS / "b")

    assert "cpu" == before[0]
    assert before[1].startswith("Ascend310P3 is here, but atc is not on PATH; ")
    assert ("Ascend310P3", "which this machine has; --soc names another") == devices.default()


def test_temperature_and_power_are_read_meanwhile(board, monkeypatch):
    """Of the device that is held, and no longer than it is."""
    board("Ascend310,Ascend310P3")
    monkeypatch.setattr(devices, "PERIOD_S", 0.01)
    before, began = set(threading.enumerate()), time.time()
    with devices.watched(find("Ascend310P3"), 1) as readings:
        wait(lambda: len(readings.rows) > 2)
    celsius, watts = readings.between(began, time.time())

    assert ({42.0}, {13.8}) == (set(celsius), set(watts))
    assert len(readings.rows) == len(celsius) == len(watts)
    assert before >= set(threading.enumerate())


def test_readings_are_of_a_stretch_of_time():
    """What was read while something else ran is not of this figure; what was not told is left out."""
    readings = devices.Readings([(1.0, 40.0, 10.0), (2.0, 41.0, None), (3.0, None, 12.0), (4.0, 43.0, 13.0)])
    readings.rows += [(5.0, -300.0, -1.0), (6.0, -10.0, 0.0)]  # what no board has, and an idle one in the cold

    assert ([41.0], [12.0]) == readings.between(2.0, 3.0)
    assert ([43.0], [13.0]) == readings.between(4.5, 4.6)  # a stretch shorter than the time between two
    assert ([], []) == readings.between(0.1, 0.2)
    assert ([-10.0], [0.0]) == readings.between(5.0, 6.0)


def test_a_board_too_busy_to_answer_costs_its_reading_alone(says, folder, monkeypatch):
    """It was well when the case began; the figure is what counts."""
    asks = says("npu-smi", TABLE, then=f"[ $(/bin/cat {folder}/asks | /usr/bin/wc -l) = 1 ]")
    monkeypatch.setattr(devices, "PERIOD_S", 0.01)
    with devices.watched(find("Ascend310P3"), 0) as readings:
        wait(lambda: asks.read_text(encoding="utf-8").count("asked") > 3)

    assert {(None, None)} == {row[1:] for row in readings.rows}
    assert ([], []) == readings.between(0, time.time())


@pytest.mark.parametrize("name", ["Ascend310P3", "T4", "cpu"])
def test_what_nothing_tells_is_not_read(name, monkeypatch):
    """No thread is started for it."""
    monkeypatch.setattr(devices, "PERIOD_S", 0.01)
    before = set(threading.enumerate())
    with devices.watched(find(name), 0) as readings:
        assert before >= set(threading.enumerate())

    assert devices.Readings() == readings
